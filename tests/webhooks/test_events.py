import msgspec
import pytest

from smarthost.delivery.outcome import Code
from smarthost.mail_queue.accepted.model import Details
from smarthost.mail_queue.model import Ended, State
from smarthost.webhooks.events import Told, by_type, payload
from smarthost.webhooks.model import EventType
from tests.mail_queue.messages import ANNA, BORIS
from tests.webhooks.told import DETAILS, ended

REFUSED = ended(State.FAILED, BORIS, code=Code.RECIPIENT_REFUSED)
AT = 1_767_225_600_126_000
TOLD = Told(message_id="0197", accepted_at=AT - 1, sender="notify@example.com", details=DETAILS)


def whom(*of: Ended) -> dict[EventType, list[str]]:
    return {kind: [one.address for one in about] for kind, about in by_type(of).items()}


def test_a_change_makes_one_event_of_a_type_at_the_most() -> None:
    assert whom(ended(), REFUSED, ended(address="carl@example.org")) == {
        EventType.SENT: [ANNA, "carl@example.org"],
        EventType.FAILED: [BORIS],
    }


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        (State.SENT, EventType.SENT),
        (State.FAILED, EventType.FAILED),
        (State.EXPIRED, EventType.FAILED),
        (State.HELD, EventType.DELIVERY_DELAYED),
        (State.QUEUED, EventType.DELIVERY_DELAYED),
        (State.CANCELLED, None),
        (State.SENDING, None),
    ],
)
def test_each_end_has_its_event(state: State, kind: EventType | None) -> None:
    assert list(by_type([ended(state)])) == ([] if kind is None else [kind])


def test_what_is_delayed_already_is_not_told_again() -> None:
    assert by_type([ended(State.QUEUED, attempts=2)]) == {}
    assert list(by_type([ended(State.HELD, attempts=2)])) == [EventType.DELIVERY_DELAYED]


def test_an_event_has_the_shape_of_resends() -> None:
    about = by_type([ended()])[EventType.SENT]
    assert msgspec.json.decode(payload(EventType.SENT, TOLD, about, AT)) == {
        "type": "email.sent",
        "created_at": "2026-01-01T00:00:00.126000Z",
        "data": {
            "email_id": "0197",
            "created_at": "2026-01-01T00:00:00.125999Z",
            "from": "Acme <notify@example.com>",
            "to": [ANNA, BORIS],
            "subject": "Grüße",
            "recipients": [ANNA],
            "tags": {"category": "welcome"},
        },
    }


def test_a_failure_says_why() -> None:
    about = by_type([REFUSED])[EventType.FAILED]
    data = msgspec.json.decode(payload(EventType.FAILED, TOLD, about, AT))["data"]
    assert data["failed"] == {"reason": "recipient_refused"}


def test_a_message_whose_time_was_over_untried_has_a_reason_too() -> None:
    about = [ended(State.EXPIRED, attempts=0, code=None)]
    data = msgspec.json.decode(payload(EventType.FAILED, TOLD, about, AT))["data"]
    assert data["failed"] == {"reason": "expired"}


def test_a_message_without_details_has_its_envelopes_sender() -> None:
    told = msgspec.structs.replace(TOLD, details=Details())
    about = by_type([ended()])[EventType.SENT]
    data = msgspec.json.decode(payload(EventType.SENT, told, about, AT))["data"]
    assert data["from"] == "notify@example.com"
    assert "tags" not in data
