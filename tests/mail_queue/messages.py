"""Messages, relays and outcomes to fill a queue with."""

from typing import Any

from smarthost.audit.model import Actor
from smarthost.delivery.outcome import Outcome, Result, Step
from smarthost.delivery.relay import RelaySettings
from smarthost.mail.envelope import Envelope
from smarthost.mail_queue.accepted.model import Details, Submission
from smarthost.mail_queue.intake import Intake
from smarthost.mail_queue.model import Attempted, Claim, Kind

BY = Actor(name="admin@example.com")
ANNA, BORIS = "anna@example.org", "boris@example.org"
CONTENT = b"Subject: x\r\n\r\nHello.\r\n.\r\n\x00\xff"
REVISION = 3


def envelope(*recipients: str, **fields: Any) -> Envelope:
    values: dict[str, Any] = {
        "sender": "portal@example.com",
        "recipients": recipients or (ANNA,),
        "content": CONTENT,
        "needs_smtputf8": False,
        "needs_8bit": True,
    }
    return Envelope(**(values | fields))


def submission(intake: Intake, *recipients: str, **fields: Any) -> Submission:
    values: dict[str, Any] = {
        "id": intake._ids.new(),
        "envelope": envelope(*recipients),
        "details": Details(subject="x", to=recipients),
    }
    return Submission(**(values | fields))


async def submit_test(intake: Intake, portal: str, revision: int = REVISION) -> str:
    return await intake.submit_test(portal, envelope(), revision=revision, by=BY)


async def submit_mail(
    intake: Intake,
    portal: str,
    *recipients: str,
    owner: str | None = None,
    kind: Kind = Kind.MAIL,
    **fields: Any,
) -> str:
    """Hand one message in and return its id; `fields` are those of the submission."""
    handed_in = submission(intake, *recipients, **fields)
    assert await intake.submit(portal, [handed_in], by=BY, owner=owner, kind=kind) is None
    return handed_in.id


def relay(portal: str, revision: int = REVISION, **fields: Any) -> RelaySettings:
    values: dict[str, Any] = {"host": "mail.example.com", "port": 587, "enable_ssl": True}
    return RelaySettings(
        portal_id=portal, revision=revision, helo_name="smarthost.test", **(values | fields)
    )


def outcome(recipient: str = ANNA, result: Result = Result.ACCEPTED, **fields: Any) -> Outcome:
    values: dict[str, Any] = {"step": Step.DATA, "revision": REVISION}
    return Outcome(recipient=recipient, result=result, **(values | fields))


def attempted(claim: Claim, result: Result = Result.ACCEPTED, **fields: Any) -> list[Attempted]:
    """The same for each recipient of `claim`."""
    values: dict[str, Any] = {"step": Step.DATA, "microseconds": 1}
    return [
        Attempted(
            address=one.address,
            attempt=one.attempt,
            started_at=claim.started_at,
            result=result,
            **(values | fields),
        )
        for one in claim.recipients
    ]
