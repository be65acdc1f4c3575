import pytest

from smarthost.failure_notices.rules import is_wanted, may_be_told
from smarthost.mail.dsn import Dsn, Notify, RecipientDsn
from smarthost.mail_queue.model import Ended, State
from tests.mail_queue.messages import ANNA, BORIS

NEVER = frozenset({Notify.NEVER})
SUCCESS = frozenset({Notify.SUCCESS})
BOTH = frozenset({Notify.SUCCESS, Notify.FAILURE})
DELAY = frozenset({Notify.DELAY})


@pytest.mark.parametrize(
    ("notify", "wants_failure", "wants_success"),
    [
        (None, True, False),
        (NEVER, False, False),
        (SUCCESS, False, True),
        (BOTH, True, True),
        (DELAY, False, False),
    ],
)
def test_what_the_sender_asked_for_decides(
    notify: frozenset[Notify] | None, wants_failure: bool, wants_success: bool
) -> None:
    dsn = Dsn(recipients={ANNA: RecipientDsn(notify=notify)})
    assert is_wanted(ANNA, State.FAILED, dsn) is wants_failure
    assert is_wanted(ANNA, State.EXPIRED, dsn) is wants_failure
    assert is_wanted(ANNA, State.SENT, dsn) is wants_success
    assert is_wanted(BORIS, State.FAILED, dsn)


@pytest.mark.parametrize("state", [State.QUEUED, State.HELD, State.CANCELLED, State.SENT])
def test_of_most_changes_nobody_is_told(state: State) -> None:
    assert not may_be_told(Ended(address=ANNA, attempts=1, state=state, code=None))


def test_of_success_only_where_nobody_else_tells() -> None:
    sent = Ended(address=ANNA, attempts=1, state=State.SENT, code=None, relayed_untold=True)
    assert may_be_told(sent)
