"""Messages and what becomes of them, to be told."""

from typing import Any

from smarthost.audit.model import Actor
from smarthost.clock import Clock
from smarthost.database.engine import Database, Transaction
from smarthost.delivery.outcome import Code
from smarthost.ids import Ids
from smarthost.mail_queue.accepted.model import Details, Submission, Tag
from smarthost.mail_queue.intake import Intake
from smarthost.mail_queue.model import Ended, State
from smarthost.smtp_settings.sealing import KEY_OCTETS, KeyRing, key_id
from smarthost.webhooks.waiting.store import WaitingEvents
from tests.mail_queue.messages import ANNA, BORIS, envelope

BY = Actor(name="admin@example.com")
URL = "https://app.example.com/hook"
DETAILS = Details(
    message_id="<1@example.com>",
    from_="Acme <notify@example.com>",
    to=(ANNA, BORIS),
    subject="Grüße",
    tags=(Tag(name="category", value="welcome"),),
)
_KEY = bytes(range(KEY_OCTETS))
RING = KeyRing({key_id(_KEY): _KEY}, key_id(_KEY))


def ended(state: State = State.SENT, address: str = ANNA, **fields: Any) -> Ended:
    """Where a recipient stands after its first attempt."""
    code = None if state is State.SENT else Code.TEMPORARILY_REFUSED
    values: dict[str, Any] = {"attempts": 1, "code": code}
    return Ended(address=address, state=state, **(values | fields))


async def accept(intake: Intake, clock: Clock, portal: str, details: Details = DETAILS) -> str:
    """Have a message accepted, and return its id."""
    message_id = Ids(clock).new()
    submission = Submission(id=message_id, envelope=envelope(ANNA, BORIS), details=details)
    await intake.submit(portal, [submission], by=BY, owner=None)
    return message_id


async def note(
    database: Database, waiting: WaitingEvents, portal: str, message_id: str, *of: Ended
) -> None:
    """Write the events of a change, as the queue has it done."""

    async def work(tx: Transaction) -> None:
        await waiting.note(tx, portal, message_id, of)

    await database.transact(work)
