import msgspec
import pytest

from smarthost.delivery.outcome import Code, Result, Step
from smarthost.explanations.explain import explain
from smarthost.explanations.failure import Facts, RelayShown
from smarthost.failure_notices.words import Told, subject, text
from smarthost.mail_queue.accepted.model import Details, Message, RecipientStatus
from smarthost.mail_queue.model import Attempted, Kind, State
from smarthost.sending.attempts import ShownAttempt
from tests.clocks import START
from tests.mail_queue.messages import ANNA, BORIS

SHOWN = RelayShown(host="mail.example.com", port=587, enable_ssl=True, enable_auth=True)
MESSAGE = Message(
    portal_id="1",
    id="0197",
    kind=Kind.MAIL,
    accepted_at=START,
    accepted_by="key",
    owner=None,
    sender="carla@example.com",
    size=10,
    details=Details(subject="Hello"),
    at_most_once=False,
    expires_at=None,
    has_body=True,
    recipients=(),
)


def told(
    address: str = ANNA,
    state: State = State.FAILED,
    *,
    reply: str | None = "550 5.1.1 No such user",
    code: Code | None = Code.RECIPIENT_REFUSED,
    hidden: bool = False,
    attempts: int = 1,
) -> Told:
    recipient = RecipientStatus(
        address=address,
        state=state,
        attempts=attempts,
        due_at=None,
        scheduled_at=None,
        held_for=None,
        in_doubt=False,
        ended_at=START,
        code=code,
    )
    if not attempts:
        return Told(recipient=recipient, last=None)
    relay = None if hidden else SHOWN
    failure = None
    if code is not None:
        failure = explain(Facts(step=Step.RECIPIENT, code=code, reply=reply, relay=relay))
    attempted = Attempted(
        address=address,
        attempt=attempts,
        started_at=START,
        microseconds=1,
        result=Result.DEFERRED if code else Result.ACCEPTED,
        step=Step.RECIPIENT,
        code=code,
        reply=reply,
    )
    last = ShownAttempt(attempted=attempted, relay="x", hidden=hidden, failure=failure)
    return Told(recipient=recipient, last=last)


def said(*about: Told, message: Message = MESSAGE) -> str:
    return text(message, about, "smarthost.example.net")


def test_it_says_for_whom_why_what_to_do_and_what_was_answered() -> None:
    assert (
        said(told())
        == """\
This is an automatic message of the mail service smarthost.example.net.

Your message was not delivered to:

    anna@example.org

The recipient's address does not exist. The receiving side has no such
mailbox.

What to do: Correct the recipient's address, or remove it.

The mail server said:

    550 5.1.1 No such user

The message:

    Subject:  Hello
    Accepted: 2026-01-01 00:00 UTC
    Id:       0197
"""
    )


def test_recipients_of_whom_the_same_is_said_stand_together() -> None:
    words = said(told(ANNA), told(BORIS), told("c@example.org", reply="550 Full"))
    assert "    anna@example.org\n    boris@example.org\n\n" in words
    assert words.count("Your message was not delivered to:") == 2


@pytest.mark.parametrize(("attempts", "tries"), [(0, "no try"), (1, "one try"), (9, "9 tries")])
def test_what_expired_is_said_to_be_tried_no_more(attempts: int, tries: str) -> None:
    words = said(told(state=State.EXPIRED, attempts=attempts)).replace("\n", " ")
    assert f"could not be handed over in time ({tries}), and is not tried any more" in words


def test_what_was_passed_on_is_said_to_be_the_last_word() -> None:
    words = said(told(state=State.SENT, code=None, reply="250 Ok")).replace("\n", " ")
    assert "Your message was passed on for:" in words
    assert "does not tell of successful delivery" in words
    assert "250" not in words


def test_of_a_hidden_relay_nothing_is_said() -> None:
    words = said(told(hidden=True))
    assert "mail.example.com" not in words
    assert "550" not in words


def test_the_subject_of_the_message_stays_on_its_line() -> None:
    details = Details(subject="Hello\r\n\nYour account\u202e is closed")
    message = msgspec.structs.replace(MESSAGE, details=details)
    assert "Subject:  Hello\ufffd\ufffd\ufffdYour account\ufffd is closed\n" in said(
        told(), message=message
    )


def test_the_notices_subject_says_what_failed() -> None:
    sent = told(BORIS, State.SENT, code=None)
    assert subject([told()]) == "Not delivered to anna@example.org"
    assert subject([told(ANNA), told(BORIS), sent]) == "Not delivered to 2 recipients"
    assert subject([told(ANNA), sent]) == "Not delivered to anna@example.org"
    assert subject([sent]) == "Passed on for boris@example.org"


@pytest.mark.parametrize("code", list(Code))
def test_each_failure_has_words(code: Code) -> None:
    assert "What to do" in said(told(code=code))
