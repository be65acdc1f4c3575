"""The address of the page at which a sign-in link is used.

It is made where the link is: by commands and at the start of the service.
"""

from smarthost.portals.tokens import Token
from smarthost.secret import Secret

SIGN_IN_LINK_PATH = "/sign-in/link"


def sign_in_url(origin: str, token: Token) -> Secret:
    """Return what signs in whoever opens it; `origin` is as `https://mail.example.com`."""
    # A token has no character that means something in a query (RFC 3986, section 3.4).
    return Secret(f"{origin}{SIGN_IN_LINK_PATH}?token={token.text().reveal()}")
