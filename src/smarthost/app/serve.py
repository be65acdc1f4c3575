"""Runs the service: binds, opens, announces, serves, and stops in order.

The sockets are bound before anything else is touched, so that a port in use changes nothing. On
SIGTERM or SIGINT HTTP and SMTP stop accepting, what is in flight gets five seconds to finish, then
the worker stops and its connections end, and last the store is closed. SIGHUP has the certificate
read again.
"""

import asyncio
import contextlib
import gc
import resource
import signal
import socket
import sys
from collections.abc import Callable, Iterator

import msgspec
import structlog

from smarthost.app.first_start import FirstStart, initialise
from smarthost.app.parts import NotInitialisedError, Parts, open_parts
from smarthost.app.service_manager import ServiceManager
from smarthost.app.sign_in_offer import SignInOffer, offer_sign_in
from smarthost.app.submission import Doors, bound, door_shown, make_listener, place_of
from smarthost.app.web import make_web
from smarthost.certificate.live import LiveCertificate
from smarthost.clock import Clock, SystemClock
from smarthost.config import Config
from smarthost.database.engine import StoreUnavailableError
from smarthost.database.sqlite import leave_memory_uncounted
from smarthost.metrics.certificate import Shown
from smarthost.metrics.metrics import Metrics
from smarthost.portals.model import ConflictError, Portal
from smarthost.submission.listener import Listener
from smarthost.web.server import Server, bind, make_server

log = structlog.get_logger("smarthost.app")

UNMANAGED = ServiceManager()
"""A service that nobody but its caller has started."""

LAST_USE_SECONDS = 30.0
_YOUNG_OBJECTS = 10_000  # that the collector lets come together before it looks through them


class Serving(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a program on this machine reaches the service."""

    url: str
    smtp: str | None = None
    """`host:port` for submission; None: nowhere."""
    smtps: str | None = None
    """`host:port` for submission with TLS from the first octet."""


Announce = Callable[[Serving, FirstStart | None, SignInOffer | None], None]
"""Takes where the service is reached, what was made if this was the first start, and how the first
administrator signs in."""


class SeveralPortalsError(Exception):
    """A standalone installation has one portal, and this one has more."""


async def serve(
    config: Config,
    announce: Announce,
    manager: ServiceManager = UNMANAGED,
    *,
    make_link: bool = False,
) -> None:
    """Serve until SIGTERM or SIGINT; `announce` is called once connections are taken.

    With `make_link`, for a caller that shows it to a person at once, it gets a link that signs in.
    `manager` is told of the start too, and of the stop. Raises what `open_parts` raises,
    `CertificateError`, `ListenError`, `SeveralPortalsError`, and `StoreUnavailableError` when the
    store fails while serving.
    """
    stopped = asyncio.Event()
    clock = SystemClock()
    _allow_all_files()
    leave_memory_uncounted()
    certificate = _certificate(config, clock)
    with (
        contextlib.closing(bind(config.http_listen.host, config.http_listen.port)) as listening,
        bound(config) as doors,
        # From here on, so that a signal during the start is an orderly stop too.
        _signals(stopped.set, certificate),
    ):
        create = config.admin_email is not None
        async with open_parts(config, create=create, clock=clock) as parts:
            first = await _first_start(config, parts)
            portal = first.portal if first else await _standalone_portal(config, parts)
            tls = certificate.http_context if certificate and config.http_tls else None
            web = make_web(config, parts, portal, stopped, door_shown(config, doors))
            server = make_server(web, tls=tls)
            _measure(parts.metrics, server, certificate)
            shown = certificate.smtp_context if certificate else _no_certificate
            listener = make_listener(config, parts, shown)
            listener.start(doors.open_ones())
            serving = _serving(config, portal, listening, doors)
            # Of several tenants the operator says whose page they want to open.
            for_one = first is not None or config.base_domain is None
            offer = await offer_sign_in(
                parts, portal, serving.url, make_link=make_link and for_one
            )
            # What is there now stays: the collector need not look through it again and again,
            # which took a twentieth of each save. What a request leaves behind is hardly ever a
            # cycle, so looking through the young every few requests finds nothing either.
            gc.collect()
            gc.freeze()
            gc.set_threshold(_YOUNG_OBJECTS)
            announce(serving, first, offer)
            log.info("serving", url=serving.url, smtp=serving.smtp, smtps=serving.smtps)
            if config.ignored_names:
                log.info("variables of a container platform ignored", names=config.ignored_names)
            async with manager.following(serving.url, stopped, clock):
                await _until_stopped(stopped, server, listening, listener, parts, certificate)
    log.info("stopped")


def service_url(config: Config, portal: Portal, port: int) -> str:
    """Return where a person on this machine reaches the portal."""
    host = config.http_listen.reached_at
    if config.base_domain is not None:
        host = f"{portal.name}.{config.base_domain}"
    scheme = "https" if config.tls is not None and config.http_tls else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _certificate(config: Config, clock: Clock) -> LiveCertificate | None:
    if config.tls is None:
        return None
    return LiveCertificate(config.tls.certificate, config.tls.key, clock)


def _no_certificate() -> None:
    """Show none: STARTTLS is not offered."""


def _serving(config: Config, portal: Portal, http: socket.socket, doors: Doors) -> Serving:
    return Serving(
        url=service_url(config, portal, http.getsockname()[1]),
        smtp=place_of(config.submission_listen, doors.clear),
        smtps=place_of(config.submission_tls_listen, doors.tls),
    )


async def _first_start(config: Config, parts: Parts) -> FirstStart | None:
    if await parts.portals.portals(at_most=1):
        return None
    if config.admin_email is None:
        raise NotInitialisedError(config.data_dir)
    try:
        return await initialise(parts, config.admin_email)
    except ConflictError:
        return None  # another process, started at the same moment, was first


async def _standalone_portal(config: Config, parts: Parts) -> Portal:
    portals = await parts.portals.portals(at_most=2)
    if config.base_domain is None and len(portals) > 1:
        raise SeveralPortalsError(
            "This installation has several portals. Set SMARTHOST_BASE_DOMAIN to the domain that "
            "their host names are under."
        )
    return portals[0]


async def _until_stopped(
    stopped: asyncio.Event,
    server: Server,
    listening: socket.socket,
    listener: Listener,
    parts: Parts,
    certificate: LiveCertificate | None,
) -> None:
    stopping = asyncio.create_task(stopped.wait())
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    failing = asyncio.create_task(parts.database.wait_failed())
    noting = asyncio.create_task(_note_last_uses(parts))
    delivering = asyncio.create_task(parts.delivery.run())
    watching = asyncio.create_task(_watch(certificate))
    tasks = {serving, failing, stopping, noting, delivering, watching}
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    stopped.set()  # whatever it was that ended it
    server.stop()
    await asyncio.gather(serving, listener.stop())
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


def _allow_all_files() -> None:
    """Lift the soft limit of open files: every connection is one, and 1,024 is common."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@contextlib.contextmanager
def _signals(stop: Callable[[], None], certificate: LiveCertificate | None) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    meanings = {signal.SIGTERM: stop, signal.SIGINT: stop, signal.SIGHUP: stop}
    # Where somebody sits, SIGHUP says that the terminal is gone.
    if not _has_terminal():
        meanings[signal.SIGHUP] = certificate.read_again if certificate else _nothing
    for number, meaning in meanings.items():
        loop.add_signal_handler(number, meaning)
    try:
        yield
    finally:
        for number in meanings:
            loop.remove_signal_handler(number)


def _has_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _nothing() -> None:
    """Go on: what reloads services sends SIGHUP to those with nothing to reload too."""
