"""Portals that are on hold, put there as the queue does it."""

from typing import Any

from smarthost.clock import Clock
from smarthost.database.engine import Database, Transaction
from smarthost.delivery.outcome import Code, Step
from smarthost.ids import Ids
from smarthost.mail_queue.accepted.model import Details, Submission
from smarthost.mail_queue.holds.model import Hold
from smarthost.mail_queue.holds.store import lift, put
from smarthost.mail_queue.intake import Intake
from smarthost.smtp_settings.model import Draft, SmtpSettings
from tests.mail_queue.messages import BY, envelope

HOST = "mail.acme.example"
RELAY = SmtpSettings(
    host=HOST,
    port=587,
    sender_address="notify@acme.example",
    sender_display_name=None,
    user_name=None,
    enable_ssl=True,
    enable_auth=False,
    use_ntlm=False,
)
SAVED = Draft(settings=RELAY, password=None)


def hold(portal_id: str, since: int, **fields: Any) -> Hold:
    """A hold since the login was refused."""
    values: dict[str, Any] = {
        "revision": 1,
        "default_relay": False,
        "relay_host": HOST,
        "relay_port": 587,
        "step": Step.AUTHENTICATE,
        "code": Code.LOGIN_REFUSED,
        "permanent": True,
        "reply": "535 5.7.8 No",
        "tls": "TLSv1.3",
        "failures": 1,
        "tried_at": since,
        "probe_at": since + 1,
        "told_at": None,
    }
    return Hold(portal_id=portal_id, since=since, **(values | fields))


async def put_on_hold(database: Database, held: Hold) -> None:
    async def work(tx: Transaction) -> None:
        assert await put(tx, held)

    await database.transact(work)


async def let_go(database: Database, portal_id: str) -> None:
    async def work(tx: Transaction) -> None:
        await lift(tx, portal_id)

    await database.transact(work)


async def accept(intake: Intake, clock: Clock, portal_id: str, *recipients: str) -> None:
    submission = Submission(id=Ids(clock).new(), envelope=envelope(*recipients), details=Details())
    await intake.submit(portal_id, [submission], by=BY, owner=None)
