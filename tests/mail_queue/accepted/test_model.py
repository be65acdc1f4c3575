from typing import Any

import msgspec
import pytest

from smarthost.delivery.outcome import Code
from smarthost.mail_queue.accepted.model import Details, Event, Message, RecipientStatus, Tag
from smarthost.mail_queue.model import HeldFor, Kind, State

NOW = 1_000_000


def status(state: State, **fields: Any) -> RecipientStatus:
    values: dict[str, Any] = {
        "address": "anna@example.org",
        "state": state,
        "attempts": 0,
        "due_at": NOW,
        "scheduled_at": None,
        "held_for": HeldFor.IN_DOUBT if state is State.HELD else None,
        "in_doubt": False,
        "ended_at": None,
        "code": None,
    }
    return RecipientStatus(**(values | fields))


def message(*recipients: RecipientStatus) -> Message:
    return Message(
        portal_id="p",
        id="m",
        kind=Kind.MAIL,
        accepted_at=NOW,
        accepted_by="admin@example.com",
        owner=None,
        sender="portal@example.com",
        size=1,
        details=Details(),
        at_most_once=False,
        expires_at=None,
        has_body=True,
        recipients=recipients,
    )


DEFERRED: dict[str, Any] = {"code": Code.TIMED_OUT, "attempts": 1}
EVENTS: list[tuple[State, dict[str, Any], Event]] = [
    (State.QUEUED, {}, Event.QUEUED),
    (State.QUEUED, {"scheduled_at": NOW + 1}, Event.SCHEDULED),
    (State.QUEUED, {"scheduled_at": NOW}, Event.QUEUED),
    (State.QUEUED, DEFERRED, Event.DELIVERY_DELAYED),
    (State.SENDING, {"attempts": 1}, Event.QUEUED),
    (State.SENDING, DEFERRED, Event.DELIVERY_DELAYED),
    (State.HELD, {}, Event.DELIVERY_DELAYED),
    (State.SENT, {}, Event.SENT),
    (State.FAILED, DEFERRED, Event.FAILED),
    (State.EXPIRED, DEFERRED, Event.FAILED),
    (State.CANCELLED, DEFERRED, Event.CANCELED),
]


@pytest.mark.parametrize(("state", "fields", "event"), EVENTS)
def test_each_state_has_the_event_of_the_contract(
    state: State, fields: dict[str, Any], event: Event
) -> None:
    assert message(status(state, **fields)).event(now=NOW, on_hold=False) is event


@pytest.mark.parametrize(("state", "fields", "event"), EVENTS)
def test_behind_a_hold_what_is_queued_is_delayed_and_nothing_else_changes(
    state: State, fields: dict[str, Any], event: Event
) -> None:
    seen = message(status(state, **fields)).event(now=NOW, on_hold=True)
    assert seen is (Event.DELIVERY_DELAYED if event is Event.QUEUED else event)


@pytest.mark.parametrize(
    ("states", "event"),
    [
        ((State.SENT, State.SENT), Event.SENT),
        ((State.SENT, State.QUEUED), Event.QUEUED),
        ((State.SENT, State.CANCELLED), Event.CANCELED),
        ((State.HELD, State.CANCELLED), Event.DELIVERY_DELAYED),
        ((State.HELD, State.QUEUED), Event.DELIVERY_DELAYED),
        ((State.SENT, State.FAILED, State.HELD), Event.FAILED),
        ((State.QUEUED, State.EXPIRED), Event.FAILED),
    ],
)
def test_of_several_recipients_the_worst_counts(states: tuple[State, ...], event: Event) -> None:
    for order in (states, states[::-1]):
        recipients = [status(state) for state in order]
        assert message(*recipients).event(now=NOW, on_hold=False) is event


def test_details_are_stored_without_what_is_empty_and_read_back() -> None:
    details = Details(
        from_="a@example.com", to=("b@example.com",), tags=(Tag(name="n", value="v"),)
    )
    stored = msgspec.json.encode(details)
    assert stored == (
        b'{"from":"a@example.com","to":["b@example.com"],"tags":[{"name":"n","value":"v"}]}'
    )
    assert msgspec.json.decode(stored, type=Details) == details
    assert msgspec.json.decode(b"{}", type=Details) == Details()
