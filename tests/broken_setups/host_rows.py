"""What can be wrong with the host: its name does not lead to a relay, or no way leads there."""

from smarthost.delivery.outcome import Code, Step
from tests.broken_setups.servers import nothing
from tests.broken_setups.set_up import BrokenSetUp

_NO_NAME = nothing("a name server: no such name (NXDOMAIN)")
_BEYOND = ("host", "port", "enableSSL")

HOST_ROWS = [
    BrokenSetUp(
        name="The host has a typing error",
        server=_NO_NAME,
        host="mial.example.com",
        step=Step.RESOLVE,
        code=Code.RELAY_NOT_FOUND,
        fields=("host",),
        says=("cannot be found", "typing error"),
    ),
    BrokenSetUp(
        name="The host is the domain of the addresses, which has an MX record and no address",
        server=nothing("a name server: the name has no address (NODATA)"),
        host="example.com",
        step=Step.RESOLVE,
        code=Code.RELAY_NOT_FOUND,
        fields=("host",),
        says=("no address",),
    ),
    BrokenSetUp(
        name="The host is an alias of a server that is gone",
        server=nothing("a name server: a CNAME that leads to no name"),
        host="alias.example.com",
        step=Step.RESOLVE,
        code=Code.RELAY_NOT_FOUND,
        fields=("host",),
        says=("cannot be found",),
    ),
    BrokenSetUp(
        name="The host is an alias of itself",
        server=nothing("a name server: two CNAMEs that lead to each other"),
        host="here.example.com",
        step=Step.RESOLVE,
        code=Code.RELAY_NOT_FOUND,
        fields=("host",),
        says=("no address",),
    ),
    BrokenSetUp(
        name="The name server of the host's domain is out of order",
        server=nothing("a name server: SERVFAIL"),
        host="broken.example.com",
        step=Step.RESOLVE,
        code=Code.NAME_LOOKUP_FAILED,
        fields=(),
        says=("try again later", "name servers"),
    ),
    BrokenSetUp(
        name="The name server does not answer",
        server=nothing("a name server that says nothing"),
        host="silent.example.com",
        step=Step.RESOLVE,
        code=Code.NAME_LOOKUP_FAILED,
        fields=(),
        says=("no answer", "operator"),
    ),
    BrokenSetUp(
        name="The host has only an IPv6 address, and the network here has no IPv6",
        server=nothing("a name server: AAAA alone, and a network without IPv6"),
        host="six.example.com",
        apart=(),
        step=Step.CONNECT,
        code=Code.RELAY_UNREACHABLE,
        fields=_BEYOND,
        says=("cannot be reached",),
    ),
    BrokenSetUp(
        name="No route leads to the host",
        server=nothing("a network whose router knows no way there"),
        host="away.example.com",
        apart=(("route", "add", "unreachable", "192.0.2.0/24"),),
        step=Step.CONNECT,
        code=Code.RELAY_UNREACHABLE,
        fields=_BEYOND,
        says=("cannot be reached", "firewall"),
    ),
    BrokenSetUp(
        name="A firewall forbids the way to the host, and says so",
        server=nothing("a network that is administratively prohibited"),
        host="walled.example.com",
        apart=(("route", "add", "prohibit", "198.51.100.0/24"),),
        step=Step.CONNECT,
        code=Code.RELAY_UNREACHABLE,
        fields=_BEYOND,
        says=("cannot be reached", "firewall"),
    ),
    BrokenSetUp(
        name="The host is in the local network, and the operator allows public addresses alone",
        server=nothing("`SMARTHOST_RELAY_NETWORKS=public`, and an address of loopback"),
        environ={"RELAY_NETWORKS": "public"},
        step=Step.RESOLVE,
        code=Code.DESTINATION_FORBIDDEN,
        fields=("host",),
        says=("SMARTHOST_RELAY_NETWORKS",),
        permanent=True,
    ),
]
