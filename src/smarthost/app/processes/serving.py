"""Runs the service in several processes of one machine, which share its sockets.

This process binds, and opens the store once to see that it can be served and to make what is
missing; all faults of a start show here. Then it only looks after the workers.
"""

import asyncio
import contextlib
import gc
import os
import signal
import socket
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from typing import Any

import msgspec
import structlog

from smarthost.app.crew import TALLIES
from smarthost.app.node import Node, live_certificate
from smarthost.app.parts import open_parts
from smarthost.app.processes.caught_signals import CaughtSignals
from smarthost.app.processes.crew import WorkersCrew
from smarthost.app.processes.inboxes import Inboxes
from smarthost.app.processes.seat import Seat
from smarthost.app.processes.supervisor import SIGNALS, STOP_SECONDS, Supervisor
from smarthost.app.roles import Role, Roles, parted
from smarthost.app.serve import (
    Announce,
    Begun,
    allow_all_files,
    begin,
    reading_again,
    tell_of_start,
)
from smarthost.app.service_manager import ServiceManager
from smarthost.app.signals import handled, has_terminal, unless
from smarthost.app.stop import Stop
from smarthost.app.submission import Doors, bound
from smarthost.clock import Clock, SystemClock
from smarthost.config import Config
from smarthost.database.sqlite import leave_memory_uncounted
from smarthost.portals.model import Portal
from smarthost.tally import SharedTallies
from smarthost.web.server import bind

log = structlog.get_logger("smarthost.app")

Run = Callable[[Coroutine[Any, Any, None]], None]
"""Runs a coroutine on an event loop of its own."""

Failed = Callable[[Exception], int]
"""Tells the operator what a worker ended of and returns its exit code, or raises it again."""


class _Shared(msgspec.Struct, frozen=True, kw_only=True):
    """What all workers have from their start."""

    config: Config
    portal: Portal
    roles: list[Roles]
    """Of each worker."""
    listening: socket.socket
    doors: Doors
    inboxes: Inboxes
    tallies: SharedTallies


def serve_together(
    config: Config,
    roles: Roles,
    processes: int,
    announce: Announce,
    manager: ServiceManager,
    *,
    make_link: bool,
    run: Run,
    failed: Failed,
) -> None:
    """Serve with so many workers until SIGTERM or SIGINT; as `serve` otherwise.

    Raises `RolesError` and `WorkersFailedError`, and what `serve` raises at its start.
    """
    clock = SystemClock()
    each = parted(roles, processes, all_deliver=config.database_url is not None)
    allow_all_files()
    leave_memory_uncounted()
    live_certificate(config, clock)  # one that cannot be used is told before anything is done
    with (
        contextlib.closing(bind(config.http_listen.host, config.http_listen.port)) as listening,
        bound(config, roles) as doors,
        contextlib.closing(Inboxes(processes)) as inboxes,
        CaughtSignals(SIGNALS) as signals,
    ):
        # Not on the workers' kind of loop, whose threads would outlive it.
        begun = asyncio.run(
            _prepared(config, clock, listening, doors, roles, signals, make_link=make_link)
        )
        if begun is None:
            log.info("stopped")
            return
        shared = _Shared(
            config=config,
            portal=begun.portal,
            roles=each,
            listening=listening,
            doors=doors,
            inboxes=inboxes,
            tallies=SharedTallies(TALLIES),
        )

        def ready() -> None:
            tell_of_start(config, begun, announce)
            manager.tell_serving(begun.serving.url)

        # What the workers share stays shared: the collector writes into what it looks through.
        gc.collect()
        gc.freeze()
        Supervisor(
            processes,
            partial(_worked, shared, clock, run, failed),
            ready,
            partial(_let_go, listening, doors),
            signals,
            manager,
            clock,
            stop_seconds=config.drain_seconds + STOP_SECONDS,
        ).run()
    log.info("stopped")


async def _prepared(
    config: Config,
    clock: Clock,
    listening: socket.socket,
    doors: Doors,
    roles: Roles,
    signals: CaughtSignals,
    *,
    make_link: bool,
) -> Begun | None:
    """See that the store can be served, and make what is missing; None: a stop came first."""
    create = config.admin_email is not None
    async with contextlib.AsyncExitStack() as stack:
        opening = open_parts(config, create=create, clock=clock)
        with _asked_to_stop(signals) as stopped:
            parts = await unless(stopped, stack.enter_async_context(opening))
        if parts is None or stopped.is_set():
            return None
        return await begin(config, parts, listening, doors, roles, make_link=make_link)


def _let_go(listening: socket.socket, doors: Doors) -> None:
    for one in (listening, doors.clear, doors.tls):
        if one is not None:
            one.close()


def _worked(shared: _Shared, clock: Clock, run: Run, failed: Failed, seat: Seat) -> int:
    """Be a worker to its end, and return the exit code of its process."""
    try:
        run(_work(shared, seat, clock))
    except Exception as error:  # noqa: BLE001 - the caller knows which are expected
        return failed(error)
    return 0


@contextlib.contextmanager
def _asked_to_stop(signals: CaughtSignals) -> Iterator[asyncio.Event]:
    """Give what a signal sets that ends a start; those that come later are the supervisor's."""
    stopped = asyncio.Event()
    ending = {signal.SIGTERM, signal.SIGINT}
    if has_terminal():
        ending.add(signal.SIGHUP)

    def look() -> None:
        if signals.come() & ending:
            stopped.set()

    loop = asyncio.get_running_loop()
    loop.add_reader(signals, look)
    try:
        yield stopped
    finally:
        loop.remove_reader(signals)


async def _work(shared: _Shared, seat: Seat, clock: Clock) -> None:
    config = shared.config
    roles = shared.roles[seat.number - 1]
    stop = Stop(config.drain_seconds, clock)
    certificate = live_certificate(config, clock)
    meanings = {signal.SIGTERM: stop.ask, signal.SIGHUP: reading_again(certificate)}
    with handled(meanings):
        seat.when_alone(stop.ask)
        signs = asyncio.create_task(seat.give_signs(clock))
        async with open_parts(config, create=False, clock=clock) as parts:
            crew = WorkersCrew(seat.number, shared.inboxes, shared.tallies, parts)
            node = Node(config, parts, shared.portal, roles, crew, shared.doors, certificate, stop)
            node.start()
            first_delivers = Role.DELIVERY in shared.roles[0]
            crew.join(wake_first=first_delivers and Role.DELIVERY not in roles)
            seat.tell_ready()
            log.info("worker serves", worker=seat.number, pid=os.getpid(), roles=sorted(roles))
            await node.run(shared.listening)
            await crew.leave()
        signs.cancel()
        await asyncio.wait({signs})
