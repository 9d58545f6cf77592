"""Over a real SSH server on loopback."""
