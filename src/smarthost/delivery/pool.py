"""The sessions with relays that stand between two attempts.

A session is kept for a few seconds and used again only for the very settings that it was opened
with, every field of them, and only if nothing on it was ever out of order. So no portal's mail
goes out over another's login, and new settings never meet an old session. Nothing is asked to find
out whether the relay has hung up meanwhile: that costs a round trip, and whoever hands a message
over can do it once more.
"""

import asyncio
from collections.abc import Coroutine

import msgspec

from smarthost.clock import Clock
from smarthost.delivery.opening import Opening, TlsContexts, WayOut
from smarthost.delivery.outcome import Code, Step
from smarthost.delivery.progress import EnoughError, Progress
from smarthost.delivery.relay import RelaySettings
from smarthost.delivery.tokens import Tokens
from smarthost.secret import Secret
from smarthost.smtp.client import Client
from smarthost.smtp.egress import Policy, Resolver

MOST_MESSAGES = 100
"""After which a session ends: many relays have such a limit of their own."""
MOST_SECONDS = 300.0
"""After which a session is not used again, so that a change of addresses or policy is seen."""

_QUIT_SECONDS = 2.0
_LOOKS = 5  # for idle sessions, within the time that one is kept
_OPENED_BEFORE = frozenset(
    {Step.RESOLVE, Step.CONNECT, Step.GREETING, Step.EHLO, Step.TLS, Step.AUTHENTICATE}
)


class Session(msgspec.Struct, kw_only=True, eq=False):
    """An open session that can take mail, and what is to be known about how it came about."""

    settings: RelaySettings
    client: Client
    logged_in: bool
    token: Secret | None
    """What logged in, where that was no password."""
    warnings: tuple[Code, ...]
    fresh: bool
    """Whether it is for one attempt alone."""
    opened_at: float
    """By the clock's `monotonic()`, in seconds."""
    idle_since: float = 0.0
    messages: int = 0
    """How many were begun on it."""


class _Portal:
    """One portal's settings, as they were last asked for, and its sessions."""

    def __init__(self, settings: RelaySettings) -> None:
        self.settings = settings
        self.idle: list[Session] = []
        self.in_use = 0


class Pool:
    """Opens sessions and keeps them for `idle_seconds` after their last mail; 0 keeps none.

    It belongs to one event loop; `close` ends everything that it began.
    """

    def __init__(
        self,
        *,
        policy: Policy,
        resolver: Resolver,
        clock: Clock,
        tokens: Tokens | None = None,
        idle_seconds: float = 5.0,
    ) -> None:
        """`tokens` are for settings with OAuth2, and are closed by whoever has made them."""
        self._way_out = WayOut(
            policy=policy, resolver=resolver, contexts=TlsContexts(), tokens=tokens
        )
        self._clock = clock
        self._idle_seconds = idle_seconds
        self._portals: dict[str, _Portal] = {}
        self._sweeping: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def session(
        self, settings: RelaySettings, progress: Progress, *, fresh: bool = False
    ) -> Session:
        """Return an idle session with exactly these settings, or a new one.

        `fresh`: a new one, which is not kept. Raises `StoppedError` or `EnoughError`; no
        connection is left behind then.
        """
        if fresh:
            return await self._opened(settings, progress, fresh=True)
        portal = self._portal(settings)
        portal.in_use += 1
        try:
            session = self._taken(portal)
            if session is None:
                return await self._opened(settings, progress, fresh=False)
            self._take_over(session, progress)
        except BaseException:
            self._release(settings.portal_id)
            raise
        return session

    async def another(self, gone: Session, progress: Progress) -> Session:
        """Return a new session in place of one that turned out to be over; raises as `session`."""
        gone.client.close()
        try:
            return await self._opened(gone.settings, progress, fresh=gone.fresh)
        except BaseException:
            self.give_back(gone)
            raise

    def give_back(self, session: Session) -> None:
        """Take a session back, to keep it for a while or to end it. Does not wait."""
        if session.fresh:
            self._leave(session.client)
            return
        portal = self._portals[session.settings.portal_id]
        if self._is_worth_keeping(session, portal):
            session.idle_since = self._clock.monotonic()
            portal.idle.append(session)
            if self._sweeping is None:
                self._sweeping = self._begin(self._sweep())
        else:
            self._leave(session.client)
        self._release(session.settings.portal_id)

    async def close(self) -> None:
        """End all idle sessions, and wait until every goodbye is said."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        for portal in self._portals.values():
            self._end_idle(portal)
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _portal(self, settings: RelaySettings) -> _Portal:
        portal = self._portals.get(settings.portal_id)
        if portal is None:
            portal = self._portals[settings.portal_id] = _Portal(settings)
        elif portal.settings != settings:
            self._end_idle(portal)
            portal.settings = settings
        return portal

    def _taken(self, portal: _Portal) -> Session | None:
        """Take the session that was used last, so that those not needed grow old and end."""
        while portal.idle:
            session = portal.idle.pop()
            if session.client.usable and not self._is_old(session):
                return session
            self._leave(session.client)
        return None

    def _take_over(self, session: Session, progress: Progress) -> None:
        progress.address = session.client.address
        progress.tls = session.client.tls_version
        progress.logged_in = session.logged_in
        progress.warnings = session.warnings
        if session.token is not None:
            progress.hide(session.token)
        if progress.until in _OPENED_BEFORE:
            self._leave(session.client)
            raise EnoughError

    async def _opened(
        self, settings: RelaySettings, progress: Progress, *, fresh: bool
    ) -> Session:
        progress.begin_anew()
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
            token=opening.token,
            warnings=progress.warnings,
            fresh=fresh,
            opened_at=self._clock.monotonic(),
        )

    def _is_worth_keeping(self, session: Session, portal: _Portal) -> bool:
        return (
            self._idle_seconds > 0
            and session.client.usable
            and session.messages < MOST_MESSAGES
            and session.settings == portal.settings
        )

    def _is_old(self, session: Session) -> bool:
        return self._clock.monotonic() - session.opened_at >= MOST_SECONDS

    def _release(self, portal_id: str) -> None:
        portal = self._portals[portal_id]
        portal.in_use -= 1
        self._forget_if_unused(portal_id)

    def _forget_if_unused(self, portal_id: str) -> None:
        portal = self._portals[portal_id]
        if not portal.in_use and not portal.idle:
            del self._portals[portal_id]

    async def _sweep(self) -> None:
        """End what has been idle for its time, as long as there is any session."""
        while self._portals:
            await self._clock.sleep(self._idle_seconds / _LOOKS)
            since = self._clock.monotonic() - self._idle_seconds
            for portal_id, portal in list(self._portals.items()):
                self._end_idle(portal, since)
                self._forget_if_unused(portal_id)
        self._sweeping = None

    def _end_idle(self, portal: _Portal, since: float = float("inf")) -> None:
        """End the sessions of a portal that have been idle since this moment."""
        ended = [session for session in portal.idle if session.idle_since <= since]
        portal.idle = [session for session in portal.idle if session.idle_since > since]
        for session in ended:
            self._leave(session.client)

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
