"""A message that comes with its envelope: looked through, and otherwise left as it is.

Who gets it and where notices go is what the envelope says, whatever the header does; whom it is
from has to be right in both.
"""

from collections.abc import Iterable

from smarthost.clock import moment
from smarthost.mail.envelope import addressed
from smarthost.mail.mailbox import Mailbox
from smarthost.mail.received import received_field
from smarthost.mail.submitted import RawMessageError, Submitted, submitted
from smarthost.mail_queue.accepted.model import LARGEST_MESSAGE, Submission
from smarthost.sending import rules
from smarthost.sending.model import EnvelopedInput, Fault, FaultKind, Refused, refused
from smarthost.sending.sender import PortalSender
from smarthost.sending.taken_over import details_of, unreadable, wrong_senders


def enveloped(
    message: EnvelopedInput, sender: PortalSender, message_id: str, now: int
) -> Submission | Refused:
    """Return the message `message_id`, or why it is none; `now` is microseconds since 1970.

    Its trace is added on top, and `Message-ID` and `Date` where it has none.
    """
    date = moment(now)
    trace = received_field(
        message.hop, message_id=message_id, recipients=message.recipients, date=date
    )
    header_id = f"<{message_id}@{sender.mailbox.address.domain}>"
    try:
        read = submitted(message.content, message_id=header_id, date=date, trace=trace, crlf=True)
    except RawMessageError as error:
        return refused([unreadable(error)])
    faults = [*_wrong_reverse_path(message, sender), *wrong_senders(read, sender)]
    if len(read.content) > LARGEST_MESSAGE:
        faults.append(_TOO_LARGE)
    if faults:
        return refused(faults)
    return Submission(
        id=message_id,
        envelope=addressed(
            read.content, sender=message.sender, recipients=message.recipients, dsn=message.dsn
        ),
        details=details_of(read, to=read.to, cc=read.cc, bcc=_blind(message, read)),
    )


_TOO_LARGE = Fault(
    field="raw",
    message=f"A message can have {LARGEST_MESSAGE >> 20} MiB with its attachments as they are "
    "sent, which is a third more than their files. Send less at once.",
    kind=FaultKind.TOO_LARGE,
)


def _wrong_reverse_path(message: EnvelopedInput, sender: PortalSender) -> Iterable[Fault]:
    # The null one names nobody: it is the header's From that has to be allowed then.
    if message.sender is not None and not sender.allows(message.sender):
        yield rules.not_allowed("from", message.sender, sender)


def _blind(message: EnvelopedInput, read: Submitted) -> tuple[Mailbox, ...]:
    """Return the recipients of whom the header does not tell the others."""
    shown = {mailbox.address for mailbox in (*read.to, *read.cc)}
    return tuple(
        Mailbox(address=address) for address in message.recipients if address not in shown
    )
