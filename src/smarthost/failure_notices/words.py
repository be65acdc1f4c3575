"""The words of a notice for the person who sent the message.

They say for whom it failed, why, what to do, and what the relay answered. Recipients of whom the
same is to be said stand together.
"""

import textwrap
from collections.abc import Iterator, Sequence

import msgspec

from smarthost.clock import moment
from smarthost.failure_notices.rules import GIVEN_UP
from smarthost.mail_queue.accepted.model import Message, RecipientStatus
from smarthost.mail_queue.model import State
from smarthost.sending.attempts import ShownAttempt

_WIDTH = 72
_INDENT = "    "


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A recipient that a notice tells of."""

    recipient: RecipientStatus
    last: ShownAttempt | None
    """The last attempt; None: its time was over before there was one."""

    @property
    def reply(self) -> str | None:
        """The relay's, where it may be shown."""
        return None if self.last is None or self.last.hidden else self.last.attempted.reply


def subject(told: Sequence[Told]) -> str:
    """Return what the notice is about: failures, where it tells of any."""
    failed = [one for one in told if one.recipient.state in GIVEN_UP]
    what = "Not delivered to" if failed else "Passed on for"
    about = failed or told
    whom = about[0].recipient.address if len(about) == 1 else f"{len(about)} recipients"
    return f"{what} {whom}"


def text(message: Message, told: Sequence[Told], written_by: str) -> str:
    """Return the text; `written_by` is the name of this mail service."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for one in told:
        groups.setdefault(tuple(_said(one)), []).append(one.recipient.address)
    opening = f"This is an automatic message of the mail service {written_by}."
    paragraphs = [_filled(opening)]
    for (heading, *said), addresses in groups.items():
        paragraphs += [heading, _listed(addresses), *said]
    return "\n\n".join((*paragraphs, _about(message))) + "\n"


def _said(one: Told) -> Iterator[str]:
    """Give the heading above the recipients, and the paragraphs below them."""
    if one.recipient.state not in GIVEN_UP:
        yield "Your message was passed on for:"
        yield _filled(
            "The next mail server has it now. It does not tell of successful delivery, so you "
            "hear no more of it unless something goes wrong."
        )
        return
    yield "Your message was not delivered to:"
    if one.recipient.state is State.EXPIRED:
        yield _filled(
            f"It could not be handed over in time ({_tries(one.recipient.attempts)}), and is not "
            "tried any more."
        )
    failure = None if one.last is None else one.last.failure
    if failure is not None:
        yield _filled(f"{failure.title}. {failure.why}")
        yield _filled(f"What to do: {failure.fix}")
    if one.reply is not None:
        yield f"The mail server said:\n\n{_INDENT}{one.reply}"


def _tries(count: int) -> str:
    return f"{count} tries" if count > 1 else f"{'one' if count else 'no'} try"


def _about(message: Message) -> str:
    lines = {
        "Subject": message.details.subject,
        "Accepted": f"{moment(message.accepted_at):%Y-%m-%d %H:%M} UTC",
        "Id": message.id,
    }
    shown = (f"{_INDENT}{name + ':':10}{_one_line(value)}" for name, value in lines.items())
    return "The message:\n\n" + "\n".join(shown)


def _listed(addresses: Sequence[str]) -> str:
    return "\n".join(f"{_INDENT}{address}" for address in addresses)


def _filled(paragraph: str) -> str:
    return textwrap.fill(paragraph.strip(), _WIDTH, break_long_words=False, break_on_hyphens=False)


def _one_line(value: str) -> str:
    """Give what a message says of itself so that it cannot pass for words of ours."""
    return "".join(char if char.isprintable() else "\ufffd" for char in value)
