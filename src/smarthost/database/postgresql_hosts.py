"""The servers that the URL of a database names: one as a rule, or all that may be the primary.

The driver would try them one after the other, and a machine that does not answer takes all the
time there is. So each is asked by itself, and has to be known by itself.
"""

from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from smarthost.secret import Secret


class Host(NamedTuple):
    """Where one server is."""

    name: str
    """Of a machine, an address, or a folder with a socket; empty: this machine."""
    port: int | None
    """None: the driver's own."""

    def __str__(self) -> str:
        """Return what an operator knows it by."""
        name = f"[{self.name}]" if ":" in self.name else self.name or "this machine"
        return name if self.port is None else f"{name}:{self.port}"


def hosts_of(url: Secret) -> tuple[Host, ...]:
    """Return them in the order of the URL, which is a valid one."""
    parts = urlsplit(url.reveal())
    named = parts.netloc.rpartition("@")[2]
    if named:
        return tuple(_host(unquote(one)) for one in named.split(","))
    options = parse_qs(parts.query)
    names = options.get("host", [""])[-1].split(",")
    ports = options.get("port", [""])[-1].split(",")
    if len(ports) == 1:
        ports *= len(names)
    return tuple(_with_port(*one) for one in zip(names, ports, strict=True))


def names_of(hosts: tuple[Host, ...]) -> str:
    """Return what an operator knows all of them by."""
    if len(hosts) == 1 and hosts[0].name.startswith("/"):
        return str(Host("", None))
    return ",".join(map(str, hosts))


def _host(text: str) -> Host:
    """Read `name`, `name:port`, `[address]` or `[address]:port`."""
    if text.startswith("/"):
        return Host(text, None)
    address, bracket, rest = text.partition("]")
    name, _, port = rest.partition(":") if bracket else text.partition(":")
    return Host(address[1:] if bracket else name, int(port) if port else None)


def _with_port(text: str, port: str) -> Host:
    host = _host(text)
    return host._replace(port=int(port)) if port else host
