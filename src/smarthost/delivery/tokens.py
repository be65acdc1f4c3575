"""Access tokens for relays: fetched when one is needed, kept in memory, renewed before they end.

A token lives here alone and is given out for the very settings it was fetched for. A new refresh
token is written down before the access token that came with it is used: the old one may be void.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import msgspec

from smarthost.clock import MICROSECONDS, Clock
from smarthost.delivery.bearer_token import (
    NoToken,
    NoTokenError,
    OAuth2Login,
    Token,
    asked,
    read,
)
from smarthost.delivery.relay import RelaySettings
from smarthost.http_client.client import HttpClient
from smarthost.http_client.model import Failure, NoAnswerError
from smarthost.secret import Secret

LARGEST_ANSWER = 64 * 1024
"""Octets of an end point's answer."""
DEADLINE_SECONDS = 10.0
"""For a request, from the look-up of the name on."""
RENEWED_BEFORE_SECONDS = 300.0
"""How long before its end a token is renewed, unless it lives less than twice as long."""

_MOST_TOKENS = 10_000
_HEADERS = (
    (b"Content-Type", b"application/x-www-form-urlencoded"),
    (b"Accept", b"application/json"),
)


class TokenNews(msgspec.Struct, frozen=True, kw_only=True):
    """What a request for a token came to, for whoever keeps that."""

    at: int
    """Microseconds since 1970, UTC, as is `expires_at`."""
    expires_at: int | None = None
    """When the access token ends; None: there is none."""
    refresh: Secret | None = None
    """The refresh token to use from now on; None: the one before stays."""
    why: NoToken | None = None
    said: str | None = None


Keep = Callable[[RelaySettings, TokenNews], Awaitable[None]]
"""Writes down what came of a request for the token of these settings.

Raises `NoTokenError` where that cannot be done now.
"""


class _Held(msgspec.Struct, frozen=True, kw_only=True):
    access: Secret
    renew_at: float
    """By the clock's `monotonic()`."""


class Tokens:
    """Gives access tokens; it belongs to one event loop."""

    def __init__(self, http: HttpClient, clock: Clock, keep: Keep) -> None:
        self._http = http
        self._clock = clock
        self._keep = keep
        self._held: dict[tuple[str, int], _Held] = {}
        self._asked: dict[tuple[str, int], asyncio.Task[Secret]] = {}

    async def token(self, settings: RelaySettings) -> Secret:
        """Return a token that is good for a while. Raises `NoTokenError`.

        Whoever asks while one is being fetched for the same settings gets that one.
        """
        key = _key(settings)
        held = self._held.get(key)
        if held and self._clock.monotonic() < held.renew_at:
            return held.access
        fetching = self._asked.get(key)
        if fetching is None:
            fetching = self._asked[key] = asyncio.create_task(self._fetched(settings))
            fetching.add_done_callback(partial(self._done, key))
        return await asyncio.shield(fetching)

    def forget(self, settings: RelaySettings, token: Secret) -> None:
        """Drop a token that the relay has refused, unless there is another one by now."""
        held = self._held.get(_key(settings))
        if held is not None and held.access == token:
            del self._held[_key(settings)]

    async def close(self) -> None:
        """End what is being asked."""
        for fetching in self._asked.values():
            fetching.cancel()
        await asyncio.gather(*self._asked.values(), return_exceptions=True)

    def _done(self, key: tuple[str, int], task: asyncio.Task[Secret]) -> None:
        del self._asked[key]
        if not task.cancelled():
            task.exception()  # whoever waited has got it; nobody has to

    async def _fetched(self, settings: RelaySettings) -> Secret:
        now, began = self._clock.now(), self._clock.monotonic()
        try:
            token = await self._ask(settings, now)
        except NoTokenError as error:
            await self._keep(settings, TokenNews(at=now, why=error.why, said=error.said))
            raise
        ends = now + round(token.seconds * MICROSECONDS)
        await self._keep(settings, TokenNews(at=now, expires_at=ends, refresh=token.refresh))
        while len(self._held) >= _MOST_TOKENS:
            del self._held[next(iter(self._held))]
        renew_at = began + _good_for(token.seconds)
        self._held[_key(settings)] = _Held(access=token.access, renew_at=renew_at)
        return token.access

    async def _ask(self, settings: RelaySettings, now: int) -> Token:
        login = _login(settings)
        form = asked(login, settings.user_name, now)
        try:
            answer = await self._http.post(login.oauth2.token_url, form, headers=_HEADERS)
        except NoAnswerError as error:
            raise NoTokenError(NoToken.UNAVAILABLE, _NO_ANSWER[error.failure]) from error
        return read(answer, login)


def _good_for(seconds: float) -> float:
    return seconds - min(RENEWED_BEFORE_SECONDS, seconds / 2)


def _key(settings: RelaySettings) -> tuple[str, int]:
    return settings.portal_id, settings.revision


def _login(settings: RelaySettings) -> OAuth2Login:
    assert settings.oauth2 is not None  # noqa: S101 - only asked for with OAuth2
    return settings.oauth2


_NO_ANSWER = {
    Failure.BAD_URL: "Its URL cannot be used.",
    Failure.NOT_FOUND: "Its host name does not exist.",
    Failure.LOOKUP_FAILED: "Its host name could not be looked up.",
    Failure.FORBIDDEN: "This installation may not connect to it.",
    Failure.UNREACHABLE: "It cannot be reached.",
    Failure.TLS_FAILED: "No TLS connection with it could be made.",
    Failure.TIMED_OUT: "It did not answer in time.",
    Failure.BROKEN_OFF: "The connection to it broke off.",
    Failure.REDIRECTED: "It points elsewhere.",
    Failure.ENCODED: "Its answer is compressed.",
    Failure.TOO_LONG: "Its answer is too long.",
}
