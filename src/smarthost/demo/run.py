"""Runs the demo: the catching relay, the service in a folder of its own, and a test message.

The service is started, used and stopped as anybody does it, by its own entrance, over HTTP and by
a signal; it knows nothing of being shown.
"""

import asyncio
import signal
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import msgspec

from smarthost.app.first_start import FirstStart
from smarthost.app.serve import Announce, Serving, serve
from smarthost.app.sign_in_offer import SignInOffer
from smarthost.clock import Clock
from smarthost.config import Config, ListenAddress, load_config
from smarthost.demo.catching_relay import HOST, Login, catching_relay
from smarthost.demo.caught import CaughtMessage
from smarthost.demo.visitor import ServiceGoneError, Visitor
from smarthost.secret import Secret
from smarthost.web.server import ListenError

ADMINISTRATOR = "admin@demo.localhost"
SENDER = "notify@demo.localhost"


_Begun = asyncio.Future[tuple[Serving, FirstStart, Secret]]
"""Ends when the service takes connections; the last of it signs in."""


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """What has been set up."""

    url: str
    portal: str
    administrator: str
    key: Secret
    smtp: str | None
    """Where mail is submitted by SMTP, as `host:port`."""
    sign_in: Secret
    """The address that signs the administrator in to their page, once."""
    relay_port: int
    """The catching relay's, at 127.0.0.1."""


class Audience(Protocol):
    """Who is shown what happens."""

    def ready(self, scene: Scene) -> None:
        """See what has been set up, before anything is sent."""

    def caught(self, message: CaughtMessage) -> None:
        """See a message that has arrived at the catching relay."""

    def tested(self, error: str) -> None:
        """Learn how the first test message ended: why it failed, or nothing."""


def demo_config(data_dir: Path, http_port: int, smtp_port: int) -> Config:
    """Return the configuration of the demo's service, at these ports of 127.0.0.1.

    Nothing of the operator's own goes into it: a demo tried beside an installation leaves that
    alone.
    """
    environ = {
        "SMARTHOST_DATA_DIR": str(data_dir),
        "SMARTHOST_HTTP_LISTEN": f"{HOST}:{http_port}",
        "SMARTHOST_SUBMISSION_LISTEN": f"{HOST}:{smtp_port}",
        "SMARTHOST_ADMIN_EMAIL": ADMINISTRATOR,
        # Whoever tries things out would soon have had the five tests of a quarter of an hour.
        "SMARTHOST_RATE_LIMITS": "off",
    }
    return load_config(
        environ, working_directory=data_dir, machine_name=str, stderr_is_terminal=False
    )


def relay_settings(login: Login, port: int) -> dict[str, str | int | bool]:
    """Return the settings for the catching relay, as the API takes them."""
    return {
        "host": HOST,
        "port": port,
        "senderAddress": SENDER,
        "enableAuth": True,
        "credentialsUserName": login.user_name,
        "credentialsUserPassword": login.password.reveal(),
    }


async def demonstrate(
    config: Config, login: Login, audience: Audience, clock: Clock, *, once: bool
) -> bool:
    """Run the demo until SIGINT or SIGTERM; with `once` until the first test has ended.

    Returns whether the first test message was taken. Raises what `serve` and `Visitor` raise.
    """
    begun: _Begun = asyncio.get_running_loop().create_future()

    def announce(serving: Serving, first: FirstStart | None, offer: SignInOffer | None) -> None:
        if first is not None and offer is not None and offer.url is not None:
            begun.set_result((serving, first, offer.url))  # always so in an empty folder

    async with catching_relay(login, audience.caught) as port:
        serving = asyncio.create_task(_serve(config, announce))
        playing = asyncio.create_task(_play(begun, login, port, audience, clock))
        await asyncio.wait({serving, playing}, return_when=asyncio.FIRST_COMPLETED)
        over = playing.done() and (once or playing.exception() is not None)
        if over and not serving.done():
            signal.raise_signal(signal.SIGINT)  # the service takes it for Ctrl-C
        await asyncio.wait({serving})
        playing.cancel()
        await asyncio.wait({playing})
    serving.result()
    return not playing.cancelled() and playing.result()


async def _serve(config: Config, announce: Announce) -> None:
    try:
        await serve(config, announce, make_link=True)
    except ListenError:  # raised before anything was done
        anywhere = ListenAddress(host=HOST, port=0)
        elsewhere = replace(config, http_listen=anywhere, submission_listen=anywhere)
        await serve(elsewhere, announce, make_link=True)


async def _play(
    begun: _Begun,
    login: Login,
    port: int,
    audience: Audience,
    clock: Clock,
) -> bool:
    """Save the settings and send the test message; return whether it was taken."""
    place, first, sign_in = await begun
    visitor = Visitor(place.url, first.key, clock)
    scene = Scene(
        url=place.url,
        smtp=place.smtp,
        portal=first.portal.name,
        administrator=first.administrator.email,
        key=first.key,
        sign_in=sign_in,
        relay_port=port,
    )
    try:
        await visitor.save(relay_settings(login, port))
        audience.ready(scene)
        error = await visitor.test()
    except ServiceGoneError:
        return False  # stopped before the test had ended; `serve` says why
    audience.tested(error)
    return not error
