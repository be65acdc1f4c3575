"""Claims and attempts that no store has seen."""

from typing import Any

from smarthost.delivery.outcome import Code, Result, Step
from smarthost.mail_queue.model import Attempted, Claim, Claimed, Kind
from tests.clocks import START
from tests.mail_queue.messages import ANNA, REVISION


def claim_of(kind: Kind = Kind.MAIL, **fields: Any) -> Claim:
    values: dict[str, Any] = {
        "id": "a claim",
        "portal_id": "a portal",
        "message_id": "a message",
        "kind": kind,
        "revision": REVISION if kind is Kind.TEST else None,
        "accepted_at": START,
        "ages_from": START,
        "wanted_at": START,
        "expires_at": None,
        "at_most_once": False,
        "started_at": START,
        "recipients": (Claimed(address=ANNA, attempt=1),),
        "probe": False,
    }
    return Claim(**(values | fields))


def tried(code: Code | None, step: Step = Step.DATA, **fields: Any) -> Attempted:
    """An attempt that was deferred with `code`, or accepted with none."""
    values: dict[str, Any] = {
        "address": ANNA,
        "attempt": 1,
        "started_at": START,
        "microseconds": 1,
        "result": Result.ACCEPTED if code is None else Result.DEFERRED,
        "step": step,
        "code": code,
        "revision": REVISION,
        "relay_host": "mail.example.com",
        "relay_port": 587,
        "default_relay": False,
    }
    return Attempted(**(values | fields))
