"""Which hosts are this machine: what is sent there in the clear, nobody on the way reads."""

import ipaddress


def is_loopback(host: str) -> bool:
    """Whether a host is this machine: `localhost` or a loopback address. Any other name is what a name server says,
    `x.localhost` and `localhost.` too."""
    if host.casefold() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
