"""Source networks (CIDR): read once, and asked whether an address lies in one of them.
An address that can't be read must never lie in any."""

import ipaddress
from collections.abc import Iterable


def check_network(text: str) -> str:
    """The network as it is kept: `10.0.0.0/8`, `2001:db8::/32`; one address is a network of its own.

    Raises ValueError, for one with bits outside its mask as well: it may not be what was meant."""
    try:
        return str(ipaddress.ip_network(text, strict=True))
    except ValueError as error:
        raise ValueError(f"{text!r} is no network (such as 10.0.0.0/8): {error}") from None


def within(source: str, networks: Iterable[str]) -> bool:
    """Whether the address lies in one of the networks. An IPv4 address that is written as IPv6
    (`::ffff:10.0.0.1`) is the IPv4 address that it is."""
    try:
        address = ipaddress.ip_address(source)
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in ipaddress.ip_network(each) for each in networks)
    except ValueError:
        return False


def source_network(source: str) -> str:
    """What counts as one source: an IPv4 address, or an IPv6 network of 64 bits (one host has them all)."""
    try:
        address = ipaddress.ip_address(source.partition("%")[0])
    except ValueError:
        return source
    if address.version == 4:
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))
