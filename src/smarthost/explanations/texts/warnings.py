"""What works, but not as it should."""

from collections.abc import Mapping

from smarthost.delivery.outcome import Code
from smarthost.explanations.failure import Who
from smarthost.explanations.text import Text

TEXTS: Mapping[Code, tuple[Text, ...]] = {
    Code.NOT_ENCRYPTED: (
        Text(
            title="The connection to {server} is not encrypted",
            why="Whoever is in between can read the mail and change it.",
            fix="Turn on TLS (enableSSL) if the server can do it.",
            who=Who.ADMINISTRATOR,
            fields=("enableSSL",),
        ),
    ),
    Code.PASSWORD_IN_CLEAR: (
        Text(
            title="The password goes to {server} in clear",
            why="Whoever is in between can read it.",
            fix="Turn on TLS (enableSSL).",
            who=Who.ADMINISTRATOR,
            fields=("enableSSL",),
        ),
    ),
    Code.CERTIFICATE_NOT_VERIFIED: (
        Text(
            title="The certificate of {server} was not verified",
            why="TLS is used but not required: another server could pose as this one and learn"
            " the password.",
            fix="Turn on TLS (enableSSL).",
            who=Who.ADMINISTRATOR,
            fields=("enableSSL",),
        ),
    ),
}
