"""Deliveries in a process of its own, which a test can kill."""

import asyncio
import ssl
from pathlib import Path

from smarthost.clock import SystemClock
from smarthost.ids import Ids
from smarthost.smtp.egress import Policy
from smarthost.webhooks.deliver import WebhookDelivery
from smarthost.webhooks.post import Poster
from smarthost.webhooks.waiting.store import WaitingEvents
from tests.engines import open_database
from tests.names import Names
from tests.webhooks.told import RING

SOURCE = """
import sys
from pathlib import Path
from tests.webhooks.process import main

main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
"""


def main(engine: str, folder: Path, ca_file: Path) -> None:
    """Deliver what is due until killed."""
    asyncio.run(_deliver(engine, folder, ca_file))


async def _deliver(engine: str, folder: Path, ca_file: Path) -> None:
    clock = SystemClock()
    waiting = WaitingEvents(open_database(engine, folder), clock, Ids(clock), RING)
    await delivery(waiting, clock, ssl.create_default_context(cafile=ca_file)).run()


def delivery(
    waiting: WaitingEvents, clock: SystemClock, context: ssl.SSLContext
) -> WebhookDelivery:
    def opened() -> Poster:
        return Poster(Policy("any"), Names(["127.0.0.1"]), lambda: context, at_once=4)

    return WebhookDelivery(waiting, opened, clock, lambda: 0.5, lambda: True)
