"""Runs the service in one process: binds, opens, announces, serves, and stops in order.

The sockets are bound before anything else is touched, so that a port in use changes nothing. On
SIGTERM or SIGINT load balancers and what is under way get their time (`stop.py`, `node.py`), and
last the store is closed. SIGHUP has the certificate read again.
"""

import contextlib
import resource
import signal
import socket
from collections.abc import Callable

import msgspec
import structlog

from smarthost.app.crew import Alone
from smarthost.app.doctor_standbys import check_standbys
from smarthost.app.first_start import FirstStart, initialise
from smarthost.app.node import Node, live_certificate
from smarthost.app.opening import NotInitialisedError
from smarthost.app.parts import Parts, open_parts
from smarthost.app.roles import ALL_ROLES, Role, Roles
from smarthost.app.service_manager import ServiceManager
from smarthost.app.sign_in_offer import SignInOffer, offer_sign_in
from smarthost.app.signals import Meanings, handled, has_terminal, unless
from smarthost.app.stop import Stop
from smarthost.app.submission import Doors, bound, place_of
from smarthost.certificate.live import LiveCertificate
from smarthost.clock import SystemClock
from smarthost.config import Config
from smarthost.database.engine import StoreUnavailableError
from smarthost.database.sqlite import leave_memory_uncounted
from smarthost.portals.model import ConflictError, Portal
from smarthost.web.server import bind

log = structlog.get_logger("smarthost.app")

UNMANAGED = ServiceManager()
"""A service that nobody but its caller has started."""


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


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """How an installation stands once it is open: what is announced, and whose it is."""

    serving: Serving
    first: FirstStart | None
    offer: SignInOffer | None
    portal: Portal
    """The one of a standalone installation."""


async def serve(
    config: Config,
    announce: Announce,
    manager: ServiceManager = UNMANAGED,
    *,
    make_link: bool = False,
    roles: Roles = ALL_ROLES,
) -> None:
    """Serve until SIGTERM or SIGINT; `announce` is called once connections are taken.

    With `make_link`, for a caller that shows it to a person at once, it gets a link that signs in.
    `manager` is told of the start too, and of the stop. Raises what `open_parts` raises,
    `CertificateError`, `ListenError`, `SeveralPortalsError`, and `StoreUnavailableError` when the
    store fails while serving.
    """
    clock = SystemClock()
    stop = Stop(config.drain_seconds, clock)
    allow_all_files()
    leave_memory_uncounted()
    certificate = live_certificate(config, clock)
    with (
        contextlib.closing(bind(config.http_listen.host, config.http_listen.port)) as listening,
        bound(config, roles) as doors,
        # From here on, so that a signal during the start is an orderly stop too.
        handled(_meanings(stop, certificate)),
    ):
        create = config.admin_email is not None
        async with contextlib.AsyncExitStack() as stack:
            opening = open_parts(config, create=create, clock=clock)
            parts = await unless(stop.asked, stack.enter_async_context(opening))
            if parts is None:
                log.info("stopped")
                return
            begun = await begin(config, parts, listening, doors, roles, make_link=make_link)
            node = Node(config, parts, begun.portal, roles, Alone(), doors, certificate, stop)
            node.start()
            tell_of_start(config, begun, announce)
            async with manager.following(begun.serving.url, stop.asked, clock):
                await node.run(listening)
    log.info("stopped")


async def begin(
    config: Config,
    parts: Parts,
    listening: socket.socket,
    doors: Doors,
    roles: Roles,
    *,
    make_link: bool,
) -> Begun:
    """Make what is missing in an open store, if the configuration says so.

    Raises `NotInitialisedError`, `SeveralPortalsError`, `StoreUnavailableError`.
    """
    await _warn_of_standbys(config, parts)
    first = await _first_start(config, parts)
    portal = first.portal if first else await _standalone_portal(config, parts)
    serving = Serving(
        url=service_url(config, portal, listening.getsockname()[1]),
        smtp=place_of(config.submission_listen, doors.clear),
        smtps=place_of(config.submission_tls_listen, doors.tls),
    )
    offer = None
    if Role.HTTP in roles:
        # Of several tenants the operator says whose page they want to open.
        for_one = first is not None or config.base_domain is None
        offer = await offer_sign_in(parts, portal, serving.url, make_link=make_link and for_one)
    return Begun(serving=serving, first=first, offer=offer, portal=portal)


def tell_of_start(config: Config, begun: Begun, announce: Announce) -> None:
    """Announce where it is served, and write it to the log."""
    serving = begun.serving
    announce(serving, begun.first, begun.offer)
    log.info("serving", url=serving.url, smtp=serving.smtp, smtps=serving.smtps)
    if config.ignored_names:
        log.info("variables of a container platform ignored", names=config.ignored_names)


def service_url(config: Config, portal: Portal, port: int) -> str:
    """Return where a person on this machine reaches the portal."""
    host = config.http_listen.reached_at
    if config.base_domain is not None:
        host = f"{portal.name}.{config.base_domain}"
    scheme = "https" if config.tls is not None and config.http_tls else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


async def _warn_of_standbys(config: Config, parts: Parts) -> None:
    if config.database_url is None:
        return
    try:
        found = await check_standbys(parts.database, config.database_url)
    except StoreUnavailableError as error:
        log.debug("the database's standbys not looked at", reason=str(error))
        return
    if not found.ok:
        log.warning("the database's standbys are to be looked at", reason=found.message)


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


def allow_all_files() -> None:
    """Lift the soft limit of open files: every connection is one, and 1,024 is common."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _meanings(stop: Stop, certificate: LiveCertificate | None) -> Meanings:
    hang_up = stop.ask if has_terminal() else reading_again(certificate)
    return {
        signal.SIGTERM: stop.ask,
        signal.SIGINT: stop.ask,
        signal.SIGHUP: hang_up,
    }


def reading_again(certificate: LiveCertificate | None) -> Callable[[], None]:
    """Return what SIGHUP means to a service: what reloads services sends it to all of them."""
    return certificate.read_again if certificate else _nothing


def _nothing() -> None:
    """Go on: there is nothing to read again."""
