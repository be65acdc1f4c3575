"""The way to a provider's page, on which somebody consents, and back (RFC 6749, section 4.1).

Whoever comes back shows the state, which nobody else knows, and the code, which is of no use
without the verifier (RFC 7636): that never leaves this installation but for the token's end point.
"""

import msgspec

from smarthost.secret import Secret
from smarthost.smtp_settings.binding.model import Binding
from smarthost.smtp_settings.model import Revision, SmtpSettingsError
from smarthost.smtp_settings.oauth2 import OAuth2

OPEN_SECONDS = 600
"""How long somebody has for the provider's page."""
STATE_OCTETS = VERIFIER_OCTETS = 32


class NothingToConsentError(SmtpSettingsError):
    """No settings are in force that somebody could consent to."""

    def __init__(self) -> None:
        super().__init__(
            "Nobody has to consent: the portal's settings have no OAuth2 with the grant "
            "authorization_code. Set it up first."
        )


class SetOut(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who is to be sent to the provider's page."""

    oauth2: OAuth2
    user_name: str
    redirect_uri: str
    state: Secret
    verifier: Secret


class CameBack(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who has shown a state that was good; it is used up."""

    revision: Revision
    """The settings in force."""
    binding: Binding
    redirect_uri: str
    verifier: Secret
    set_out_by: str
    """The audit's name of who was sent to the page."""
