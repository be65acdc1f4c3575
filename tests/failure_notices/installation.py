"""A whole installation whose default relay is the test's, in this process."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from smarthost.app.first_start import initialise
from smarthost.app.parts import Parts, open_parts
from smarthost.clock import SystemClock
from smarthost.config import Config, load_config
from smarthost.mail.address import parse_address
from smarthost.mail.dsn import Dsn
from smarthost.mail.envelope import addressed
from smarthost.mail_queue.accepted.model import Details, Message, Submission
from smarthost.mail_queue.model import State
from tests.mail_queue.listed import every_message
from tests.mail_queue.messages import BY
from tests.mail_queue.scripted import until

_PATIENCE = 20.0


class Hurried(SystemClock):
    """Nobody looks for work more seldom than a hundred times a second."""

    async def sleep(self, seconds: float) -> None:
        await super().sleep(min(seconds, 0.01))


@dataclass(frozen=True, kw_only=True)
class Installation:
    """Delivers; mail is handed in as the SMTP entrance does it."""

    parts: Parts
    portal_id: str

    async def submit(
        self, sender: str, *recipients: str, content: bytes, dsn: Dsn, message_id: str = ""
    ) -> str:
        submission = Submission(
            id=self.parts.ids.new(),
            envelope=addressed(
                content,
                sender=parse_address(sender),
                recipients=map(parse_address, recipients),
                dsn=dsn,
            ),
            details=Details(message_id=message_id, subject="Hello"),
        )
        intake = self.parts.delivery.intake
        await intake.submit(self.portal_id, [submission], by=BY, owner="key:1")
        return submission.id

    async def listed(self) -> Sequence[Message]:
        """Return all mail, newest first."""
        return await every_message(self.parts.delivery.mail_log, self.portal_id)

    async def come_to(self, *states: State) -> None:
        """Wait until the messages, newest first, have come to these states."""

        async def have_come() -> bool:
            listed = await self.listed()
            return [one.recipients[0].state for one in listed] == list(states)

        await until(have_come)


@asynccontextmanager
async def installation(folder: Path, port: int, sender: str) -> AsyncIterator[Installation]:
    """Run an installation whose portal has no relay of its own."""
    config = _config(folder, f"smtp://127.0.0.1:{port}?sender={sender}")
    async with open_parts(config, create=True, clock=Hurried()) as parts:
        portal = (await initialise(parts, "admin@example.com")).portal
        delivering = asyncio.create_task(parts.delivery.run())
        try:
            yield Installation(parts=parts, portal_id=portal.id)
        finally:
            parts.delivery.stop()
            await asyncio.wait_for(delivering, _PATIENCE)


def _config(folder: Path, relay: str) -> Config:
    return load_config(
        {
            "SMARTHOST_DATA_DIR": str(folder),
            "SMARTHOST_HELO_NAME": "smarthost.test",
            "SMARTHOST_DEFAULT_RELAY_URL": relay,
        },
        working_directory=folder,
        machine_name=lambda: "smarthost.test",
        stderr_is_terminal=False,
    )
