"""One process at work: does what its roles say from the first connection until it is told to stop.

Once the stop has begun (`stop.py`), HTTP and SMTP end accepting first, what is in flight gets
five seconds to finish, then the worker stops and its connections end. The store is the caller's to
close.
"""

import asyncio
import gc
import socket

import structlog

from smarthost.app.crew import Crew
from smarthost.app.parts import Parts
from smarthost.app.roles import Role, Roles
from smarthost.app.stop import Stop
from smarthost.app.submission import Doors, door_shown, make_listener
from smarthost.app.web import make_monitor, make_web
from smarthost.certificate.live import LiveCertificate
from smarthost.clock import Clock
from smarthost.config import Config
from smarthost.database.engine import StoreUnavailableError
from smarthost.metrics.certificate import Shown
from smarthost.metrics.metrics import Metrics
from smarthost.portals.model import Portal
from smarthost.web.server import Server, make_server

log = structlog.get_logger("smarthost.app")

LAST_USE_SECONDS = 30.0
_YOUNG_OBJECTS = 10_000  # that the collector lets come together before it looks through them


class Node:
    """Serves from `start` to the end of `run`."""

    def __init__(
        self,
        config: Config,
        parts: Parts,
        portal: Portal,
        roles: Roles,
        crew: Crew,
        doors: Doors,
        certificate: LiveCertificate | None,
        stop: Stop,
    ) -> None:
        """`portal` is the one of a standalone installation; `stop` ends `run`.

        `doors` are where the service takes mail by SMTP, in this process or another one.
        """
        self._parts = parts
        self._roles = roles
        self._certificate = certificate
        self._stop = stop
        self._doors = doors
        tls = certificate.http_context if certificate and config.http_tls else None
        if Role.HTTP in roles:
            door = door_shown(config, doors)
            application = make_web(config, parts, portal, door, crew, stop)
        else:
            application = make_monitor(config, parts, crew, stop)
        self._server = make_server(application, tls=tls)
        _measure(parts.metrics, self._server, certificate)
        shown = certificate.smtp_context if certificate else _no_certificate
        self._listener = make_listener(config, parts, shown, tallies=crew.tallies)

    def start(self) -> None:
        """Take clients by SMTP, if that is a role."""
        if Role.SUBMISSION in self._roles:
            self._listener.start(self._doors.open_ones())
        # What is there now stays: the collector need not look through it again and again, which
        # took a twentieth of each save. What a request leaves behind is hardly ever a cycle, so
        # looking through the young every few requests finds nothing either.
        gc.collect()
        gc.freeze()
        gc.set_threshold(_YOUNG_OBJECTS)

    async def run(self, listening: socket.socket) -> None:
        """Serve until the stop. Raises `StoreUnavailableError` where the store fails."""
        parts, stop = self._parts, self._stop
        stopping = asyncio.create_task(stop.wait())
        serving = asyncio.create_task(self._server.serve(sockets=[listening]))
        failing = asyncio.create_task(parts.database.wait_failed())
        noting = asyncio.create_task(_note_last_uses(parts))
        delivering = asyncio.create_task(self._deliver())
        watching = asyncio.create_task(_watch(self._certificate))
        tasks = {serving, failing, stopping, noting, delivering, watching}
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        stop.begin()  # whatever it was that ended it
        self._server.stop()
        await asyncio.gather(serving, self._listener.stop())
        parts.delivery.stop()
        await asyncio.wait({delivering})
        beside = (failing, noting, watching, stopping)
        for task in beside:
            task.cancel()
        failed, *ended = await asyncio.gather(*beside, return_exceptions=True)
        if failed is None:
            raise StoreUnavailableError("The disk failed. Start again when it can be written.")
        for fault in ended:
            if isinstance(fault, Exception):
                raise fault
        delivering.result()

    async def _deliver(self) -> None:
        if Role.DELIVERY in self._roles:
            await self._parts.delivery.run()
        else:
            await self._stop.begun.wait()


def live_certificate(config: Config, clock: Clock) -> LiveCertificate | None:
    """Return the certificate that clients are shown, if any. Raises `CertificateError`."""
    if config.tls is None:
        return None
    return LiveCertificate(config.tls.certificate, config.tls.key, clock)


def _no_certificate() -> None:
    """Show none: STARTTLS is not offered."""


def _measure(metrics: Metrics, server: Server, certificate: LiveCertificate | None) -> None:
    """Have the metrics ask those that know by themselves."""
    metrics.http.count_connections(lambda: len(server.server_state.connections))
    if certificate is not None:
        metrics.certificate.show(
            lambda: Shown(certificate.not_after.timestamp(), certificate.up_to_date)
        )


async def _watch(certificate: LiveCertificate | None) -> None:
    """Keep to the certificate's files, where there are any, until cancelled."""
    if certificate is None:
        await asyncio.Event().wait()
    else:
        await certificate.watch()


async def _note_last_uses(parts: Parts) -> None:
    """Write the times of keys' last use every now and then, and once more at the end."""
    try:
        while True:
            await parts.clock.sleep(LAST_USE_SECONDS)
            await _flush(parts)
    finally:
        await _flush(parts)


async def _flush(parts: Parts) -> None:
    try:
        await parts.last_use.flush()
    except StoreUnavailableError as error:
        log.warning("times of last use not written", reason=str(error))
