"""What a source has found for a domain, and what an administrator is shown of it.

A source knows the domain alone: nobody is told whose address it is. The user name is a template
until the end, so that what was found serves everybody of the domain.
"""

import re
from enum import StrEnum

import msgspec

ADDRESS = "%EMAILADDRESS%"
LOCAL_PART = "%EMAILLOCALPART%"
DOMAIN = "%EMAILDOMAIN%"
"""What stands for a part of the address, as in Mozilla's format."""

_MARKS = re.compile(f"({ADDRESS}|{LOCAL_PART}|{DOMAIN})")
LONGEST_TEXT = 255
"""Characters: the contract's limit for host and user name."""
NOBODY_KNOWS = ""
"""A user name that neither the address nor anything else tells."""


class Source(StrEnum):
    """Who says so; the more reliable first."""

    TABLE = "provider table"
    DNS_SRV = "dns srv"
    AUTOCONFIG = "autoconfig"
    MX = "mx"


class Confidence(StrEnum):
    """How far a suggestion can be relied on; the most first."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A relay that a source names."""

    host: str
    """A name in lower-case A-labels, or an IP literal without brackets."""
    port: int
    enable_ssl: bool
    """As in the settings: TLS from the first octet at 465 and 2465, STARTTLS at the others."""
    enable_auth: bool = True
    use_ntlm: bool = False
    user_name: str | None = None
    """A template; None: the source does not say, `NOBODY_KNOWS`: it says that it is another."""
    source: Source
    confidence: Confidence
    provider: str | None = None
    """The name of a provider that we know."""
    first: str | None = None
    """What an administrator must do before these settings work, in sentences."""
    oauth2: bool = False
    """The relay takes tokens of OAuth2."""

    @property
    def place(self) -> tuple[str, int, bool]:
        """What makes two of them one and the same."""
        return self.host, self.port, self.enable_ssl


class Suggestion(msgspec.Struct, frozen=True, kw_only=True):
    """Settings to try, for one address."""

    host: str
    port: int
    enable_ssl: bool
    enable_auth: bool
    use_ntlm: bool
    user_name: str | None
    """None: there is no login, or what to type is not known."""
    source: Source
    confidence: Confidence
    provider: str | None
    first: str | None
    oauth2: bool


def suggestion(found: Found, domain: str, local_part: str | None) -> Suggestion:
    """Return what was found, for an address; without a local part, for the domain alone."""
    return Suggestion(
        host=found.host,
        port=found.port,
        enable_ssl=found.enable_ssl,
        enable_auth=found.enable_auth,
        use_ntlm=found.use_ntlm,
        user_name=_user_name(found, domain, local_part),
        source=found.source,
        confidence=found.confidence,
        provider=found.provider,
        first=found.first,
        oauth2=found.oauth2,
    )


def _user_name(found: Found, domain: str, local_part: str | None) -> str | None:
    if not found.enable_auth:
        return None
    # A whole address is what most servers take (RFC 6186, section 4).
    template = ADDRESS if found.user_name is None else found.user_name
    if local_part is None and (ADDRESS in template or LOCAL_PART in template):
        return None
    # One after the other would find marks in what was filled in.
    values = {ADDRESS: f"{local_part}@{domain}", LOCAL_PART: local_part or "", DOMAIN: domain}
    name = "".join(values.get(piece, piece) for piece in _MARKS.split(template))
    return name if 0 < len(name) <= LONGEST_TEXT else None
