"""What works, but not as it should."""

from collections.abc import Mapping

from smarthost.delivery.outcome import Code
from smarthost.explanations.failure import Facts, Who
from smarthost.explanations.text import Text

_BY_CHANCE = "What works today by chance may stop working, or is less safe."


def _says_which(facts: Facts) -> bool:
    return facts.recommended is not None


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
    Code.CERTIFICATE_ENDS_SOON: (
        Text(
            title="The certificate of {server} ends soon",
            why="It is good for less than three weeks. After its last day no mail goes out.",
            fix="Ask whoever runs the mail server to renew it in time.",
            who=Who.PROVIDER,
        ),
    ),
    Code.SENDER_OUTSIDE_LOGIN: (
        Text(
            title="The sender is of another domain than the login",
            why="Many mail servers let an account send only from its own address or domain, and"
            " recipients may take the mail for forged.",
            fix="Use a sender address (senderAddress) of the domain that logs in"
            " (credentialsUserName), unless {server} is known to allow others.",
            who=Who.ADMINISTRATOR,
            fields=("senderAddress", "credentialsUserName"),
        ),
    ),
    Code.PROVIDER_RECOMMENDS_OTHER: (
        Text(
            title="{provider} recommends other settings for {server}",
            why=_BY_CHANCE,
            fix="Enter port {recommended} (port) with TLS (enableSSL), and log in (enableAuth) if"
            " the provider asks for it.",
            who=Who.ADMINISTRATOR,
            fields=("port", "enableSSL", "enableAuth"),
            fits=_says_which,
        ),
        Text(
            title="The provider recommends other settings for {server}",
            why=_BY_CHANCE,
            fix="Compare port (port), TLS (enableSSL) and login (enableAuth) with what the"
            " provider writes.",
            who=Who.ADMINISTRATOR,
            fields=("port", "enableSSL", "enableAuth"),
        ),
    ),
}
