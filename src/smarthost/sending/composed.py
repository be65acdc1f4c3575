"""A message made from its parts."""

from datetime import datetime

from smarthost.mail.compose import ComposeError, compose
from smarthost.mail.header_reader import HeaderError
from smarthost.mail.mailbox import Mailbox
from smarthost.mail_queue.accepted.model import Details, Tag
from smarthost.sending import rules
from smarthost.sending.model import EmailInput, Finished
from smarthost.sending.sender import PortalSender


def composed(
    email: EmailInput,
    sender: PortalSender,
    message_id: str,
    date: datetime,
    faults: rules.Faults,
) -> Finished | None:
    """Compose an e-mail; None with everything that is wrong in `faults`."""
    to = rules.addressed(email, sender, faults)
    rules.check_parts(email, faults)
    header_id = f"<{message_id}@{to.from_.address.domain}>"
    draft = rules.draft_of(email, to, header_id, date)
    try:
        content = b"" if faults else compose(draft)
    except (HeaderError, ComposeError):
        content = b""
    if not content:
        faults.extend(rules.blame(draft))
        return None
    return Finished(
        content=content,
        sender=to.from_.address,
        recipients=to.recipients(),
        details=Details(
            message_id=header_id,
            from_=str(to.from_),
            to=texts(to.to),
            cc=texts(to.cc),
            bcc=texts(to.bcc),
            reply_to=texts(to.reply_to),
            subject=email.subject or "",
            tags=tags_of(email),
        ),
    )


def tags_of(email: EmailInput) -> tuple[Tag, ...]:
    """Return the tags as they are kept."""
    if not email.tags:
        return ()
    return tuple(Tag(name=tag.name or "", value=tag.value) for tag in email.tags)


def texts(mailboxes: tuple[Mailbox, ...]) -> tuple[str, ...]:
    """Return mailboxes as a reader sees them."""
    return tuple(map(str, mailboxes)) if mailboxes else ()
