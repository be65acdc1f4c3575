import pytest

from smarthost.delivery.outcome import Code
from smarthost.failure_notices.status import status_of
from smarthost.mail_queue.model import State


@pytest.mark.parametrize(
    ("state", "code", "reply", "status"),
    [
        (State.FAILED, Code.RECIPIENT_REFUSED, "550 5.1.1 No such user", "5.1.1"),
        (State.FAILED, Code.RECIPIENT_REFUSED, "550 5.1.1", "5.1.1"),
        (State.EXPIRED, Code.TEMPORARILY_REFUSED, "450 4.2.0 Greylisted", "4.2.0"),
        (State.SENT, None, "250 2.6.0 Queued", "2.6.0"),
        # Without one of its own, or with one of another class: what our code means.
        (State.FAILED, Code.RECIPIENT_REFUSED, "550 No such user", "5.1.0"),
        (State.FAILED, Code.RECIPIENT_REFUSED, "550 4.1.1 No", "5.1.0"),
        (State.FAILED, Code.RECIPIENT_REFUSED, "550 5.1.1234 No", "5.1.0"),
        (State.FAILED, Code.MESSAGE_TOO_LARGE, None, "5.3.4"),
        (State.FAILED, Code.SMTPUTF8_UNSUPPORTED, None, "5.6.7"),
        (State.FAILED, Code.EIGHT_BIT_UNSUPPORTED, None, "5.6.3"),
        (State.FAILED, Code.MESSAGE_REFUSED, "554 No", "5.0.0"),
        (State.EXPIRED, Code.TIMED_OUT, None, "4.4.7"),
        (State.EXPIRED, None, None, "4.4.7"),
        (State.SENT, None, "250 Ok", "2.0.0"),
    ],
)
def test_the_relays_code_counts_and_else_what_ours_means(
    state: State, code: Code | None, reply: str | None, status: str
) -> None:
    assert status_of(state, code, reply) == status


@pytest.mark.parametrize("code", list(Code))
def test_each_failure_is_a_permanent_one(code: Code) -> None:
    assert status_of(State.FAILED, code, None).startswith("5.")
