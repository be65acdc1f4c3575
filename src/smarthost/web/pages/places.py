"""Where a browser may be sent to: pages of ours, and nothing that it could take for another site.

What says where is written by others: an address that somebody was lured to, a form, a `Referer`.
"""

import re
from urllib.parse import urlencode, urlsplit

from smarthost.web.pages.paths import HOME, PLACES, SIGN_IN

_LONGEST = 1000
"""Characters; a longer address is not worth coming back to."""

# A browser drops tabs and line ends, and reads a backslash as a slash (WHATWG URL, section 4.4).
_PLACE = re.compile(rf"(?:{'|'.join(PLACES)})(?:[/?][!-\[\]-~]*)?")


def place(path: str) -> str:
    """Return `path`, with its query, if it is a page of ours, else the home page."""
    ours = len(path) <= _LONGEST and _PLACE.fullmatch(path) is not None
    return path if ours else HOME


def place_of(url: str) -> str:
    """Return the page that a URL of ours is at, such as a form's, which a `Referer` names."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return HOME
    return place(f"{parts.path}?{parts.query}" if parts.query else parts.path)


def sign_in_first(then: str, *, done: str | None = None) -> str:
    """Return the sign-in page that goes on to the place `then`, and tells what is `done`."""
    query = {"done": done or "", "next": "" if then == HOME else then}
    told = urlencode({name: value for name, value in query.items() if value}, safe="/")
    return f"{SIGN_IN}?{told}" if told else SIGN_IN
