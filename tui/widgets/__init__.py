"""Widgets: they draw what they are given and never call the gateway."""
