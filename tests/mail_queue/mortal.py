"""A worker in a process of its own that kills itself at a named point of its work.

What the relay has taken stands in a file, written as a relay does: after the last octet, before
the answer.
"""

import asyncio
import os
import signal
from collections.abc import Sequence
from pathlib import Path

from smarthost.app.logs import configure_logs
from smarthost.clock import SystemClock
from smarthost.delivery.outcome import Outcome, Report, Step, StepState
from smarthost.delivery.relay import RelaySettings
from smarthost.mail.envelope import Envelope
from smarthost.mail_queue.load import Limits
from smarthost.mail_queue.lock import DeliveryLock
from tests.engines import open_database
from tests.mail_queue.messages import outcome, relay
from tests.mail_queue.scripted import Scripted
from tests.mail_queue.workers import delivering, worker_of

SOURCE = """
import sys
from pathlib import Path
from tests.mail_queue.mortal import main

main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
"""
ACCEPTED = "accepted"
"""The point at which the relay has the message and nobody knows."""

TAKEN = "taken"
"""The file's name."""


def main(engine: str, folder: Path, point: str, number: int) -> None:
    """Work, and die when the attempt of that number has come to `point`; 0: at none."""
    configure_logs("console", "error")
    asyncio.run(_work(engine, folder, point, number))


async def _work(engine: str, folder: Path, point: str, number: int) -> None:
    begun = 0
    taken = os.open(folder / TAKEN, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    async def attempt(
        settings: RelaySettings, envelope: Envelope, report: Report
    ) -> Sequence[Outcome]:
        nonlocal begun
        begun += 1
        dies = begun == number

        def come_to(where: str) -> None:
            if dies and where == point:
                os.kill(os.getpid(), signal.SIGKILL)

        for step in Step:
            await report(step, StepState.BEGIN, {})
            await asyncio.sleep(0)  # the others get on
            come_to(step.value)
        os.write(taken, f"{settings.portal_id} {envelope.content.decode()}\n".encode())
        come_to(ACCEPTED)
        await report(Step.DATA, StepState.OK, {})
        await asyncio.sleep(0)
        return [outcome(recipient) for recipient in envelope.recipients]

    async def relay_of(portal_id: str) -> RelaySettings:
        return relay(portal_id, host=f"{portal_id}.example.com")

    clock = SystemClock()
    parts = delivering(
        open_database(engine, folder),
        clock,
        relay_of,
        Scripted(attempt),
        limits_of=lambda _host: Limits(connections=1),
    )
    await worker_of(parts, DeliveryLock(folder / "delivery.lock"), clock).run()
