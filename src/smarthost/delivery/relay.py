"""The relay that an attempt goes to, as a value of its own.

`delivery` reads no store: whoever asks for an attempt hands in the settings in force with the
password opened, and one attempt uses them from its first step to its last.
"""

from pathlib import Path

import msgspec

from smarthost.delivery.bearer_token import OAuth2Login
from smarthost.secret import Secret

# RFC 8314, section 7.3, and the alternative that many hosts open beside it.
IMPLICIT_TLS_PORTS = frozenset({465, 2465})


class RelaySettings(msgspec.Struct, frozen=True, kw_only=True):
    """One revision of one portal's settings, ready to be used."""

    portal_id: str
    revision: int
    host: str
    """A name in lower-case A-labels, or an IP literal without brackets."""
    port: int
    enable_ssl: bool
    enable_auth: bool = False
    use_ntlm: bool = False
    ntlm_allowed: bool = True
    """False where the operator has switched NTLM off."""
    user_name: str = ""
    password: Secret | None = None
    """There when `enable_auth` is true, unless `oauth2` is; and so is `user_name`."""
    oauth2: OAuth2Login | None = None
    """How a token is come by that is shown in place of a password; only with `enable_ssl`."""
    ca_file: Path | None = None
    """The authority that signs the relay's certificate; None: those of the system."""
    policy_exempt: bool = False
    """True for the operator's own relay, which the policy of destinations does not bind."""
    helo_name: str
    """What Smarthost calls itself: its full name, or an address literal in brackets."""

    def __post_init__(self) -> None:
        """Refuse a login without its password: that is a fault of the caller."""
        if self.enable_auth and not (self.user_name and (self.password or self.oauth2)):
            raise ValueError("A login needs a user name and a password.")
        if self.oauth2 and not self.enable_ssl:
            raise ValueError("A token is shown over verified TLS alone.")

    @property
    def tls_from_the_first_byte(self) -> bool:
        """Whether TLS starts at once rather than by STARTTLS."""
        return self.enable_ssl and self.port in IMPLICIT_TLS_PORTS
