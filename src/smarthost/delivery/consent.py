"""The two messages of somebody's consent (RFC 6749, section 4.1, with RFC 7636).

One is the URL of the provider's page, the other the form that exchanges the code for tokens. The
verifier is only shown to the token's end point, as is the application's secret.
"""

import base64
import hashlib
from urllib.parse import urlencode, urlsplit

from smarthost.secret import Secret
from smarthost.smtp_settings.binding.consent.model import CameBack, SetOut

# Without these Google gives no refresh token to who has consented before.
_AT_GOOGLE = {"access_type": "offline", "prompt": "consent"}
_GOOGLE = "accounts.google.com"


def page_url(out: SetOut) -> str:
    """Return where somebody is to be sent."""
    url = out.oauth2.authorization_url or ""
    digest = hashlib.sha256(out.verifier.reveal().encode("ascii")).digest()
    fields = {
        "response_type": "code",
        "client_id": out.oauth2.client_id,
        "redirect_uri": out.redirect_uri,
        "scope": out.oauth2.scope,
        "state": out.state.reveal(),
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii"),
        "code_challenge_method": "S256",
        "login_hint": out.user_name,
    }
    parts = urlsplit(url)
    if parts.hostname == _GOOGLE:
        fields |= _AT_GOOGLE
    between = "&" if parts.query else "" if url.endswith("?") else "?"
    return url + between + urlencode(fields)


def exchange_form(came: CameBack, code: Secret) -> bytes:
    """Return the form to POST to the token's end point."""
    secret = came.binding.secrets.client_secret
    fields = {
        "grant_type": "authorization_code",
        "client_id": came.binding.oauth2.client_id,
        "code": code.reveal(),
        "code_verifier": came.verifier.reveal(),
        "redirect_uri": came.redirect_uri,
    }
    if secret:
        fields["client_secret"] = secret.reveal()
    return urlencode(fields).encode("ascii")
