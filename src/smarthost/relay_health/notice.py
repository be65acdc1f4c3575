"""The message that tells a portal's administrators why its mail waits, and what to do.

It is plain text, and says all of it at once: what is wrong, who can mend it and how, how many
messages wait, and that none of them is lost.
"""

from collections.abc import Sequence
from datetime import datetime

from smarthost.clock import moment
from smarthost.explanations.failure import Failure, Who
from smarthost.mail.compose import compose
from smarthost.mail.draft import Draft
from smarthost.mail.mailbox import Mailbox
from smarthost.mail_queue.holds.model import Hold

_WHO = {
    Who.ADMINISTRATOR: "You can mend it, as an administrator of the portal.",
    Who.OPERATOR: "The operator of this installation has to mend it: please pass this message on.",
    Who.PROVIDER: "Whoever runs the mail server has to mend it.",
    Who.RECIPIENT: "The recipient has to mend it.",
}
_TEXT = """\
Mail from the portal {portal} does not go out just now.

{title}.
{why}

What to do
{fix}
{who}
{link}{reply}
Mail server:    {relay}
Settings:       revision {revision}
Waiting since:  {since}
Waiting:        mail to {waiting}

Nothing is lost: the messages are kept, and leave by themselves as soon as the
mail server takes them. It is tried again every {often}, and at once when
the settings are saved or a test message goes through.

You get a message like this once for each time that the mail has to wait, and
not more than one a day.
"""


def notice(
    *,
    portal_name: str,
    hold: Hold,
    failure: Failure,
    waiting: int,
    sender: Mailbox,
    to: Sequence[Mailbox],
    message_id: str,
    at: int,
) -> bytes:
    """Give the finished message about `hold`.

    `failure` is the hold's in words, `waiting` the number of recipients. `message_id` has its
    angle brackets; `at` are microseconds since 1970, UTC. Raises `ValueError` as `compose` does.
    """
    text = _TEXT.format(
        portal=portal_name,
        title=failure.title,
        why=failure.why,
        fix=failure.fix,
        who=_WHO[failure.who],
        link=f"More about it: {failure.link}\n" if failure.link else "",
        reply=f"The mail server said: {failure.reply}\n" if failure.reply else "",
        relay=f"{hold.relay_host}, port {hold.relay_port}" if hold.relay_host else "none",
        revision=hold.revision,
        since=_shown(moment(hold.since)),
        waiting="1 recipient" if waiting == 1 else f"{waiting} recipients",
        often="15 minutes" if hold.permanent else "few minutes",
    )
    return compose(
        Draft(
            from_=sender,
            to=tuple(to),
            subject=subject(portal_name),
            text=text,
            # RFC 3834, section 5.1: nobody's holiday notice answers it.
            headers={"Auto-Submitted": "auto-generated"},
            message_id=message_id,
            date=moment(at),
        )
    )


def subject(portal_name: str) -> str:
    """Return the notice's subject."""
    return f"Mail from {portal_name} is waiting"


def _shown(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"
