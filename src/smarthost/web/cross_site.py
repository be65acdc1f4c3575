"""Keeps another site's pages from using a visitor's cookie.

A browser adds the cookie by itself to whatever a page asks for, and `GET …/smtp/test` sends
mail by the contract. So a request that has the cookie and nothing else must come from here.
"""

from http import HTTPStatus

from smarthost.web.errors import RequestError
from smarthost.web.proxies import Client

_FOREIGN = (
    "The cookie alone is not enough for a request from another site. Send the key in the header "
    "Authorization."
)
_BY_A_PROXY = (
    "This came through a proxy that is not named in SMARTHOST_TRUSTED_NETWORKS, so the address "
    "that a browser shows is not known here."
)

_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def check_same_origin(
    *, fetch_site: str | None, origin: str | None, referer: str | None, client: Client
) -> None:
    """Return if a request with the cookie alone may be served; else raise `RequestError` (403).

    The arguments are the headers `Sec-Fetch-Site`, `Origin` and `Referer`. A program that is no
    browser sends none of them and passes.
    """
    foreign = says_foreign(fetch_site)
    by_a_proxy = client.disbelieved and not foreign
    if foreign or any(url and _origin(url) != _own(client) for url in (origin, referer)):
        raise RequestError(
            HTTPStatus.FORBIDDEN, f"{_FOREIGN} {_BY_A_PROXY}" if by_a_proxy else _FOREIGN
        )


def says_foreign(fetch_site: str | None) -> bool:
    """Return whether the browser itself says, in `Sec-Fetch-Site`, that it asks for another site.

    No proxy is to blame then: the browser compares the addresses that it shows.
    """
    return (fetch_site or "").strip().lower() in ("cross-site", "same-site")


def _own(client: Client) -> str:
    return _without_default_port(client.scheme, client.host.lower())


def _origin(url: str) -> str:
    """Return scheme, host and port of a URL; `null` and other odd ones equal no origin."""
    scheme, _, rest = url.strip().lower().partition("://")
    return _without_default_port(scheme, rest.partition("/")[0].partition("?")[0])


def _without_default_port(scheme: str, host: str) -> str:
    return f"{scheme}://{host.removesuffix(_DEFAULT_PORTS.get(scheme, ' '))}"
