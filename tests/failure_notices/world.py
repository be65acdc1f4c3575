"""A portal whose mail came by SMTP, and what tells its senders; outcomes are written as a worker
writes them.
"""

import email
import email.policy
from collections.abc import Callable
from email.message import EmailMessage, Message
from typing import Any

from smarthost.audit.store import AuditLog
from smarthost.clock import Clock
from smarthost.database.engine import Database
from smarthost.delivery.outcome import Code, Result, Step
from smarthost.failure_notices.notices import FailureNotices
from smarthost.failure_notices.store import FailureNoticeStore
from smarthost.failure_notices.writer import FailureNoticeWriter, Senders
from smarthost.ids import Ids
from smarthost.mail.dsn import Dsn
from smarthost.mail_queue.accepted.model import Details, Submission
from smarthost.mail_queue.accepted.store import MessageStore
from smarthost.mail_queue.arrivals.store import ArrivalStore
from smarthost.mail_queue.intake import Intake
from smarthost.mail_queue.mail_log.log import MailLog
from smarthost.mail_queue.model import Claim, Kind
from smarthost.mail_queue.schedule import Patience
from smarthost.mail_queue.store import QueueStore
from smarthost.portals.store import PortalStore
from smarthost.sending.attempts import Attempts
from smarthost.smtp_settings.model import SmtpSettings
from smarthost.smtp_settings.sealing import KEY_OCTETS, KeyRing, key_id
from smarthost.smtp_settings.store import SettingsStore
from tests.mail_queue.listed import every_message
from tests.mail_queue.messages import ANNA, BY, attempted, envelope
from tests.relay_health.held import HOST, RELAY, SAVED

NOTHING_ASKED = Dsn()
SENDER = "carla@acme.example"
OWNER = "key:1"
CONTENT = (
    b"From: carla@acme.example\r\nSubject: Hello\r\nMessage-ID: <1@acme.example>\r\n\r\nHello.\r\n"
)
DETAILS = Details(message_id="<1@acme.example>", from_=SENDER, to=(ANNA,), subject="Hello")
DEFAULT = SmtpSettings(
    host="hidden.operator.example",
    port=25,
    sender_address="portal@operator.example",
    sender_display_name=None,
    user_name=None,
    enable_ssl=False,
    enable_auth=False,
    use_ntlm=False,
)
REFUSED: dict[str, Any] = {
    "result": Result.REFUSED,
    "step": Step.RECIPIENT,
    "code": Code.RECIPIENT_REFUSED,
    "permanent": True,
    "reply": "550 5.1.1 No such user",
}
DEFERRED: dict[str, Any] = {
    "result": Result.DEFERRED,
    "step": Step.RECIPIENT,
    "code": Code.TEMPORARILY_REFUSED,
    "reply": "450 4.2.0 Greylisted",
}
SENT: dict[str, Any] = {"reply": "250 2.0.0 Queued"}
_KEY = bytes(range(KEY_OCTETS))
_ROWS = "SELECT message_id, address FROM failure_notices ORDER BY portal_id, message_id, address"


class World:
    """A store with one portal; `begin` makes it."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        default: SmtpSettings | None = None,
        shown_default: SmtpSettings | None = None,
        is_ours: Callable[[], bool] = lambda: True,
    ) -> None:
        self.database = database
        self.clock = clock
        self.ids = Ids(clock)
        audit = AuditLog(clock, self.ids)
        self.portals = PortalStore(database, audit, clock, self.ids)
        ring = KeyRing({key_id(_KEY): _KEY}, key_id(_KEY))
        self.settings = SettingsStore(database, audit, clock, ring)
        self.messages = MessageStore(database, audit, clock)
        self.store = FailureNoticeStore(database)
        self.intake = Intake(database, ArrivalStore(database, clock), self.ids, lambda: None)
        self.queue = QueueStore(
            database,
            clock,
            self.ids,
            patience=Patience(expire_seconds=3600.0),
            luck=lambda: 0.5,
            in_each_record=self.store.note,
        )
        writer = FailureNoticeWriter(
            self.store,
            self.messages,
            Attempts(self.messages, self.settings, shown_default),
            Senders(self.settings, default),
            "smarthost.example.net",
            clock,
            self.ids,
        )
        self.notices = FailureNotices(self.store, writer, self.intake, clock, is_ours)
        self.portal_id = ""

    async def begin(self, *, own_relay: bool = True, name: str = "acme") -> None:
        self.portal_id = (await self.portals.create_portal(name, BY)).id
        if own_relay:
            await self.settings.save(self.portal_id, SAVED, BY)

    async def accept(
        self,
        *recipients: str,
        dsn: Dsn | None = NOTHING_ASKED,
        sender: str = SENDER,
        content: bytes = CONTENT,
        details: Details = DETAILS,
        **fields: Any,
    ) -> str:
        """Have a message accepted, and return its id."""
        message_id = self.ids.new()
        handed_in = Submission(
            id=message_id,
            envelope=envelope(
                *recipients, dsn=dsn, sender=sender, content=content, needs_8bit=False
            ),
            details=details,
            **fields,
        )
        await self.intake.submit(self.portal_id, [handed_in], by=BY, owner=OWNER)
        return message_id

    async def claimed(self) -> Claim:
        (claim,) = await self.queue.claim(self.portal_id, Kind.MAIL, ())
        return claim

    async def attempt(self, default_relay: bool = False, **outcome: Any) -> None:
        """Let the portal's next due message come to `outcome` for all its recipients."""
        claim = await self.claimed()
        tried = {
            "revision": 0 if default_relay else 1,
            "relay_host": DEFAULT.host if default_relay else HOST,
            "relay_port": DEFAULT.port if default_relay else RELAY.port,
            "default_relay": default_relay,
        }
        await self.queue.record(claim, attempted(claim, **(tried | outcome)))

    async def rows(self) -> list[tuple[str, str]]:
        """Messages and recipients of whom senders are to be told."""
        return [(row[0], row[1]) for row in await self.database.fetch(_ROWS)]

    async def sent_notices(self) -> list[EmailMessage]:
        """Send what is to be sent, and return all notices there are, the oldest first."""
        while await self.notices.send_round():
            pass
        return await self.kept_notices()

    async def kept_notices(self) -> list[EmailMessage]:
        listed = await every_message(MailLog(self.database), self.portal_id)
        found = []
        for message in reversed(listed):
            if message.accepted_by == "smarthost":
                content = await self.messages.content(self.portal_id, message.id)
                assert content is not None
                found.append(read(content))
        return found


def read(content: bytes) -> EmailMessage:
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert not any(part.defects for part in message.walk())
    return message


def words(notice: EmailMessage) -> str:
    text = next(iter(notice.iter_parts()))
    assert isinstance(text, EmailMessage)
    content: str = text.get_content()
    return content.replace("\r\n", "\n")


def fields(notice: EmailMessage) -> list[Message]:
    """The fields of the message, then those of each recipient."""
    status: Any = list(notice.iter_parts())[1]
    assert status.get_content_type() == "message/delivery-status"
    found: list[Message] = status.get_payload()
    return found
