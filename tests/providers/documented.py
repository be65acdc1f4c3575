"""The tables of `docs/providers.md`, as the data have them."""

from collections.abc import Iterable

from smarthost.providers import Kind, Login, Provider

HEADINGS = {
    Kind.MAILBOX: "Mailboxes",
    Kind.SENDING: "Sending services",
    Kind.RELAY: "Relays of an organisation",
    Kind.TESTING: "Test services",
}
_LOGINS = {
    Login.PASSWORD: "password",
    Login.APP_PASSWORD: "app password",
    Login.API_KEY: "API key",
    Login.OAUTH2: "OAuth2 only",
    Login.NONE: "none",
}
_HEAD = ["| provider | host | port | login | first |", "|---|---|---|---|---|"]


def tables(providers: Iterable[Provider]) -> dict[str, list[str]]:
    """Give the lines of each table, by its heading."""
    known = sorted(providers, key=lambda one: one.name.casefold())
    return {
        heading: [*_HEAD, *(_row(one) for one in known if one.kind is kind)]
        for kind, heading in HEADINGS.items()
    }


def _row(one: Provider) -> str:
    login = _LOGINS[one.login]
    if one.oauth2 and one.login is not Login.OAUTH2:
        login += " or OAuth2"
    return f"| {one.name} | `{one.hosts[0]}` | {one.ports[0]} | {login} | {one.first or ''} |"
