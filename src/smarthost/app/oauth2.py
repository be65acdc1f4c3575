"""What OAuth2 needs of other rooms: the end points that are known, and where news of tokens go."""

from smarthost.database.engine import StoreUnavailableError
from smarthost.delivery.bearer_token import NoToken, NoTokenError
from smarthost.delivery.relay import RelaySettings
from smarthost.delivery.tokens import Keep, TokenNews
from smarthost.providers import Provider, Providers
from smarthost.smtp_settings.binding.model import EndPoints
from smarthost.smtp_settings.binding.tokens.store import Fetched, TokenStore


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


def keeping(tokens: TokenStore) -> Keep:
    """Return what writes down, for `Tokens`, what came of its requests."""

    async def keep(settings: RelaySettings, news: TokenNews) -> None:
        fetched = Fetched(
            at=news.at,
            expires_at=news.expires_at,
            error=None if news.why is None else news.why.value,
            said=news.said,
            refresh=news.refresh,
        )
        try:
            await tokens.keep(settings.portal_id, settings.revision, fetched)
        except StoreUnavailableError as error:
            raise NoTokenError(
                NoToken.UNAVAILABLE, "The token could not be written down."
            ) from error

    return keep
