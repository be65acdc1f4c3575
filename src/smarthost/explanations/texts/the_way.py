"""What keeps a connection from coming about, or breaks it off."""

from collections.abc import Mapping

from smarthost.delivery.outcome import Code, Step
from smarthost.delivery.relay import IMPLICIT_TLS_PORTS
from smarthost.explanations.failure import Facts, Who
from smarthost.explanations.text import LATER, Text, at

_OTHER_PORT = (
    "Check the host (host) and the port (port), now {port}. Many networks let nothing out to"
    " port 25: try 587, or 465 with TLS (enableSSL)."
)


def _no_greeting_where_tls_comes_first(facts: Facts) -> bool:
    relay = facts.relay
    return (
        facts.step is Step.GREETING
        and relay is not None
        and relay.port in IMPLICIT_TLS_PORTS
        and not relay.enable_ssl
    )


def _no_greeting_where_starttls_is_expected(facts: Facts) -> bool:
    relay = facts.relay
    return (
        facts.step is Step.GREETING
        and relay is not None
        and relay.port not in IMPLICIT_TLS_PORTS
        and relay.enable_ssl
    )


TEXTS: Mapping[Code, tuple[Text, ...]] = {
    Code.RELAY_NOT_FOUND: (
        Text(
            title="{Server} cannot be found",
            why="The domain name system knows no address for this name.",
            fix="Check the host (host) for a typing error.",
            who=Who.ADMINISTRATOR,
            fields=("host",),
        ),
    ),
    Code.NAME_LOOKUP_FAILED: (
        Text(
            title="The address of {server} could not be looked up",
            why="The domain name system gave no answer, which often passes in a few minutes.",
            fix="Try again later. If it stays so, the operator of this installation checks the"
            " name servers that its machine asks.",
            who=Who.OPERATOR,
            for_everybody=True,
        ),
    ),
    Code.DESTINATION_FORBIDDEN: (
        Text(
            title="Mail may not go out to {server}",
            why="The rules of this installation do not let it connect to the network that this"
            " server is in.",
            fix="Enter a mail server with a public address (host), or ask the operator of this"
            " installation to allow its network in SMARTHOST_RELAY_NETWORKS.",
            who=Who.OPERATOR,
            fields=("host",),
        ),
    ),
    Code.CONNECTION_REFUSED: (
        Text(
            title="{Server} refused the connection",
            why="A machine answers there, but no mail server listens on this port.",
            fix="Check the port (port), now {port}: 587 and 465 are usual where one logs in, 25"
            " among mail servers. Check the host (host) too.",
            who=Who.ADMINISTRATOR,
            fields=("port", "host"),
        ),
    ),
    Code.RELAY_UNREACHABLE: (
        Text(
            title="{Server} cannot be reached",
            why="The network has no way there, or a firewall is in between.",
            fix=_OTHER_PORT,
            who=Who.ADMINISTRATOR,
            fields=("host", "port", "enableSSL"),
        ),
    ),
    Code.TIMED_OUT: (
        Text(
            title="{Server} did not answer in time",
            why="No connection came about: a firewall may be in between, or the server is down"
            " or too busy.",
            fix=_OTHER_PORT,
            who=Who.ADMINISTRATOR,
            fields=("host", "port", "enableSSL"),
            fits=at(Step.CONNECT),
        ),
        Text(
            title="{Server} did not greet in time and may be waiting for TLS",
            why="It took the connection and sent no whole greeting, as a port does where TLS comes"
            " first.",
            fix="Turn on TLS (enableSSL): port {port} speaks it from the first byte (port).",
            who=Who.ADMINISTRATOR,
            fields=("enableSSL", "port"),
            fits=_no_greeting_where_tls_comes_first,
        ),
        Text(
            title="{Server} did not greet in time",
            why="It took the connection and sent no whole greeting. It may be too busy, or wait"
            " for TLS from the first byte, which Smarthost begins with on the ports 465 and 2465"
            " only.",
            fix="Check the port (port), now {port}: 465 is usual for TLS from the first byte, 587"
            " for STARTTLS. If it is right, try again later.",
            who=Who.ADMINISTRATOR,
            fields=("port",),
            fits=_no_greeting_where_starttls_is_expected,
        ),
        Text(
            title="{Server} did not greet in time",
            why="It took the connection and sent no whole greeting. It may be too busy, or what"
            " listens on this port is no mail server.",
            fix="Check the port (port), now {port}. If it is right, try again later.",
            who=Who.ADMINISTRATOR,
            fields=("port",),
            fits=at(Step.GREETING),
        ),
        Text(
            title="{Server} took too long {during}",
            why="Its answer had not come to an end when the time was over.",
            fix=LATER,
            who=Who.PROVIDER,
            for_everybody=True,
        ),
    ),
    Code.CONNECTION_CLOSED: (
        Text(
            title="{Server} hung up at once",
            why="It may refuse this machine, or expect TLS from the first byte.",
            fix="Check the port (port), now {port}, and TLS (enableSSL): 465 goes with TLS on. If"
            " they are right, ask whoever runs the mail server whether it refuses this machine.",
            who=Who.ADMINISTRATOR,
            fields=("port", "enableSSL"),
            fits=at(Step.GREETING),
        ),
        Text(
            title="{Server} hung up {during}",
            why="It ended the connection in the middle of the session and gave no reason.",
            fix=LATER,
            who=Who.PROVIDER,
            for_everybody=True,
        ),
    ),
    Code.PROTOCOL_ERROR: (
        Text(
            title="{Server} does not speak SMTP on this port",
            why="What came back is not the greeting of a mail server.",
            fix="Check the port (port), now {port}: 587, 465 and 25 are usual. Check the host"
            " (host) too.",
            who=Who.ADMINISTRATOR,
            fields=("port", "host"),
            fits=at(Step.GREETING),
        ),
        Text(
            title="{Server} broke the rules of SMTP {during}",
            why="Smarthost stopped there, since such an answer can hide what has happened. A"
            " firewall or virus scanner in between can also be the cause.",
            fix="Ask whoever runs the mail server what it answers there.",
            who=Who.PROVIDER,
            for_everybody=True,
        ),
    ),
    Code.RELAY_UNAVAILABLE: (
        Text(
            title="{Server} gives no service at present",
            why="It is too busy, is being worked on, or refuses this machine.",
            fix=LATER,
            who=Who.PROVIDER,
            for_everybody=True,
        ),
    ),
    Code.HELO_REFUSED: (
        Text(
            title="{Server} does not accept the name that Smarthost gives itself",
            why="Some mail servers want the full name of the machine that calls, one that the"
            " domain name system knows.",
            fix="The operator of this installation sets such a name in SMARTHOST_HELO_NAME.",
            who=Who.OPERATOR,
            for_everybody=True,
        ),
    ),
}
