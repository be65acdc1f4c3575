"""From what was asked for to messages that the queue accepts, all of one request together.

The portal's settings are read once, and nothing is stored here: an e-mail is either finished to
the last octet or refused with every fault named.
"""

import asyncio
from collections.abc import Sequence

from smarthost.clock import Clock, moment
from smarthost.ids import Ids
from smarthost.mail.envelope import addressed
from smarthost.mail_queue.accepted.model import LARGEST_MESSAGE, Submission
from smarthost.portals.model import Portal
from smarthost.sending import rules
from smarthost.sending.composed import composed
from smarthost.sending.enveloped import enveloped
from smarthost.sending.model import (
    EmailInput,
    EnvelopedInput,
    Fault,
    FaultKind,
    Refused,
    refused,
)
from smarthost.sending.sender import PortalSender, sender_of
from smarthost.sending.taken_over import taken_over
from smarthost.smtp_settings.model import SmtpSettings
from smarthost.smtp_settings.store import SettingsStore

NO_RELAY = (
    "No mail server is saved for this portal, so nothing can be sent. An administrator enters one "
    "in the SMTP settings."
)
"""What is said where there are no settings to send by."""
_LARGE = 1 << 20
_LARGE_HEADER = 32_768
Prepared = Submission | Refused


class Sending:
    """Prepares e-mails."""

    def __init__(
        self, settings: SettingsStore, default: SmtpSettings | None, clock: Clock, ids: Ids
    ) -> None:
        """`default`: the installation's relay, for portals without settings of their own."""
        self._settings = settings
        self._default = default
        self._clock = clock
        self._ids = ids

    async def prepare(self, portal: Portal, emails: Sequence[EmailInput]) -> list[Prepared]:
        """Return what each e-mail comes to, in the same order.

        Raises `StoreUnavailableError`.
        """
        sender = await self.sender(portal)
        if sender is None:
            no_relay = Fault(field="from", message=NO_RELAY, kind=FaultKind.NOT_ALLOWED)
            return [refused([no_relay])] * len(emails)
        now = self._clock.now()

        def work() -> list[Prepared]:
            return [prepare_one(email, sender, self._ids.new(), now) for email in emails]

        # Files of many megabytes would hold up all other requests for as long as they take.
        return await asyncio.to_thread(work) if _are_large(emails) else work()

    async def sender(self, portal: Portal) -> PortalSender | None:
        """Return whom the portal's mail may be from just now; None: no relay is saved for it.

        Raises `StoreUnavailableError`.
        """
        settings = (await self._settings.current(portal.id)).settings or self._default
        return None if settings is None else sender_of(portal, settings)

    async def prepare_enveloped(self, message: EnvelopedInput, sender: PortalSender) -> Prepared:
        """Return what a message that comes with its envelope comes to."""
        message_id, now = self._ids.new(), self._clock.now()
        # Many small fields take as long to read as much content.
        header_is_large = message.content.find(b"\r\n\r\n", 0, _LARGE_HEADER) < 0
        if header_is_large or len(message.content) > _LARGE:
            return await asyncio.to_thread(enveloped, message, sender, message_id, now)
        return enveloped(message, sender, message_id, now)


def _are_large(emails: Sequence[EmailInput]) -> bool:
    return sum(map(_size, emails)) > _LARGE


def _size(email: EmailInput) -> int:
    """Return about how much there is to encode."""
    files = sum(len(attachment.content or b"") for attachment in email.attachments)
    return files + len(email.raw or b"") + len(email.text or "") + len(email.html or "")


def prepare_one(email: EmailInput, sender: PortalSender, message_id: str, now: int) -> Prepared:
    """Return the message `message_id`, or why it is none; `now` is microseconds since 1970."""
    faults: rules.Faults = []
    times = rules.times_of(email, now, faults)
    # What is scheduled is dated as it is sent.
    date = moment(times.scheduled_at or now)
    make = composed if email.raw is None else taken_over
    message = make(email, sender, message_id, date, faults)
    if faults or message is None:
        return refused(faults)
    if len(message.content) > LARGEST_MESSAGE:
        return refused([_too_large(email, len(message.content))])
    return Submission(
        id=message_id,
        envelope=addressed(message.content, sender=message.sender, recipients=message.recipients),
        details=message.details,
        scheduled_at=times.scheduled_at,
        expires_at=times.expires_at,
        at_most_once=email.at_most_once,
    )


def _too_large(email: EmailInput, octets: int) -> Fault:
    field = "raw" if email.raw is not None else "attachments" if email.attachments else "text"
    told = (
        f"The finished message would have {-(-octets >> 20)} MiB; at most "
        f"{LARGEST_MESSAGE >> 20} are sent. Files grow by a third in it."
    )
    return Fault(field=field, message=told, kind=FaultKind.TOO_LARGE)
