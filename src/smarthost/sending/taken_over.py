"""A message that comes whole, as MIME: looked through, and otherwise left as it is."""

from collections.abc import Iterable
from datetime import datetime

from smarthost.mail.address import Address
from smarthost.mail.mailbox import Mailbox
from smarthost.mail.submitted import LoopError, RawMessageError, Submitted, submitted
from smarthost.mail_queue.accepted.model import MOST_RECIPIENTS, Details, Tag
from smarthost.sending import rules
from smarthost.sending.composed import tags_of, texts
from smarthost.sending.model import EmailInput, Fault, FaultKind, Finished
from smarthost.sending.sender import PortalSender

_IN_THE_MESSAGE = "This does not go with raw, which says it itself. Leave one of them out."


def taken_over(
    email: EmailInput,
    sender: PortalSender,
    message_id: str,
    date: datetime,
    faults: rules.Faults,
) -> Finished | None:
    """Take over the message in `raw`; None with everything that is wrong in `faults`.

    Its `Message-ID` and `Date` stay; `message_id` and `date` are for one that has none.
    """
    faults.extend(_twice(email))
    rules.check_tags(email, faults)
    named = rules.addressed(email, sender, faults)
    header_id = f"<{message_id}@{sender.mailbox.address.domain}>"
    try:
        message = submitted(email.raw or b"", message_id=header_id, date=date)
    except RawMessageError as error:
        faults.append(unreadable(error))
        return None
    if email.to or email.cc or email.bcc:
        to, cc, bcc = named.to, named.cc, named.bcc
    else:
        to, cc, bcc = message.to, message.cc, message.bcc
    recipients = list(dict.fromkeys(mailbox.address for mailbox in (*to, *cc, *bcc)))
    faults.extend(_wrong_recipients(recipients))
    faults.extend(wrong_senders(message, sender))
    return Finished(
        content=message.content,
        sender=(message.sender_mailbox or message.from_mailbox).address,
        recipients=recipients,
        details=details_of(message, to=to, cc=cc, bcc=bcc, tags=tags_of(email)),
    )


def details_of(
    message: Submitted,
    *,
    to: tuple[Mailbox, ...],
    cc: tuple[Mailbox, ...],
    bcc: tuple[Mailbox, ...],
    tags: tuple[Tag, ...] = (),
) -> Details:
    """Return what lists show of a message."""
    # A header may be longer than a list of e-mails should be.
    return Details(
        message_id=message.message_id[: rules.LONGEST_SUBJECT],
        from_=", ".join(map(str, message.from_mailboxes)),
        to=texts(to),
        cc=texts(cc),
        bcc=texts(bcc),
        reply_to=texts(message.reply_to),
        subject=message.subject[: rules.LONGEST_SUBJECT],
        tags=tags,
    )


def unreadable(error: RawMessageError) -> Fault:
    """Return the fault of a message that cannot be taken over."""
    kind = FaultKind.LOOP if isinstance(error, LoopError) else FaultKind.INVALID
    return Fault(field="raw", message=str(error), kind=kind)


def wrong_senders(message: Submitted, sender: PortalSender) -> Iterable[Fault]:
    """Give a fault for each address in From and Sender that the portal's mail may not be from."""
    named: list[Mailbox] = [*message.from_mailboxes]
    if message.sender_mailbox is not None:
        named.append(message.sender_mailbox)
    for address in dict.fromkeys(mailbox.address for mailbox in named):
        if not sender.allows(address):
            yield rules.not_allowed("raw", address, sender)


def _twice(email: EmailInput) -> Iterable[Fault]:
    given = {
        "from": email.from_,
        "reply_to": email.reply_to,
        "subject": email.subject,
        "text": email.text,
        "html": email.html,
        "headers": email.headers,
        "attachments": email.attachments,
    }
    return [
        Fault(field=field, message=_IN_THE_MESSAGE)
        for field, value in given.items()
        if value or value == ""
    ]


def _wrong_recipients(recipients: list[Address]) -> Iterable[Fault]:
    if not recipients:
        told = "Name at least one recipient here, or in the message's To, Cc or Bcc."
        yield Fault(field="to", message=told, kind=FaultKind.MISSING)
    if len(recipients) > MOST_RECIPIENTS:
        told = f"It would go to {len(recipients)} recipients; at most {MOST_RECIPIENTS} go."
        yield Fault(field="raw", message=told)
