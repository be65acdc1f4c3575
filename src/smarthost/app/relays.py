"""Finds the relay in force for a portal, ready to be used: its settings with the password opened.

It is read anew for every attempt, so that what was just saved is what is used, from whichever
process. A password that does not open stops the portal's mail; there is no way round the seal.
"""

import socket

import msgspec

from smarthost.config import Config
from smarthost.delivery.bearer_token import OAuth2Login
from smarthost.delivery.outcome import Code
from smarthost.delivery.relay import RelaySettings
from smarthost.mail_queue.model import BrokenOffError
from smarthost.secret import Secret
from smarthost.smtp_settings.binding.model import Binding
from smarthost.smtp_settings.binding.sealing import binding_in, opened
from smarthost.smtp_settings.binding.tokens.store import TokenStore
from smarthost.smtp_settings.model import Draft, Revision, SmtpSettings
from smarthost.smtp_settings.sealing import SealBrokenError, Sealer
from smarthost.smtp_settings.store import SettingsStore

# TEST-NET-1 (RFC 5737): never reached, but routed as anything outside is.
_OUTSIDE = ("192.0.2.1", 25)
_LOOPBACK = "127.0.0.1"


class Relays:
    """The relays of all portals."""

    def __init__(
        self, settings: SettingsStore, tokens: TokenStore, key_ring: Sealer, config: Config
    ) -> None:
        self._settings = settings
        self._tokens = tokens
        self._key_ring = key_ring
        self._default = config.default_relay
        self._ntlm_allowed = config.ntlm
        self._helo_name = helo_name(config)

    async def of(self, portal_id: str) -> RelaySettings:
        """Return the relay in force now.

        Raises `StoreUnavailableError`, and `BrokenOffError` with `NO_RELAY` or
        `PASSWORD_UNREADABLE`.
        """
        return await self.of_revision(await self._settings.current(portal_id))

    async def of_revision(self, revision: Revision) -> RelaySettings:
        """Return the relay that is in force with this revision; raises as `of` does."""
        settings = revision.settings
        if settings is None:
            return self._of_the_installation(revision)
        return await self._own(revision, settings, self._secret(revision, settings))

    async def of_draft(self, draft: Draft, in_force: Revision) -> RelaySettings:
        """Return the relay that would be in force if `draft` were saved.

        A password that it keeps is the stored one, opened for the draft's own destination: no
        other opens it. Raises `StoreUnavailableError`, and `BrokenOffError` with
        `PASSWORD_UNREADABLE`.
        """
        settings = draft.settings
        keeps = draft.keeps_password
        secret = self._secret(in_force, settings) if keeps else draft.password
        return await self._own(in_force, settings, secret)

    async def default_of(self, portal_id: str) -> RelaySettings:
        """Return the default relay, whatever the portal's settings are.

        Raises `StoreUnavailableError`, and `BrokenOffError` with `NO_RELAY`.
        """
        return self._of_the_installation(await self._settings.current(portal_id))

    async def _own(
        self, revision: Revision, settings: SmtpSettings, secret: Secret | None
    ) -> RelaySettings:
        oauth2 = None
        if secret is not None and settings.oauth2 is not None:
            oauth2 = await self._login(revision, binding_in(secret))
        return RelaySettings(
            portal_id=revision.portal_id,
            revision=revision.number,
            host=settings.host,
            port=settings.port,
            enable_ssl=settings.enable_ssl,
            enable_auth=settings.enable_auth,
            use_ntlm=settings.use_ntlm,
            ntlm_allowed=self._ntlm_allowed,
            user_name=settings.user_name or "",
            password=None if oauth2 else secret,
            oauth2=oauth2,
            helo_name=self._helo_name,
        )

    async def _login(self, revision: Revision, binding: Binding) -> OAuth2Login:
        """Return how a token is come by, with the refresh token that came last."""
        secrets = binding.secrets
        try:
            newest = await self._tokens.refresh_token(revision)
        except SealBrokenError as error:
            raise BrokenOffError(Code.PASSWORD_UNREADABLE, revision.number) from error
        if newest is not None:
            secrets = msgspec.structs.replace(secrets, refresh_token=newest)
        return OAuth2Login(oauth2=binding.oauth2, secrets=secrets)

    def _secret(self, revision: Revision, settings: SmtpSettings) -> Secret | None:
        if not settings.enable_auth:
            return None
        blob, portal_id = revision.sealed_password or b"", revision.portal_id
        try:
            return opened(self._key_ring, blob, settings, portal_id)
        except SealBrokenError as error:
            raise BrokenOffError(Code.PASSWORD_UNREADABLE, revision.number) from error

    def _of_the_installation(self, revision: Revision) -> RelaySettings:
        relay = self._default
        if relay is None:
            raise BrokenOffError(Code.NO_RELAY, revision.number)
        return RelaySettings(
            portal_id=revision.portal_id,
            revision=revision.number,
            host=relay.host,
            port=relay.port,
            enable_ssl=relay.enable_ssl,
            enable_auth=relay.enable_auth,
            user_name=relay.user_name,
            password=relay.password,
            ca_file=relay.ca_file,
            policy_exempt=True,
            helo_name=self._helo_name,
        )


def default_settings(config: Config) -> SmtpSettings | None:
    """Return the installation's own relay as settings, None where it has none."""
    relay = config.default_relay
    if relay is None:
        return None
    return SmtpSettings(
        host=relay.host,
        port=relay.port,
        sender_address=relay.sender_address,
        sender_display_name=relay.sender_display_name or None,
        user_name=relay.user_name or None,
        enable_ssl=relay.enable_ssl,
        enable_auth=relay.enable_auth,
        use_ntlm=False,
    )


def shown_default_relay(config: Config) -> SmtpSettings | None:
    """Return what a portal may see of the installation's relay, None for nothing.

    With several portals its details are the operator's own.
    """
    return default_settings(config) if config.base_domain is None else None


def helo_name(config: Config) -> str:
    """Return what this machine calls itself to relays: a name, or an address literal."""
    return config.helo_name or own_address_literal()


def own_address_literal() -> str:
    """Return the address that this machine sends from, as EHLO takes it in place of a name.

    RFC 5321, section 4.1.3. Nothing is sent to find out: a datagram's socket is only connected.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_OUTSIDE)
            address = str(probe.getsockname()[0])
        except OSError:  # no route outside
            address = _LOOPBACK
    return f"[{address}]"
