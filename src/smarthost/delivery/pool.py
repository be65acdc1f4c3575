"""The sessions with relays that stand between two attempts.

A session is kept for a few seconds and used again only for the very settings that it was opened
with, every field of them, and only if nothing on it was ever out of order. So no portal's mail
goes out over another's login, and new settings never meet an old session.
"""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress

import msgspec

from smarthost.clock import Clock
from smarthost.delivery.opening import Opening, TlsContexts, WayOut
from smarthost.delivery.outcome import Code, Step
from smarthost.delivery.progress import Progress
from smarthost.delivery.relay import RelaySettings
from smarthost.smtp.client import Client
from smarthost.smtp.egress import Policy, Resolver
from smarthost.smtp.errors import SmtpError

_CHECK_SECONDS = 5.0
_QUIT_SECONDS = 2.0
_OPENED_BEFORE = (
    Step.RESOLVE,
    Step.CONNECT,
    Step.GREETING,
    Step.EHLO,
    Step.TLS,
    Step.AUTHENTICATE,
)


class Session(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """An open session that can take mail, and what is to be known about how it came about."""

    settings: RelaySettings
    client: Client
    logged_in: bool
    warnings: tuple[Code, ...]


class Pool:
    """Opens sessions and keeps them; `idle_seconds` 0 keeps none, for a proof from the start.

    It belongs to one event loop; `close` ends everything that it began.
    """

    def __init__(
        self, *, policy: Policy, resolver: Resolver, clock: Clock, idle_seconds: float = 5.0
    ) -> None:
        self._way_out = WayOut(policy=policy, resolver=resolver, contexts=TlsContexts())
        self._clock = clock
        self._idle_seconds = idle_seconds
        self._idle: dict[Session, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def session(self, settings: RelaySettings, progress: Progress) -> Session:
        """Return an idle session with exactly these settings, or a new one.

        Raises `StoppedError` or `EnoughError`; no connection is left behind then.
        """
        session = await self._taken(settings)
        if session is None:
            return await self._opened(settings, progress)
        progress.address = session.client.address
        progress.tls = session.client.tls_version
        progress.logged_in = session.logged_in
        progress.warnings = session.warnings
        try:
            for step in _OPENED_BEFORE:
                await progress.skip(step)
        except BaseException:
            self._leave(session.client)
            raise
        return session

    def give_back(self, session: Session) -> None:
        """Take a session back, to keep it for a while or to end it. Does not wait."""
        if self._idle_seconds > 0 and session.client.usable:
            self._idle[session] = self._begin(self._end_when_idle(session))
        else:
            self._leave(session.client)

    async def close(self) -> None:
        """End all idle sessions, and wait until every goodbye is said."""
        for session in list(self._idle):
            self._take_out(session)
            self._leave(session.client)
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _taken(self, settings: RelaySettings) -> Session | None:
        """Take an idle session that can be used; those with older settings end."""
        for session in list(self._idle):
            if session.settings.portal_id != settings.portal_id or session not in self._idle:
                continue
            self._take_out(session)
            if session.settings == settings and await self._is_alive(session.client):
                return session
            self._leave(session.client)
        return None

    async def _opened(self, settings: RelaySettings, progress: Progress) -> Session:
        opening = Opening(settings, self._way_out, progress)
        try:
            client = await opening.run()
        except BaseException:
            if opening.client is not None:
                self._leave(opening.client)
            raise
        return Session(
            settings=settings,
            client=client,
            logged_in=progress.logged_in,
            warnings=progress.warnings,
        )

    async def _is_alive(self, client: Client) -> bool:
        """Ask a relay that may have hung up meanwhile, and end what was begun."""
        client.deadline = self._clock.monotonic() + _CHECK_SECONDS
        with suppress(SmtpError):
            return (await client.rset()).positive and client.usable
        return False

    async def _end_when_idle(self, session: Session) -> None:
        await self._clock.sleep(self._idle_seconds)
        del self._idle[session]
        await self._quit(session.client)

    def _take_out(self, session: Session) -> None:
        self._idle.pop(session).cancel()

    def _leave(self, client: Client) -> None:
        """Say goodbye in the background where that can be done; else close."""
        if client.usable:
            self._begin(self._quit(client))
        else:
            client.close()

    async def _quit(self, client: Client) -> None:
        client.deadline = self._clock.monotonic() + _QUIT_SECONDS
        await client.quit()

    def _begin(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        # The loop itself holds tasks weakly.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
