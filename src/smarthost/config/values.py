"""How the text of one setting becomes its value.

Each parser takes the text without surrounding blanks, never empty, and gives a value that needs
no further check, or raises `InvalidValueError` with a sentence that says what is allowed. None
of them touches the network or a file.
"""

import ipaddress
from pathlib import Path
from typing import NoReturn, TypeVar

from smarthost.config.faults import InvalidValueError, shown
from smarthost.config.model import ListenAddress, LogFormat, LogLevel, RelayNetworks
from smarthost.mail.address import AddressError, parse_address
from smarthost.mail.host import HostError, parse_host, split_host_port

T = TypeVar("T")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_LONGEST_RETRY_WAIT = 4 * 60 * 60
_LONGEST_DRAIN = 300
_YEAR = 365 * 24 * 60 * 60
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
_LAST_IPV4 = 2**32 - 1
_NOT_A_MAIL_NAME = ("localhost", "localdomain", "arpa")


def parse_path(text: str) -> Path:
    """Give the path as it was written; a relative one is still to be resolved."""
    return Path(text)


def parse_port(text: str, *, lowest: int) -> int:
    """Give a TCP port between `lowest` (0 or 1) and 65535, written in ASCII digits."""
    if text.isascii() and text.isdigit() and len(text) <= 5 and lowest <= int(text) <= 65535:
        return int(text)
    raise InvalidValueError(f"the port is a number from {lowest} to 65535.")


def parse_listen(text: str) -> ListenAddress:
    """Give host and port of `127.0.0.1:8025`, `[::1]:8025`; port 0 is any free one."""
    host, port = split_host_port(text)
    if port is None or not host:
        raise InvalidValueError(
            f"“{shown(text)}” is not an address to listen on. Write host and port, as"
            " 127.0.0.1:8025 or [::1]:8025; 0.0.0.0:8025 listens on every IPv4 address."
        )
    return ListenAddress(host=_host(host), port=parse_port(port, lowest=0))


def parse_optional_listen(text: str) -> ListenAddress | None:
    """Give what `parse_listen` does, and None for no text."""
    return parse_listen(text) if text else None


def parse_email(text: str) -> str:
    """Give an e-mail address in the canonical form of `mail.address`."""
    try:
        return str(parse_address(text))
    except AddressError as error:
        raise InvalidValueError(str(error)) from None


def parse_domain(text: str) -> str:
    """Give a domain in lower-case A-labels (RFC 5890), of letters, digits and hyphens."""
    domain = _host(text)
    if _is_ip(domain) or "_" in domain:
        raise InvalidValueError(
            f"{shown(domain)} is not a domain. Write the one that the portals' host names end in,"
            " as portals.example.com."
        )
    return domain


def parse_helo_name(text: str) -> str:
    """Give a full domain name fit for EHLO (RFC 5321, section 2.3.5).

    A relay looks the name up, so names that mean something on one machine alone are refused:
    those of one label, IP addresses, and what ends in localhost, localdomain or arpa. The
    underscore that a host may have has no place in a command's domain.
    """
    name = _host(text)
    odd = "." not in name or "_" in name or _is_ip(name)
    if odd or name.rpartition(".")[2] in _NOT_A_MAIL_NAME:
        raise InvalidValueError(
            f"{shown(name)} is not a full domain name. Write the name under which this machine is"
            " found in the DNS, as smarthost.example.com."
        )
    return name


def parse_retry_wait(text: str) -> int:
    """Give the seconds before the second try of a message: up to the longest wait of all."""
    return _seconds(text, lowest=1, highest=_LONGEST_RETRY_WAIT)


def parse_lifetime(text: str) -> int:
    """Give the seconds, from a minute to a year, after which a message is given up."""
    return _seconds(text, lowest=60, highest=_YEAR)


def parse_keeping(text: str) -> int:
    """Give the seconds, from none to ten years, that something is kept."""
    return _seconds(text, lowest=0, highest=10 * _YEAR)


def parse_drain(text: str) -> int:
    """Give the seconds, from none to five minutes, that a stop begins with."""
    return _seconds(text, lowest=0, highest=_LONGEST_DRAIN)


def parse_switch(text: str) -> bool:
    """Give True for `on` and False for `off`."""
    return _one_of(text, {"on": True, "off": False})


def parse_log_format(text: str) -> LogFormat:
    """Give `console` or `json`."""
    formats: dict[str, LogFormat] = {"console": "console", "json": "json"}
    return _one_of(text, formats)


def parse_log_level(text: str) -> LogLevel:
    """Give `debug`, `info`, `warning` or `error`."""
    levels: dict[str, LogLevel] = {
        "debug": "debug",
        "info": "info",
        "warning": "warning",
        "error": "error",
    }
    return _one_of(text, levels)


def parse_networks(text: str) -> tuple[Network, ...]:
    """Give the networks of a comma-separated list in CIDR form (RFC 4632, section 3.1)."""
    faults: list[str] = []
    networks: list[Network] = []
    for part in text.split(","):
        try:
            networks.append(_network(part.strip()))
        except InvalidValueError as error:
            faults.extend(error.messages)
    if faults:
        raise InvalidValueError(*faults)
    return tuple(networks)


def parse_relay_networks(text: str) -> RelayNetworks:
    """Give `any`, `public`, or the networks of a list as `parse_networks` takes it."""
    if text == "any":
        return "any"
    if text == "public":
        return "public"
    try:
        return parse_networks(text)
    except InvalidValueError as error:
        raise InvalidValueError(*error.messages, "any and public are allowed too.") from None


def _network(text: str) -> Network:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        _refuse_network(text)
    if "%" in text:  # a zone means something on one link of one machine (RFC 4007)
        _refuse_network(text)
    if ipaddress.ip_address(text.partition("/")[0]) != network.network_address:
        raise InvalidValueError(
            f"{shown(text)} has bits set behind its prefix. Write {network} for the network,"
            f" or {shown(text.partition('/')[0])} for the one address."
        )
    return _unmapped(network)


def _unmapped(network: Network) -> Network:
    """Give IPv4 in the form of IPv6 (RFC 4291, section 2.5.5.2) as what it is compared as."""
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_MAPPED):
        first = int(network.network_address) & _LAST_IPV4
        return ipaddress.IPv4Network((first, network.prefixlen - _MAPPED.prefixlen))
    return network


def _seconds(text: str, *, lowest: int, highest: int) -> int:
    # The length first: a number of a million digits takes long to read.
    if text.isascii() and text.isdigit() and len(text) <= 12 and lowest <= int(text) <= highest:
        return int(text)
    raise InvalidValueError(
        f"“{shown(text)}” is not a number of seconds from {lowest} to {highest}."
    )


def _one_of(text: str, choices: dict[str, T]) -> T:
    if text in choices:
        return choices[text]
    *others, last = choices
    raise InvalidValueError(f"“{shown(text)}” is not {', '.join(others)} or {last}.")


def _host(text: str) -> str:
    try:
        return parse_host(text)
    except HostError as error:
        raise InvalidValueError(str(error)) from None


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _refuse_network(text: str) -> NoReturn:
    raise InvalidValueError(
        f"“{shown(text)}” is not a network. Write networks as 10.0.0.0/8 or 2001:db8::/32, with"
        " a comma between two."
    )
