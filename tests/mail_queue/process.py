"""A worker in a process of its own, which says on its standard output what it does."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from smarthost.app.logs import configure_logs
from smarthost.clock import MICROSECONDS, SystemClock
from smarthost.delivery.outcome import Outcome, Report, Step, StepState
from smarthost.delivery.relay import RelaySettings
from smarthost.mail.envelope import Envelope
from smarthost.mail_queue.lock import DeliveryLock
from smarthost.mail_queue.store import ClaimLostError
from tests.engines import open_database
from tests.mail_queue.messages import outcome, relay
from tests.mail_queue.scripted import Scripted
from tests.mail_queue.workers import delivering, worker_of

SOURCE = """
import sys
from pathlib import Path
from tests.mail_queue.process import main

main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], float(sys.argv[4]))
"""
LOCK = "delivery.lock"


class LateClock(SystemClock):
    """The machine's clock, as if the process ran that many seconds later."""

    def __init__(self, seconds: float) -> None:
        self._microseconds = round(seconds * MICROSECONDS)

    def now(self) -> int:
        return super().now() + self._microseconds


def main(engine: str, folder: Path, hang: str, later: float) -> None:
    """Work until killed, `later` seconds from now.

    An attempt waits for a line on standard input at the step named `hang`; with "" at none.
    """
    configure_logs("console", "warning")  # away from standard output
    asyncio.run(_work(engine, folder, Step(hang) if hang else None, LateClock(later)))


async def _work(engine: str, folder: Path, hang: Step | None, clock: LateClock) -> None:
    async def attempt(
        settings: RelaySettings, envelope: Envelope, report: Report
    ) -> Sequence[Outcome]:
        for step in Step:
            try:
                await report(step, StepState.BEGIN, {})
            except ClaimLostError:
                _say(settings.portal_id, "lost")
                raise
            if step is hang:
                _say(settings.portal_id, step.value)
                await asyncio.to_thread(sys.stdin.readline)
        _say(settings.portal_id, "sent")
        return [outcome(recipient) for recipient in envelope.recipients]

    async def relay_of(portal_id: str) -> RelaySettings:
        return relay(portal_id)

    parts = delivering(open_database(engine, folder), clock, relay_of, Scripted(attempt))
    worker = worker_of(parts, DeliveryLock(folder / LOCK), clock)
    _say("ready")
    await worker.run()


def _say(*words: str) -> None:
    sys.stdout.write(" ".join(words) + "\n")
    sys.stdout.flush()
