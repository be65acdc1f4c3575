"""A message in words for people: where its recipients stand, what was tried, and why it failed."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from smarthost.cli.rows import shown_moment
from smarthost.clock import MICROSECONDS
from smarthost.explanations.failure import Failure
from smarthost.mail_queue.accepted.model import Message, RecipientStatus
from smarthost.mail_queue.holds.model import Hold
from smarthost.mail_queue.model import HeldFor, State
from smarthost.sending.attempts import ShownAttempt

_HELD = {
    HeldFor.IN_DOUBT: "it may have arrived, and must not arrive twice",
    HeldFor.WORKER_DEATHS: "Smarthost itself has ended in the middle of it, time and again",
    HeldFor.RESTORED: "it comes out of a back-up, and may have been sent since",
}


class Wait(NamedTuple):
    """Why all mail of a portal waits; both None: it does not."""

    hold: Hold | None
    suspended_at: int | None
    """Since when the operator has suspended the portal; microseconds since 1970, UTC."""


def states(message: Message) -> str:
    """Return where a message stands, in short: `sent`, or `2 sent, 1 failed`."""
    counted = Counter(one.state for one in message.recipients)
    if len(counted) == 1:
        return next(iter(counted)).value
    return ", ".join(f"{counted[state]} {state}" for state in State if state in counted)


def page(
    message: Message, attempts: Sequence[ShownAttempt], wait: Wait, now: int
) -> Iterator[str]:
    """Give the lines that show all of a message but its text."""
    for name, value in (*_facts(message), *_waits_with_all(message, wait)):
        if value:
            yield f"{name + ':':<13}{value}"
    for recipient in message.recipients:
        yield ""
        yield f"{recipient.address}: {stands(recipient, message.id, now)}"
        for attempt in attempts:
            if attempt.attempted.address == recipient.address:
                yield from _attempt(attempt)


def ends(message: Message, attempts: Sequence[ShownAttempt], now: int) -> Iterator[str]:
    """Give a line for each recipient of a message that has ended: what became of it, and why."""
    last = {attempt.attempted.address: attempt for attempt in attempts}
    for recipient in message.recipients:
        line = f"{recipient.address}: {stands(recipient, message.id, now)}"
        attempt = last.get(recipient.address)
        if attempt is None:
            yield line
        elif attempt.failure is None:
            yield f"{line} {attempt.relay} took it."
        else:
            yield f"{line} {attempt.failure.text}"


def last_failures(attempts: Iterable[ShownAttempt]) -> dict[str, Failure]:
    """Return why the last attempt failed, for each recipient whose did."""
    last = {attempt.attempted.address: attempt.failure for attempt in attempts}
    return {address: failure for address, failure in last.items() if failure is not None}


def stands(status: RecipientStatus, message_id: str, now: int) -> str:
    """Return where a recipient stands, as the end of a sentence."""
    if status.state is State.QUEUED:
        return _waits(status, now)
    if status.state is State.SENDING:
        return "being sent just now."
    if status.held_for is not None:
        return (
            f"held, since {_HELD[status.held_for]}. "
            f"Let it go with: smarthost messages release {message_id}"
        )
    doubt = ""
    if status.in_doubt:
        twice = "twice" if status.state is State.SENT else "all the same"
        doubt = f" It may have arrived {twice}."
    at = f" at {shown_moment(status.ended_at)}" if status.ended_at is not None else ""
    return f"{status.state}{at}.{doubt}"


def _waits(status: RecipientStatus, now: int) -> str:
    if status.due_at is None or status.due_at <= now:
        return "waits for its turn."
    if status.attempts:
        return f"tried again at {shown_moment(status.due_at)}."
    return f"scheduled for {shown_moment(status.due_at)}."


def _waits_with_all(message: Message, wait: Wait) -> Iterator[tuple[str, str]]:
    """Tell that all of the portal's mail waits, if this message does."""
    if all(one.state is not State.QUEUED for one in message.recipients):
        return
    if wait.suspended_at is not None:
        yield "suspended", f"with its portal since {shown_moment(wait.suspended_at)}"
    if (hold := wait.hold) is not None:
        since, next_try = shown_moment(hold.since), shown_moment(hold.probe_at)
        told = f"with all mail of the portal since {since}, tried next at {next_try}"
        yield "on hold", f"{told}; see: smarthost queue"


def _facts(message: Message) -> Iterator[tuple[str, str]]:
    details = message.details
    yield "id", message.id
    yield "accepted", f"{shown_moment(message.accepted_at)} by {message.accepted_by}"
    yield "from", details.from_ or message.sender
    yield "to", ", ".join(details.to)
    yield "cc", ", ".join(details.cc)
    yield "bcc", ", ".join(details.bcc)
    yield "reply to", ", ".join(details.reply_to)
    yield "subject", details.subject
    yield "message id", details.message_id
    yield "tags", ", ".join(f"{tag.name}={tag.value}" for tag in details.tags)
    yield "size", f"{message.size} octets" + ("" if message.has_body else ", dropped since")
    if message.expires_at is not None:
        yield "expires", shown_moment(message.expires_at)
    yield "at most once", "yes" if message.at_most_once else ""


def _attempt(shown: ShownAttempt) -> Iterator[str]:
    attempted = shown.attempted
    took = ""
    if attempted.microseconds is not None:
        took = f" after {attempted.microseconds / MICROSECONDS:.3f} s"
    yield (
        f"  {attempted.attempt}. {shown_moment(attempted.started_at)}, {_relay(shown)}: "
        f"{attempted.result}{took}"
    )
    if shown.failure is not None:
        yield f"     {shown.failure.text}"
        if shown.failure.link:
            yield f"     More about it: {shown.failure.link}"
    elif attempted.reply:
        yield f"     {attempted.reply}"


def _relay(shown: ShownAttempt) -> str:
    """Return which relay it was, how it was reached, and which settings named it."""
    attempted = shown.attempted
    if shown.relay is None:
        return "no mail server"
    details = [attempted.relay_address, attempted.tls]
    if attempted.revision is not None:
        details.append(f"settings {attempted.revision}")
    return f"{shown.relay} ({', '.join(one for one in details if one)})"


def whom(message: Message) -> str:
    """Return whom a message is for, in short."""
    first, *others = message.recipients
    return f"{first.address} and {len(others)} more" if others else first.address
