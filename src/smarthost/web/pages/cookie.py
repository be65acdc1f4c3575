"""The session's cookie: who set it, who gets it, and for how long (RFC 6265, and its SameSite)."""

from smarthost.clock import MICROSECONDS
from smarthost.portals.sign_in.store import SESSION_LIFE
from smarthost.secret import Secret
from smarthost.web.auth import COOKIE
from smarthost.web.proxies import Client


def session_cookie(token: Secret, client: Client) -> str:
    """Return the `Set-Cookie` that signs a browser in until its session ends.

    It has no Domain, so that another portal's host never gets it; `Strict` keeps it out of what
    other sites' pages ask for; over TLS it never leaves without.
    """
    return _cookie(token.reveal(), SESSION_LIFE // MICROSECONDS, client)


def no_cookie(client: Client) -> str:
    """Return the `Set-Cookie` that takes it away."""
    return _cookie("", 0, client)


def _cookie(value: str, seconds: int, client: Client) -> str:
    secure = "; Secure" if client.scheme == "https" else ""
    return f"{COOKIE}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"
