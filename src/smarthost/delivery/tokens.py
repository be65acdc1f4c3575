"""Access tokens for relays: fetched when one is needed, kept in memory, renewed before they end.

A token lives here alone and is given out for the very settings it was fetched for. A new refresh
token is written down before the access token that came with it is used: the old one may be void.
"""

import asyncio
import contextlib
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Protocol

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
_LAST_SECONDS = 5.0
"""How long an orderly stop waits for what is being asked."""
_HEADERS = (
    (b"Content-Type", b"application/x-www-form-urlencoded"),
    (b"Accept", b"application/json"),
)


class TokenNews(msgspec.Struct, frozen=True, kw_only=True):
    """What a request for a token came to, for whoever keeps that."""

    at: int
    """When it was asked for, by `Book.moment`; microseconds since 1970, UTC, as `expires_at`."""
    expires_at: int | None = None
    """When the access token ends; None: there is none."""
    refresh: Secret | None = None
    """The refresh token to use from now on; None: the one before stays."""
    why: NoToken | None = None
    said: str | None = None


class Book(Protocol):
    """Where refresh tokens are kept, and what requests came to."""

    def turn(self, settings: RelaySettings) -> AbstractAsyncContextManager[None]:
        """Keep all others who could use up the same refresh token from asking meanwhile.

        Raises `NoTokenError` where they do not end.
        """
        ...

    async def moment(self, settings: RelaySettings) -> int:
        """Return now, or when the last request was made where the clock was set back since.

        Microseconds since 1970, UTC. Raises `NoTokenError`.
        """
        ...

    async def newest(self, settings: RelaySettings) -> Secret | None:
        """Return the refresh token that came last; None: what the settings have is the one.

        Raises `NoTokenError`.
        """
        ...

    async def keep(self, settings: RelaySettings, news: TokenNews) -> None:
        """Write down what came of a request for the token of these settings.

        Raises `NoTokenError` where that cannot be done now.
        """
        ...


class _Held(msgspec.Struct, frozen=True, kw_only=True):
    access: Secret
    renew_at: float
    """By the clock's `monotonic()`."""


class Tokens:
    """Gives access tokens; it belongs to one event loop."""

    def __init__(self, http: HttpClient, clock: Clock, book: Book) -> None:
        self._http = http
        self._clock = clock
        self._book = book
        self._held: dict[tuple[str, int], _Held] = {}
        self._asked: dict[tuple[str, int], asyncio.Task[Secret]] = {}
        self._tasks: set[asyncio.Task[Secret]] = set()
        self._unkept: dict[str, tuple[RelaySettings, TokenNews]] = {}
        """By portal: what could not be written down, since the store was away."""

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
            self._tasks.add(fetching)
            fetching.add_done_callback(partial(self._done, key))
        return await asyncio.shield(fetching)

    async def exchanged(self, login: OAuth2Login, form: bytes) -> Token:
        """Return what is given for a form by which somebody consented. Raises `NoTokenError`."""
        return await self._granted(login, form)

    def forget_all(self, portal_id: str) -> None:
        """Drop what was fetched for a portal, since somebody else may have consented.

        What is being asked is given to those who wait for it, and to nobody later.
        """
        for kept in (self._held, self._asked):
            for key in [key for key in kept if key[0] == portal_id]:
                del kept[key]

    def forget(self, settings: RelaySettings, token: Secret) -> None:
        """Drop a token that the relay has refused, unless there is another one by now."""
        held = self._held.get(_key(settings))
        if held is not None and held.access == token:
            del self._held[_key(settings)]

    async def close(self) -> None:
        """End what is being asked.

        It gets a few seconds: the refresh token that was shown may be void already, and the one
        in its place on its way.
        """
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=_LAST_SECONDS)
            for fetching in late:
                fetching.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for portal_id in list(self._unkept):
            with contextlib.suppress(NoTokenError):  # then it is lost with this process
                await self._keep_late(portal_id)

    def _done(self, key: tuple[str, int], task: asyncio.Task[Secret]) -> None:
        self._tasks.discard(task)
        if self._asked.get(key) is task:
            del self._asked[key]
        if not task.cancelled():
            task.exception()  # whoever waited has got it; nobody has to

    async def _fetched(self, settings: RelaySettings) -> Secret:
        # Some providers take a refresh token once: then two who ask at a time, or one who was
        # given it before another has used it, would lose the consent.
        async with self._book.turn(settings):
            await self._keep_late(settings.portal_id)
            at = await self._book.moment(settings)
            now, began = self._clock.now(), self._clock.monotonic()
            try:
                token = await self._ask(settings, now)
            except NoTokenError as error:
                news = TokenNews(at=at, why=error.why, said=error.said)
                await self._book.keep(settings, news)
                raise
            ends = now + round(token.seconds * MICROSECONDS)
            news = TokenNews(at=at, expires_at=ends, refresh=token.refresh)
            if token.refresh is not None:
                self._unkept[settings.portal_id] = settings, news
            await self._book.keep(settings, news)
            self._unkept.pop(settings.portal_id, None)
        if self._asked.get(_key(settings)) is asyncio.current_task():
            self._hold(settings, token, began)
        return token.access

    async def _keep_late(self, portal_id: str) -> None:
        """Write down what could not be before: the refresh token of before it may be void."""
        if portal_id in self._unkept:
            await self._book.keep(*self._unkept[portal_id])
            del self._unkept[portal_id]

    def _hold(self, settings: RelaySettings, token: Token, began: float) -> None:
        while len(self._held) >= _MOST_TOKENS:
            del self._held[next(iter(self._held))]
        renew_at = began + _good_for(token.seconds)
        self._held[_key(settings)] = _Held(access=token.access, renew_at=renew_at)

    async def _ask(self, settings: RelaySettings, now: int) -> Token:
        login = await self._login(settings)
        return await self._granted(login, asked(login, settings.user_name, now))

    async def _login(self, settings: RelaySettings) -> OAuth2Login:
        login = settings.oauth2
        assert login is not None  # noqa: S101 - only asked for with OAuth2
        newest = await self._book.newest(settings)
        if newest is None:
            return login
        secrets = msgspec.structs.replace(login.secrets, refresh_token=newest)
        return msgspec.structs.replace(login, secrets=secrets)

    async def _granted(self, login: OAuth2Login, form: bytes) -> Token:
        try:
            answer = await self._http.post(login.oauth2.token_url, form, headers=_HEADERS)
        except NoAnswerError as error:
            raise NoTokenError(NoToken.UNAVAILABLE, _NO_ANSWER[error.failure]) from error
        return read(answer, login)


def _good_for(seconds: float) -> float:
    return seconds - min(RENEWED_BEFORE_SECONDS, seconds / 2)


def _key(settings: RelaySettings) -> tuple[str, int]:
    return settings.portal_id, settings.revision


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
