"""Whether a portal may send a message, and the message into its queue.

The key, the portal and the settings are looked at when the message begins, and again when it has
come whole unless that took no time: they may have changed meanwhile, and a message can take an
hour. A 250 is said of what is on the disk.
"""

import asyncio

import structlog
from msgspec.structs import replace

from smarthost.audit.model import Actor
from smarthost.clock import Clock
from smarthost.mail.dsn import Dsn, RecipientDsn
from smarthost.mail.received import Hop, protocol_of
from smarthost.mail_queue.accepted.model import Idempotency, Submission
from smarthost.mail_queue.intake import Intake
from smarthost.portals.access import owner_of
from smarthost.portals.model import PortalsError
from smarthost.sending.model import EnvelopedInput, Refused
from smarthost.sending.prepare import Sending
from smarthost.sending.rules import not_allowed
from smarthost.sending.sender import PortalSender
from smarthost.submission import replies
from smarthost.submission.idempotency import Keyed, KeyMisusedError
from smarthost.submission.limits import Limits
from smarthost.submission.login import Logins
from smarthost.submission.replies import Reply
from smarthost.submission.steps import Message, Sender, Submitter

_NOTHING_ASKED = RecipientDsn()


class Acceptance:
    """Accepts messages. Its methods raise `StoreUnavailableError` and what `Intake` raises."""

    def __init__(
        self,
        logins: Logins,
        sending: Sending,
        intake: Intake,
        host: str,
        limits: Limits,
        clock: Clock,
    ) -> None:
        """`host` is what this server calls itself."""
        self._logins = logins
        self._sending = sending
        self._intake = intake
        self._host = host
        self._current_seconds = limits.current_seconds
        self._clock = clock
        # Bound once: the lazy logger would look for its configuration at every message.
        self._log = structlog.get_logger("smarthost.submission").bind()

    async def sender(self, asked: Sender) -> tuple[Reply, Submitter | None]:
        """Return the reply to MAIL, and who submits as things are now."""
        submitter, sender = await self._look(asked.submitter)
        if isinstance(sender, Reply):
            return sender, submitter
        path = asked.mail.path
        if path is not None and not sender.allows(path):
            told = not_allowed("from", path, sender).message
            return replies.SENDER_NOT_ALLOWED.saying(told), submitter
        return replies.SENDER_OK, submitter

    async def message(self, message: Message, address: str, *, tls: bool) -> Reply:
        """Return the reply to the end of a message that came from `address`."""
        try:
            keyed = Keyed(message.content)
        except KeyMisusedError as error:
            return replies.KEY_MISUSED.saying(str(error))
        sender: PortalSender | Reply | None = message.submitter.sender
        age = self._clock.monotonic() - message.submitter.looked_at
        if sender is None or age >= self._current_seconds:
            _, sender = await self._look(message.submitter)
        if isinstance(sender, Reply):
            return sender
        hop = self._hop(message, address, tls=tls)
        prepared = await self._sending.prepare_enveloped(_enveloped(message, keyed, hop), sender)
        if isinstance(prepared, Refused):
            return replies.of_refusal(prepared)
        return replies.ACCEPTED.filled(id=await self._submit(message, keyed, prepared, address))

    async def _look(self, submitter: Submitter) -> tuple[Submitter, PortalSender | Reply]:
        """Find out whom mail may be from as things are now, or what is said in place of that."""
        looked_at = self._clock.monotonic()
        try:
            found = await self._logins.again(submitter)
        except PortalsError as error:
            return submitter, replies.KEY_GONE.saying(str(error))
        if found is None:
            return submitter, replies.KEY_GONE
        sender = await self._sending.sender(found.portal)
        if sender is None:
            return found, replies.NO_RELAY
        return replace(found, sender=sender, looked_at=looked_at), sender

    async def _submit(
        self, message: Message, keyed: Keyed, submission: Submission, address: str
    ) -> str:
        """Put a message into the queue; return its id, or that of the one that it repeats."""
        submitter = message.submitter
        given = await self._intake.submit(
            submitter.portal.id,
            [submission],
            by=Actor(name=submitter.caller.user.email, address=address),
            owner=owner_of(submitter.caller),
            idempotency=await _idempotency(message, keyed, submission),
        )
        message_id = submission.id if given is None else given.decode("ascii")
        self._log.info(
            "submitted",
            id=message_id,
            repeated=given is not None,
            octets=len(submission.envelope.content),
            recipients=len(message.recipients),
            client=address,
            portal=submitter.portal.name,
            user=submitter.caller.user.email,
        )
        return message_id

    def _hop(self, message: Message, address: str, *, tls: bool) -> Hop:
        return Hop(
            client_name=message.client_name,
            client_address=address,
            host=self._host,
            protocol=protocol_of(smtputf8=message.mail.parameters.smtputf8, tls=tls),
        )


def _enveloped(message: Message, keyed: Keyed, hop: Hop) -> EnvelopedInput:
    asked = message.mail.parameters
    return EnvelopedInput(
        content=keyed.content,
        sender=message.mail.path,
        recipients=tuple(message.recipients),
        dsn=Dsn(
            ret=asked.ret,
            envelope_id=asked.envelope_id,
            recipients={
                str(path): dsn for path, dsn in message.recipients.items() if dsn != _NOTHING_ASKED
            },
        ),
        hop=hop,
    )


async def _idempotency(
    message: Message, keyed: Keyed, submission: Submission
) -> Idempotency | None:
    if keyed.key is None:
        return None
    # Hashing many megabytes would hold up all other sessions.
    digest = await asyncio.to_thread(keyed.digest, message.mail.path, message.recipients)
    key = keyed.scope(message.recipients)
    return Idempotency(key=key, digest=digest, answer=submission.id.encode("ascii"))
