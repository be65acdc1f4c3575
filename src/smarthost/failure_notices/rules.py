"""Who is told of what (RFC 3461, section 4.1): rules without any row.

Failures are told unless the sender said otherwise; success only where it was asked for and the
relay never tells of it. A delay is told to nobody: webhooks and the relay's health are for that.
"""

from smarthost.mail.dsn import Dsn, Notify
from smarthost.mail_queue.model import Ended, State

GIVEN_UP = frozenset({State.FAILED, State.EXPIRED})
"""Not those that a person has cancelled, who knows."""


def may_be_told(one: Ended) -> bool:
    """Tell whether a sender might want word of this, whatever was asked for."""
    return one.state in GIVEN_UP or one.relayed_untold


def is_wanted(address: str, state: State, dsn: Dsn) -> bool:
    """Tell whether a sender who asked for `dsn` wants to know that a recipient stands so."""
    notify = dsn.asked_for(address).notify
    if state in GIVEN_UP:
        return notify is None or Notify.FAILURE in notify
    return state is State.SENT and notify is not None and Notify.SUCCESS in notify
