"""What keeps Smarthost from logging in to a relay."""

from collections.abc import Mapping

from smarthost.delivery.outcome import Code
from smarthost.explanations.failure import Facts, Who
from smarthost.explanations.text import Text


def _login_is_on(facts: Facts) -> bool:
    return facts.relay is not None and facts.relay.enable_auth


def _ntlm_is_asked_for(facts: Facts) -> bool:
    return facts.relay is not None and facts.relay.use_ntlm


def _clear_connection(facts: Facts) -> bool:
    return facts.relay is not None and not facts.relay.enable_ssl and facts.tls is None


TEXTS: Mapping[Code, tuple[Text, ...]] = {
    Code.LOGIN_NOT_OFFERED: (
        Text(
            title="{Server} offers no login with NTLM",
            why="NTLM is asked for, and then no other login is tried.",
            fix="Turn off NTLM (useNtlm), unless the provider asks for it.",
            who=Who.ADMINISTRATOR,
            fields=("useNtlm",),
            fits=_ntlm_is_asked_for,
        ),
        Text(
            title="{Server} offers no login here",
            why="Many mail servers offer it only after TLS, so that no password can be read on"
            " the way.",
            fix="Turn on TLS (enableSSL). If the server wants no login, turn it off (enableAuth).",
            who=Who.ADMINISTRATOR,
            fields=("enableSSL", "enableAuth"),
            fits=_clear_connection,
        ),
        Text(
            title="{Server} offers no login that Smarthost can use",
            why="It offers none on this port, or only kinds that Smarthost does not know.",
            fix="Try port 587 or 465 (port), now {port}. If the server wants no login, turn it"
            " off (enableAuth).",
            who=Who.ADMINISTRATOR,
            fields=("port", "enableAuth"),
        ),
    ),
    Code.LOGIN_REFUSED: (
        Text(
            title="{Server} refused the login",
            why="It does not know this user name with this password, or does not let this account"
            " log in so.",
            fix="Type the password again (credentialsUserPassword) and check the user name"
            " (credentialsUserName), which is often the whole e-mail address. Where the account"
            " has two-step sign-in, the provider gives out an app password for this.",
            who=Who.ADMINISTRATOR,
            fields=("credentialsUserPassword", "credentialsUserName"),
        ),
    ),
    Code.LOGIN_REQUIRED: (
        Text(
            title="{Server} asks for a login although there was one",
            why="It accepted the login, and then took no mail.",
            fix="Ask whoever runs the mail server whether this account (credentialsUserName) may"
            " send.",
            who=Who.PROVIDER,
            fields=("credentialsUserName",),
            fits=_login_is_on,
        ),
        Text(
            title="{Server} asks for a login",
            why="It takes mail only from those who log in.",
            fix="Turn on the login (enableAuth) and enter user name (credentialsUserName) and"
            " password (credentialsUserPassword).",
            who=Who.ADMINISTRATOR,
            fields=("enableAuth", "credentialsUserName", "credentialsUserPassword"),
        ),
    ),
    Code.NTLM_SWITCHED_OFF: (
        Text(
            title="A login with NTLM is not allowed here",
            why="The operator of this installation has switched it off.",
            fix="Turn off NTLM (useNtlm) to log in another way, or ask the operator to allow it"
            " (SMARTHOST_NTLM).",
            who=Who.ADMINISTRATOR,
            fields=("useNtlm",),
        ),
    ),
    Code.PASSWORD_UNREADABLE: (
        Text(
            title="The stored password cannot be read",
            why="Its seal does not open here: it was stored for another server, or a key of this"
            " installation is missing. Nothing was sent.",
            fix="Type the password again (credentialsUserPassword) and save. If that does not"
            " help, the operator of this installation looks for the missing key.",
            who=Who.ADMINISTRATOR,
            fields=("credentialsUserPassword",),
        ),
    ),
}
