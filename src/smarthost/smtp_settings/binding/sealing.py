"""How a binding is sealed, and a refresh token that came later.

The secrets go to the token's end point, not to the relay, so that has to be under the seal too: it
is the binding as a whole that is sealed, and a column that says something else stops the mail.
"""

import msgspec

from smarthost.secret import Secret
from smarthost.smtp_settings.binding.model import Binding
from smarthost.smtp_settings.model import Destination, Revision, SmtpSettings
from smarthost.smtp_settings.oauth2 import OAuth2, OAuth2Secrets
from smarthost.smtp_settings.sealing import SealBrokenError, Sealer


class _Sealed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The text under the seal."""

    oauth2: OAuth2
    client_secret: str | None = None
    refresh_token: str | None = None
    private_key: str | None = None


class RefreshPlace(msgspec.Struct, frozen=True, kw_only=True):
    """Where a refresh token may be shown: one application's, for one relay and user."""

    destination: Destination
    oauth2_revision: int
    """Of one set-up: another's token may be somebody else's consent."""
    token_url: str
    client_id: str

    def parts(self) -> tuple[bytes, ...]:
        """Return all that the token is bound to, its purpose first."""
        _, *destination = self.destination.parts()
        return (
            b"smarthost oauth2 refresh token",
            *destination,
            str(self.oauth2_revision).encode(),
            self.token_url.encode(),
            self.client_id.encode(),
        )


class VerifierPlace(msgspec.Struct, frozen=True, kw_only=True):
    """Where a code verifier (RFC 7636) belongs: to one journey to a provider's page."""

    portal_id: str
    state_hash: bytes

    def parts(self) -> tuple[bytes, ...]:
        """Return all that the verifier is bound to, its purpose first."""
        return b"smarthost oauth2 verifier", self.portal_id.encode(), self.state_hash


def refresh_place(revision: Revision) -> RefreshPlace:
    """Return where the refresh tokens of a revision with OAuth2 belong."""
    settings = revision.settings
    assert settings is not None  # noqa: S101 - only asked for with OAuth2
    assert settings.oauth2 is not None  # noqa: S101
    return RefreshPlace(
        destination=settings.destination(revision.portal_id),
        oauth2_revision=revision.oauth2_revision or 0,
        token_url=settings.oauth2.token_url,
        client_id=settings.oauth2.client_id,
    )


def to_be_sealed(binding: Binding) -> Secret:
    """Return the binding as one text; equal ones have equal texts."""
    secrets = binding.secrets
    return Secret(
        msgspec.json.encode(
            _Sealed(
                oauth2=binding.oauth2,
                client_secret=_revealed(secrets.client_secret),
                refresh_token=_revealed(secrets.refresh_token),
                private_key=_revealed(secrets.private_key),
            )
        ).decode()
    )


def opened(ring: Sealer, blob: bytes, settings: SmtpSettings, portal_id: str) -> Secret:
    """Return what is sealed for these settings: the password, or the text of a binding.

    Raises `SealBrokenError`, also where `oauth2` of the settings is not what was sealed.
    """
    text = ring.open(blob, settings.destination(portal_id))
    if settings.oauth2 is not None and binding_in(text).oauth2 != settings.oauth2:
        raise SealBrokenError("The stored OAuth2 was altered. Set it up again.")
    return text


def binding_in(text: Secret) -> Binding:
    """Return the binding in an opened text. Raises `SealBrokenError` where there is none."""
    try:
        sealed = msgspec.json.decode(text.reveal(), type=_Sealed)
    except msgspec.MsgspecError:
        # Without its cause, which quotes the text.
        raise SealBrokenError("The stored OAuth2 is damaged. Set it up again.") from None
    return Binding(
        oauth2=sealed.oauth2,
        secrets=OAuth2Secrets(
            client_secret=_secret(sealed.client_secret),
            refresh_token=_secret(sealed.refresh_token),
            private_key=_secret(sealed.private_key),
        ),
    )


def _revealed(secret: Secret | None) -> str | None:
    return secret.reveal() if secret else None


def _secret(text: str | None) -> Secret | None:
    return Secret(text) if text else None
