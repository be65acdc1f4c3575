"""The URLs that a provider of OAuth2 has: https alone, and nothing in them that would be a secret.

What addresses their hosts have is asked at each request, since that is when it counts.
"""

import re
from urllib.parse import urlsplit

from smarthost.mail.host import HostError, parse_host

LONGEST_URL = 2048
"""Characters."""
TENANT = "<tenant>"
"""Stands in a known URL for the directory that somebody fills in."""

_BEGINNING = "https://"
# RFC 3986, section 2; a fragment has no place here (RFC 6749, sections 3.1 and 3.2).
_CHARACTERS = re.compile(r"[A-Za-z0-9\-._~:/?@!$&'()*+,;=%\[\]]*\Z")


def https_url(text: str) -> str:
    """Return the URL as it is used. Raises `ValueError` with what is wrong."""
    if text[: len(_BEGINNING)].lower() != _BEGINNING:
        raise ValueError("The URL has to begin with https://.")
    if "#" in text:
        raise ValueError("Leave the part from # on out of the URL.")
    if _CHARACTERS.match(text) is None:
        raise ValueError("Percent-encode all but ASCII letters, digits and signs in the URL.")
    try:
        parts = urlsplit(text)
        right = parts.port != 0
    except ValueError:  # a bracket without its other one, or a port that is none
        right = False
    if not right:
        raise ValueError("This is no valid URL.")
    if "@" in parts.netloc:
        raise ValueError("Leave user name and password out of the URL.")
    try:
        parse_host(parts.hostname or "")
    except HostError as error:
        raise ValueError(f"The host name in the URL cannot be used. {error}") from None
    return text
