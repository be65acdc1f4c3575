"""How the settings of OpenID Connect become values.

An issuer is a name before it is an address: OpenID Connect Core 1.0, section 2, compares it
character by character with what tokens say, so it stays exactly as it was written.
"""

from urllib.parse import urlsplit

from smarthost.config.faults import InvalidValueError
from smarthost.mail.host import HostError, parse_host

_LONGEST = 255  # characters


def parse_issuer(text: str) -> str:
    """Give an https URL without login, query and fragment, as it was written."""
    try:
        parts = urlsplit(text)
        parse_host(parts.hostname or "")
        port = parts.port
    except (HostError, ValueError):
        port = 0
    # Characters of RFC 3986 alone; what follows a ? or # could not be part of the address.
    good = text.startswith("https://") and text.isascii() and not set('@?#\\"<>^`{|} ') & set(text)
    if not good or port == 0 or len(text) > _LONGEST:
        raise InvalidValueError(
            "this is not the URL of an issuer. Write the one that its tokens name, as"
            " https://login.example.com/realms/main: https, without user name, ? and #."
        )
    return text


def parse_audience(text: str) -> str:
    """Give a name that tokens are issued for: an application's id, or a URL."""
    return _bounded(text, "an audience")


def parse_claim(text: str) -> str:
    """Give the name of a claim, as `mail_of.work` where it is inside of another one."""
    return _bounded(text, "the name of a claim")


def parse_claim_and_value(text: str) -> tuple[str, str]:
    """Give the claim and the value of `claim=value`."""
    claim, mark, value = (part.strip() for part in text.partition("="))
    if not claim or not mark or not value:
        raise InvalidValueError("write a claim and its value, as groups=mail-administrators.")
    return parse_claim(claim), _bounded(value, "the value of a claim")


def _bounded(text: str, what: str) -> str:
    if len(text) > _LONGEST:
        raise InvalidValueError(f"{what} has at most {_LONGEST} characters.")
    return text
