"""What the operator may make: which names a portal can have, and how many portals there are.

A portal's name is the first label of its host name (RFC 1035, section 2.3.1, as loosened by RFC
1123, section 2.1), so what is not a label could never be reached.
"""

import re

from smarthost.portals.model import ConflictError, PortalsError

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class PortalNameError(PortalsError):
    """The text cannot be a portal's name."""


def parse_portal_name(text: str) -> str:
    """Return `text` if it is one DNS label in lower case. Raises `PortalNameError`."""
    if not _LABEL.fullmatch(text):
        raise PortalNameError(
            "A portal's name is 1 to 63 letters a-z, digits and hyphens, with no hyphen at "
            "either end, such as acme."
        )
    return text


def refuse_second_portal(base_domain: str | None, has_any: bool) -> None:
    """Raise `ConflictError` if there is a portal, and can be none beside it.

    Without a base domain no host name could tell them apart.
    """
    if has_any and base_domain is None:
        raise ConflictError(
            "This is a standalone installation, which has one portal. To have more, set "
            "SMARTHOST_BASE_DOMAIN to the domain that their host names are under."
        )
