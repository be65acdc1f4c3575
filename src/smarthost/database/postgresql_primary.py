"""Finds the one server of a database that takes changes, and holds on to what it has seen.

A standby that takes over begins a timeline, whose number is higher than its primary's. So where a
failed primary comes back as one, since nobody has told it of its successor, it is known by its
number: of several the newest is used, and whoever has seen that never goes back. Two standbys
that took over from the same one have the same number, and cannot be told apart so. A server of
another origin has other mail, so it is never moved to; at the same place it is the same database.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import NamedTuple
from weakref import WeakSet

import asyncpg
import structlog

from smarthost.database.postgresql_candidate import (
    History,
    Standing,
    UnfitError,
    introduced,
)
from smarthost.database.postgresql_connection import Connection
from smarthost.database.postgresql_errors import DRIVER_ERRORS, LostError, told
from smarthost.database.postgresql_hosts import Host

KNOWN_SECONDS = 1.0
"""How long the one that was the primary may take before others are asked too."""
OTHERS_SECONDS = 1.0
"""How long the others are waited for when one was found, which may have been replaced."""

AGAIN_SECONDS = 0.5
"""How long after its fault the one that was the primary is asked again, while others are asked."""

log = structlog.get_logger("smarthost.database")


class Found(NamedTuple):
    """A server that takes changes."""

    connection: Connection
    host: Host
    standing: Standing
    history: History | None
    """None: it does not tell."""


class NoPrimaryError(Exception):
    """None of the servers is to be used, for the fault of each."""

    def __init__(self, faults: Mapping[Host, Exception]) -> None:
        super().__init__("no server takes changes")
        self.faults = faults
        self.known: Host | None = None
        """Where it was when it was last found."""
        self.was_found = False
        """By another search meanwhile, so that the faults are old ones."""

    @property
    def is_silence(self) -> bool:
        """Whether the one that is known does not answer, or none does."""
        if self.was_found:
            return False
        silent = [host for host, fault in self.faults.items() if isinstance(fault, TimeoutError)]
        return self.known in silent or len(silent) == len(self.faults)

    @property
    def is_answered(self) -> bool:
        """Whether the one that is known answers, if only that it takes no connection."""
        fault = self.faults.get(self.known) if self.known else None
        return self.was_found or isinstance(fault, asyncpg.PostgresError)


class Primary:
    """Belongs to one event loop."""

    def __init__(
        self, hosts: tuple[Host, ...], open_at: Callable[[Host], Awaitable[Connection]]
    ) -> None:
        """`open_at` connects to a server within `ASK_SECONDS`."""
        self._hosts = hosts
        self._open_at = open_at
        self._history: History | None = None
        self._sessions: WeakSet[Connection] = WeakSet()
        self._taken = 0
        self.host: Host | None = None
        """Where it was when it was last found."""

    async def find(self, *, anew: bool = False) -> Found:
        """Connect to it. Raises `NoPrimaryError`.

        With `anew`, or if no session is left, all are asked, even where one is known.
        """
        taken = self._taken
        try:
            found = None if anew else await self._ask_known()
            if found is None:
                found = await self._ask_all()
            self._take(found)
        except NoPrimaryError as error:
            error.known, error.was_found = self.host, self._taken != taken
            raise
        return found

    async def _ask_known(self) -> Found | None:
        one_of_several = self.host is not None and len(self._hosts) > 1
        if not one_of_several or all(session.is_closed() for session in self._sessions):
            return None
        assert self.host is not None  # noqa: S101 - as was just looked at
        try:
            async with asyncio.timeout(KNOWN_SECONDS):
                return await self._ask(self.host)
        except asyncpg.InsufficientResourcesError as error:
            # It lives and is full; to be asked twice would make it fuller.
            raise NoPrimaryError({self.host: error}) from None
        except (*DRIVER_ERRORS, UnfitError):
            return None

    async def _ask_all(self) -> Found:
        asking: dict[asyncio.Task[Found], Host] = {}
        others: set[asyncio.Task[Found]] = set()
        for host in self._hosts:
            is_known = host == self.host
            asked = self._ask_again(host, others) if is_known else self._ask(host)
            task = asyncio.create_task(asked)
            asking[task] = host
            if not is_known:
                others.add(task)
        try:
            await _wait_for_newest(set(asking))
            found = await _end(asking)
        except BaseException:
            for task in asking:
                task.cancel()
                task.add_done_callback(_leave)
            raise
        if not found:
            raise NoPrimaryError({host: _fault(task) for task, host in asking.items()})
        if self._history is None:
            _refuse_several_origins(found)
        newest = max(found, key=self._rank)
        for one in found:
            if one is not newest:
                one.connection.terminate()
        return newest

    async def _ask_again(self, host: Host, others: Collection[asyncio.Task[Found]]) -> Found:
        """Connect to the one that was known, which may be starting; raises as `_ask`.

        It is asked until the others have answered, so that a silent one is not waited for.
        """
        while True:
            try:
                return await self._ask(host)
            except DRIVER_ERRORS as error:
                if not isinstance(told(str(host), error), LostError) or _are_done(others):
                    raise
                await asyncio.wait(others, timeout=AGAIN_SECONDS)
                if _are_done(others):
                    raise

    async def _ask(self, host: Host) -> Found:
        """Connect to one of them. Raises `DRIVER_ERRORS`, `UnfitError`."""
        connection = await self._open_at(host)
        try:
            standing, history = await introduced(connection)
            self._refuse_if_not_ours(host, history)
        except BaseException:
            connection.terminate()
            raise
        return Found(connection, host, standing, history)

    def _refuse_if_not_ours(self, host: Host, history: History | None) -> None:
        known = self._history
        if known is None or history is None:
            return
        if history.system != known.system:
            if host != self.host:
                raise UnfitError(
                    "is a server of another origin, and no standby of the primary. If the "
                    "database was moved there, start Smarthost again."
                )
        elif history.timeline < known.timeline:
            raise UnfitError(
                f"was replaced by another server (its timeline is {history.timeline}, of the "
                f"other {known.timeline}). Stop it, or make it a standby; if it was restored on "
                "purpose, start Smarthost again."
            )

    def _rank(self, found: Found) -> tuple[bool, int, bool]:
        """Tell how much is to be said for one of several that take changes."""
        is_known = found.host == self.host
        if found.history is None:
            return False, 0, is_known
        is_ours = self._history is None or found.history.system == self._history.system
        return is_ours, found.history.timeline, is_known

    def _take(self, found: Found) -> None:
        """Hold on to what was found. Raises `NoPrimaryError` if a newer one was meanwhile."""
        try:
            self._refuse_if_not_ours(found.host, found.history)
        except UnfitError as error:
            found.connection.terminate()
            raise NoPrimaryError({found.host: error}) from None
        if self.host is not None and self._is_another(found):
            log.warning(
                "another server of the database has taken over",
                server=str(found.host),
                timeline=found.history.timeline if found.history else None,
            )
            # An old one that lives would keep for itself what they are told.
            for session in list(self._sessions):
                session.terminate()
        self.host, self._history = found.host, found.history or self._history
        self._sessions.add(found.connection)
        self._taken += 1

    def _is_another(self, found: Found) -> bool:
        told = found.history is not None and self._history is not None
        return found.host != self.host or (told and found.history != self._history)


def _refuse_several_origins(found: Collection[Found]) -> None:
    """Raise `NoPrimaryError` if those that take changes are no copies of one."""
    if len({one.history.system for one in found if one.history}) < 2:
        return
    faults: dict[Host, Exception] = {}
    for one in found:
        one.connection.terminate()
        origin = one.history.system if one.history else "not told"
        faults[one.host] = UnfitError(
            f"takes changes and is of another origin (its system_identifier is {origin}). Name "
            "the primary and its standbys, and no other server."
        )
    raise NoPrimaryError(faults)


async def _wait_for_newest(asking: set[asyncio.Task[Found]]) -> None:
    """Wait for all that are asked, and not for long once one is found."""
    loop = asyncio.get_running_loop()
    until: float | None = None
    while asking:
        left = None if until is None else max(0.0, until - loop.time())
        done, asking = await asyncio.wait(
            asking, timeout=left, return_when=asyncio.FIRST_COMPLETED
        )
        if not done:
            return
        if until is None and any(_has_found(task) for task in done):
            until = loop.time() + OTHERS_SECONDS


def _are_done(asking: Collection[asyncio.Task[Found]]) -> bool:
    return all(task.done() for task in asking)


def _has_found(task: asyncio.Task[Found]) -> bool:
    return not task.cancelled() and task.exception() is None


async def _end(asking: Collection[asyncio.Task[Found]]) -> list[Found]:
    """Wait for nobody any more; return those that were found."""
    for task in asking:
        task.cancel()
    await asyncio.wait(asking)
    return [task.result() for task in asking if _has_found(task)]


def _leave(task: asyncio.Task[Found]) -> None:
    if _has_found(task):
        task.result().connection.terminate()


def _fault(task: asyncio.Task[Found]) -> Exception:
    """Return why a server that was asked is none to be used; a fault of ours is raised."""
    error = task.exception()
    assert error is not None  # noqa: S101 - none was found
    if isinstance(error, (*DRIVER_ERRORS, UnfitError)):
        return error
    raise error
