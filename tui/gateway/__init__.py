"""LiteLLM over httpx: records, calls and rules of the gateway. Imports neither Textual nor the rest of tui.

Start at `client.Client`; `keys`, `models`, `teams`, `users` and `usage` hold the calls, `capabilities` what a server
and a key can do, `provisioning` the start of a person on a gateway.
"""
