"""What is wrong with TLS or with a certificate."""

from collections.abc import Mapping

from smarthost.delivery.outcome import Code
from smarthost.delivery.relay import IMPLICIT_TLS_PORTS
from smarthost.explanations.failure import Facts, Who
from smarthost.explanations.text import Text


def _tls_came_first(facts: Facts) -> bool:
    return facts.relay is not None and facts.relay.port in IMPLICIT_TLS_PORTS


TEXTS: Mapping[Code, tuple[Text, ...]] = {
    Code.TLS_UNAVAILABLE: (
        Text(
            title="{Server} does not start TLS",
            why="TLS is required, and the server does not offer it here or would not begin."
            " Nothing was sent.",
            fix="Try port 587, or 465 (port), now {port}. Turn TLS off (enableSSL) only if the"
            " server is in a network that you trust.",
            who=Who.ADMINISTRATOR,
            fields=("port", "enableSSL"),
        ),
    ),
    Code.TLS_REQUIRED: (
        Text(
            title="{Server} wants TLS first",
            why="It takes no mail, or no login, over a connection that is not encrypted.",
            fix="Turn on TLS (enableSSL).",
            who=Who.ADMINISTRATOR,
            fields=("enableSSL",),
        ),
    ),
    Code.TLS_NOT_SPOKEN: (
        Text(
            title="{Server} does not speak TLS on this port",
            why="Smarthost began with TLS at once, and something else came back.",
            fix="Try port 587 (port), now {port}: TLS begins after the greeting there.",
            who=Who.ADMINISTRATOR,
            fields=("port",),
            fits=_tls_came_first,
        ),
        Text(
            title="{Server} does not speak TLS on this port",
            why="It agreed to begin with TLS, and something else came back.",
            fix="Try port 465 with TLS (port), now {port}, or ask whoever runs the mail server.",
            who=Who.PROVIDER,
            fields=("port",),
        ),
    ),
    Code.TLS_TOO_OLD: (
        Text(
            title="{Server} has only outdated TLS",
            why="Smarthost speaks TLS 1.2 and newer, since older versions can be broken.",
            fix="Ask whoever runs the mail server to turn on TLS 1.2 or 1.3.",
            who=Who.PROVIDER,
        ),
    ),
    Code.TLS_FAILED: (
        Text(
            title="No TLS connection could be made with {server}",
            why="The handshake broke off.",
            fix="Check the port (port), now {port}. If it is right, ask whoever runs the mail"
            " server.",
            who=Who.PROVIDER,
            fields=("port",),
        ),
    ),
    Code.STARTTLS_INJECTION: (
        Text(
            title="Somebody may be tampering with the connection to {server}",
            why="Text that is not encrypted followed the agreement to start TLS, as in a known"
            " attack. Nothing was sent.",
            fix="Use port 465 with TLS (port), if the server has it, and tell whoever runs the"
            " mail server and the network between.",
            who=Who.PROVIDER,
            fields=("port",),
        ),
    ),
    Code.CERTIFICATE_UNTRUSTED: (
        Text(
            title="The certificate of {server} is not trusted",
            why="No authority that this machine knows has signed it, so it could be anybody's."
            " No password was sent.",
            fix="Check the host (host). If it is right, whoever runs the mail server installs a"
            " certificate of a known authority, with all certificates in between.",
            who=Who.PROVIDER,
            fields=("host",),
        ),
    ),
    Code.CERTIFICATE_EXPIRED: (
        Text(
            title="The certificate of {server} is out of date",
            why="It has expired, or it is not valid yet. No password was sent.",
            fix="Whoever runs the mail server renews it.",
            who=Who.PROVIDER,
        ),
    ),
    Code.CERTIFICATE_WRONG_NAME: (
        Text(
            title="The certificate of {server} is for another name",
            why="The server that answered cannot prove that it is the right one. No password was"
            " sent.",
            fix="Enter the name that the certificate is made for (host), which is often the name"
            " that the provider gives in its instructions.",
            who=Who.ADMINISTRATOR,
            fields=("host",),
        ),
    ),
}
