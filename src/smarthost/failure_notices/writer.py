"""Makes the notice about a message: gathers what is known of it, and addresses it to its sender.

What is shown of the relay is what its sender may see: nothing of one that is the operator's own
and hidden.
"""

import ipaddress
from collections.abc import Collection

import msgspec

from smarthost.clock import Clock, moment
from smarthost.failure_notices.rules import GIVEN_UP, is_wanted
from smarthost.failure_notices.status import status_of
from smarthost.failure_notices.store import FailureNoticeStore, Original
from smarthost.failure_notices.words import Told, subject, text
from smarthost.ids import Ids
from smarthost.mail.address import parse_address
from smarthost.mail.dsn import Dsn, Return
from smarthost.mail.envelope import addressed
from smarthost.mail.mailbox import Mailbox
from smarthost.mail.report import Action, Report, ReportedRecipient, delivery_report
from smarthost.mail.returned import LONGEST_RETURNED
from smarthost.mail_queue.accepted.model import Details, Message, Submission
from smarthost.mail_queue.accepted.store import MessageStore
from smarthost.sending.attempts import Attempts
from smarthost.smtp_settings.model import SmtpSettings
from smarthost.smtp_settings.store import SettingsStore

_NAME = "Mail delivery"


class FailureNotice(msgspec.Struct, frozen=True, kw_only=True):
    """A notice that is ready for the queue."""

    submission: Submission
    owner: str | None
    """Of the message that it is about."""


class Senders:
    """Whom notices are from: relays take no other address than that of the settings."""

    def __init__(self, settings: SettingsStore, default: SmtpSettings | None) -> None:
        """`default` is the installation's relay."""
        self._settings = settings
        self._default = default

    async def of(self, message: Message) -> Mailbox:
        """Return the sender of the settings in force.

        Where no relay is, the message's own: it was allowed once, and the notice waits as well.
        """
        settings = (await self._settings.current(message.portal_id)).settings or self._default
        address = message.sender if settings is None else settings.sender_address
        return Mailbox(address=parse_address(address), display_name=_NAME)


class FailureNoticeWriter:
    """Writes notices to senders."""

    def __init__(
        self,
        store: FailureNoticeStore,
        messages: MessageStore,
        attempts: Attempts,
        senders: Senders,
        reporting_mta: str,
        clock: Clock,
        ids: Ids,
    ) -> None:
        """`reporting_mta` is the name that this service greets relays with."""
        self._store = store
        self._messages = messages
        self._attempts = attempts
        self._senders = senders
        self._reporting_mta = reporting_mta
        self._clock = clock
        self._ids = ids

    async def write(
        self, portal_id: str, message_id: str, addresses: Collection[str]
    ) -> FailureNotice | None:
        """Return the notice about these recipients of a message that came by SMTP.

        None if there is nothing to tell: somebody has them tried again.
        """
        message = await self._messages.get(portal_id, message_id)
        if message is None:
            return None
        original = await self._store.original(portal_id, message_id, LONGEST_RETURNED)
        told = await self._told(message, addresses, original.dsn)
        if not told:
            return None
        sender = await self._senders.of(message)
        notice_id = self._ids.new()
        report = self._report(message, told, original, sender, notice_id)
        # RFC 3464, section 2: the null reverse-path, so that it never leads to another notice.
        envelope = addressed(delivery_report(report), sender=None, recipients=[report.to.address])
        details = Details(
            message_id=report.message_id,
            from_=str(report.from_),
            to=(str(report.to),),
            subject=report.subject,
        )
        submission = Submission(id=notice_id, envelope=envelope, details=details)
        return FailureNotice(submission=submission, owner=message.owner)

    async def _told(self, message: Message, addresses: Collection[str], dsn: Dsn) -> list[Told]:
        attempts = await self._attempts.of(message.portal_id, message.id)
        last = {shown.attempted.address: shown for shown in attempts}  # the oldest come first
        about = frozenset(addresses)
        return [
            Told(recipient=one, last=last.get(one.address))
            for one in message.recipients
            if one.address in about and is_wanted(one.address, one.state, dsn)
        ]

    def _report(
        self,
        message: Message,
        told: list[Told],
        original: Original,
        sender: Mailbox,
        notice_id: str,
    ) -> Report:
        return Report(
            from_=sender,
            to=Mailbox(address=parse_address(message.sender)),
            subject=subject(told),
            text=text(message, told, self._reporting_mta),
            message_id=f"<{notice_id}@{sender.address.domain}>",
            date=moment(self._clock.now()),
            reporting_mta=self._reporting_mta,
            original_message_id=message.details.message_id,
            envelope_id=original.dsn.envelope_id,
            arrival_date=moment(message.accepted_at),
            recipients=[_reported(one, original.dsn) for one in told],
            original=original.beginning,
            whole=original.is_whole and original.dsn.ret is Return.FULL,
        )


def _reported(one: Told, dsn: Dsn) -> ReportedRecipient:
    recipient, last = one.recipient, one.last
    return ReportedRecipient(
        address=recipient.address,
        original_recipient=dsn.asked_for(recipient.address).original_recipient,
        action=Action.FAILED if recipient.state in GIVEN_UP else Action.RELAYED,
        status=status_of(recipient.state, recipient.code, one.reply),
        remote_mta=None if last is None or last.hidden else _mta(last.attempted.relay_host),
        reply=one.reply,
        last_attempt_at=None if last is None else moment(last.attempted.started_at),
    )


def _mta(host: str | None) -> str | None:
    """Give a relay's name, or its IP address as RFC 5321, section 4.1.3, writes one."""
    try:
        address = ipaddress.ip_address(host or "")
    except ValueError:
        return host
    return f"[{address}]" if address.version == 4 else f"[IPv6:{address}]"
