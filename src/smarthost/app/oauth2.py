"""What OAuth2 needs of other rooms: end points that are known, and where tokens are kept."""

from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import replace

from smarthost.app.telling import webhook_policy
from smarthost.app.token_turns import TokenTurns, Turns
from smarthost.clock import Clock
from smarthost.config import Config
from smarthost.database.engine import Database, StoreUnavailableError
from smarthost.delivery.bearer_token import NoToken, NoTokenError
from smarthost.delivery.relay import RelaySettings
from smarthost.delivery.tokens import DEADLINE_SECONDS, LARGEST_ANSWER, TokenNews, Tokens
from smarthost.http_client.client import HttpClient
from smarthost.providers import Provider, Providers
from smarthost.secret import Secret
from smarthost.smtp import tls
from smarthost.smtp.egress import Resolver
from smarthost.smtp_settings.binding.model import EndPoints
from smarthost.smtp_settings.binding.tokens.store import Fetched, TokenStore
from smarthost.smtp_settings.oauth2 import Grant
from smarthost.smtp_settings.sealing import SealBrokenError

_HTTPS = frozenset({443})
_ALL_PORTS = range(1, 2**16)
_SHOWN_A_REFRESH_TOKEN = frozenset({Grant.AUTHORIZATION_CODE, Grant.REFRESH_TOKEN})
_TURNS_FILE = "oauth2.lock"


class ProvidersEndPoints:
    """The end points in the table of providers."""

    def of_provider(self, provider_id: str) -> EndPoints | None:
        """Find a provider by its id; None: it is unknown, or has no OAuth2."""
        found = (one for one in Providers.load().all if one.id == provider_id)
        return _end_points(next(found, None))

    def of_host(self, host: str) -> EndPoints | None:
        """Find the provider whose relay has this name."""
        return _end_points(Providers.load().of_host(host))


def _end_points(provider: Provider | None) -> EndPoints | None:
    if provider is None or provider.oauth2 is None:
        return None
    return EndPoints(
        provider=provider.id,
        authorization_url=provider.oauth2.authorization_url,
        token_url=provider.oauth2.token_url,
        scope=provider.oauth2.scope,
        client_credentials_scope=provider.oauth2.client_credentials_scope,
    )


def access_tokens(
    config: Config, database: Database, store: TokenStore, clock: Clock, resolver: Resolver
) -> Tokens:
    """Return what gives access tokens to all attempts of this process.

    End points may be where receivers of webhooks may be: outside alone with several portals, and
    at the port of HTTPS.
    """
    own = config.base_domain is None
    http = HttpClient(
        replace(webhook_policy(config), public_ports=_HTTPS),
        resolver,
        tls.verified,
        deadline_seconds=DEADLINE_SECONDS,
        largest_body=LARGEST_ANSWER,
        ports=_ALL_PORTS if own else _HTTPS,
    )
    return Tokens(http, clock, TokenBook(store, _turns(config, database, clock)))


def _turns(config: Config, database: Database, clock: Clock) -> Turns:
    if config.database_url is None:
        return TokenTurns(config.data_dir / _TURNS_FILE, clock)
    from smarthost.app.server_token_turns import ServerTokenTurns  # noqa: PLC0415 - see opening.py

    return ServerTokenTurns(database, clock)


class TokenBook:
    """Keeps what `Tokens` fetches in the store."""

    def __init__(self, store: TokenStore, turns: Turns) -> None:
        self._store = store
        self._turns = turns

    def turn(self, settings: RelaySettings) -> AbstractAsyncContextManager[None]:
        """Keep other processes of this installation out, where a refresh token is shown."""
        login = settings.oauth2
        if login is None or login.oauth2.grant not in _SHOWN_A_REFRESH_TOKEN:
            return nullcontext()
        return self._turns.turn(settings.portal_id)

    async def moment(self, settings: RelaySettings) -> int:
        """Return when a request that begins now is made. Raises `NoTokenError`."""
        try:
            return await self._store.moment(settings.portal_id, settings.revision)
        except StoreUnavailableError as error:
            raise NoTokenError(NoToken.UNAVAILABLE, "The store cannot be read.") from error

    async def newest(self, settings: RelaySettings) -> Secret | None:
        """Return the refresh token that came last. Raises `NoTokenError`."""
        try:
            return await self._store.newest(settings.portal_id, settings.revision)
        except SealBrokenError as error:
            raise NoTokenError(
                NoToken.CONSENT_NEEDED, "The stored refresh token does not open."
            ) from error
        except StoreUnavailableError as error:
            raise NoTokenError(NoToken.UNAVAILABLE, "The store cannot be read.") from error

    async def keep(self, settings: RelaySettings, news: TokenNews) -> None:
        """Write it down durably. Raises `NoTokenError`."""
        fetched = Fetched(
            at=news.at,
            expires_at=news.expires_at,
            error=None if news.why is None else news.why.value,
            said=news.said,
            refresh=news.refresh,
        )
        try:
            await self._store.keep(settings.portal_id, settings.revision, fetched)
        except StoreUnavailableError as error:
            raise NoTokenError(
                NoToken.UNAVAILABLE, "The token could not be written down."
            ) from error
