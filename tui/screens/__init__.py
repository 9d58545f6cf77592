"""The screens: keys, models and usage, and the dialogs in front of them."""
