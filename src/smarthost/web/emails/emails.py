"""The end points under /emails: send, look, and do something about what was sent.

What an e-mail may be is decided in `sending/`; it is in the queue, on the disk, before anybody is
answered. Whoever sent an e-mail finds it again; administrators find all of the portal's.
"""

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from smarthost.clock import Clock
from smarthost.mail.readable import Readable, readable
from smarthost.mail_queue.accepted.model import Message, NoSuchMessageError, Submission
from smarthost.mail_queue.accepted.store import MessageStore
from smarthost.mail_queue.holds.store import HoldStore
from smarthost.mail_queue.intake import Intake
from smarthost.mail_queue.mail_log.log import MailLog
from smarthost.mail_queue.model import Kind
from smarthost.portals.access import whose_mail
from smarthost.portals.model import Caller
from smarthost.sending.attempts import Attempts
from smarthost.sending.model import Fault, FaultKind, Refused, refused
from smarthost.sending.moments import MomentError, parse_schedule
from smarthost.sending.prepare import Prepared, Sending
from smarthost.web.emails.answers import (
    AttemptList,
    Changed,
    PartError,
    Sent,
    SentBatch,
    email_list,
    listed_email,
    shown_attempt,
    shown_email,
)
from smarthost.web.emails.asked import Asked, is_permissive, message_id_of
from smarthost.web.emails.decoding import Decoded, Received
from smarthost.web.emails.errors import refusal_error
from smarthost.web.emails.listing import MOST_ATTEMPTS, limit_of, page_of
from smarthost.web.emails.request import RescheduleDto
from smarthost.web.operations import Answer, Call

_DO = Callable[..., Awaitable[None]]


class EmailsApi:
    """The end points."""

    def __init__(
        self,
        *,
        sending: Sending,
        intake: Intake,
        messages: MessageStore,
        mail_log: MailLog,
        holds: HoldStore,
        attempts: Attempts,
        clock: Clock,
    ) -> None:
        self._sending = sending
        self._intake = intake
        self._messages = messages
        self._mail_log = mail_log
        self._holds = holds
        self._attempts = attempts
        self._clock = clock

    async def send(self, call: Call[Caller]) -> Answer:
        """Accept one e-mail and answer its id."""
        asked = Asked(call, "/emails")
        if stored := await self._replayed(asked):
            return stored
        (prepared,) = await self._prepared(asked)
        if isinstance(prepared, Refused):
            raise refusal_error(prepared)
        return await self._accept(asked, [prepared], Sent(id=prepared.id))

    async def send_batch(self, call: Call[Caller]) -> Answer:
        """Accept several e-mails: all or none of them, or in permissive mode those that can be."""
        permissive = is_permissive(call)
        asked = Asked(call, f"/emails/batch {permissive}")
        if stored := await self._replayed(asked):
            return stored
        prepared = await self._prepared(asked)
        accepted = [one for one in prepared if isinstance(one, Submission)]
        if not permissive and len(accepted) < len(prepared):
            raise refusal_error(_of_all(prepared))
        errors = [
            PartError(index=at, message=one.message)
            for at, one in enumerate(prepared)
            if isinstance(one, Refused)
        ]
        answer = SentBatch(
            data=[Sent(id=one.id) for one in accepted],
            errors=errors if permissive else msgspec.UNSET,
        )
        return await self._accept(asked, accepted, answer)

    async def list_emails(self, call: Call[Caller]) -> Answer:
        """Answer a page of e-mails."""
        asked, now, on_hold = page_of(call), self._clock.now(), await self._on_hold(call)
        page = await self._mail_log.page(
            call.portal.id,
            asked.wanted,
            at_most=asked.limit,
            after=asked.after,
            before=asked.before,
            now=now,
            on_hold=on_hold,
        )
        return Answer(value=email_list(page, now=now, on_hold=on_hold))

    async def read(self, call: Call[Caller]) -> Answer:
        """Answer one e-mail with its text."""
        message = await self._found(call)
        content = await self._messages.content(call.portal.id, message.id)
        text, html = Readable(None, None) if content is None else readable(content)
        now, on_hold = self._clock.now(), await self._on_hold(call)
        listed = listed_email(message, now=now, on_hold=on_hold)
        return Answer(value=shown_email(listed, text, html))

    async def reschedule(self, call: Call[Caller]) -> Answer:
        """Have a scheduled e-mail sent at another time."""
        received: Received[RescheduleDto] = call.body
        (body,) = received.parts
        at = self._moment(body)
        message_id = message_id_of(call)
        await self._messages.reschedule(
            call.portal.id, message_id, at, by=call.actor, owner=whose_mail(call.caller)
        )
        return Answer(value=Changed(id=message_id))

    async def cancel(self, call: Call[Caller]) -> Answer:
        """Keep an e-mail from being sent where it has not been."""
        return await self._do(self._messages.cancel, call)

    async def retry(self, call: Call[Caller]) -> Answer:
        """Try an e-mail again now."""
        return await self._do(self._messages.retry, call)

    async def release(self, call: Call[Caller]) -> Answer:
        """Let a held e-mail go on."""
        return await self._do(self._messages.release, call)

    async def drop_body(self, call: Call[Caller]) -> Answer:
        """Forget what an e-mail said."""
        return await self._do(self._messages.drop_body, call)

    async def attempts(self, call: Call[Caller]) -> Answer:
        """Answer what was tried."""
        message = await self._found(call)
        limit = limit_of(call, MOST_ATTEMPTS)
        newest = None if limit is None else limit + 1  # one more shows that there are more
        shown = await self._attempts.of(call.portal.id, message.id, newest=newest)
        data = [shown_attempt(one) for one in shown]
        if limit is None or len(data) <= limit:
            return Answer(value=AttemptList(data=data))
        return Answer(value=AttemptList(has_more=True, data=data[1:]))

    async def _replayed(self, asked: Asked) -> Answer | None:
        if asked.key is None:
            return None
        stored = await self._intake.replay(
            asked.call.portal.id, asked.owner, asked.key, asked.digest()
        )
        return None if stored is None else Answer(value=msgspec.Raw(stored))

    async def _prepared(self, asked: Asked) -> list[Prepared]:
        typed = [part.value.typed() for part in asked.received.parts]
        prepared = await self._sending.prepare(asked.call.portal, [email for email, _ in typed])
        return [
            _with_faults([*part.faults, *unread], one)
            for part, (_, unread), one in zip(asked.received.parts, typed, prepared, strict=True)
        ]

    async def _accept(
        self, asked: Asked, submissions: Sequence[Submission], value: msgspec.Struct
    ) -> Answer:
        answer = msgspec.json.encode(value)
        if submissions:
            stored = await self._intake.submit(
                asked.call.portal.id,
                submissions,
                by=asked.call.actor,
                owner=asked.owner,
                idempotency=asked.idempotency(answer),
            )
            answer = answer if stored is None else stored
        return Answer(value=msgspec.Raw(answer))

    async def _do(self, what: _DO, call: Call[Caller]) -> Answer:
        message_id = message_id_of(call)
        owner = whose_mail(call.caller)
        await what(call.portal.id, message_id, by=call.actor, owner=owner)
        return Answer(value=Changed(id=message_id))

    async def _found(self, call: Call[Caller]) -> Message:
        owner = whose_mail(call.caller)
        message = await self._messages.get(call.portal.id, message_id_of(call), owner=owner)
        if message is None or message.kind is not Kind.MAIL:
            raise NoSuchMessageError
        return message

    async def _on_hold(self, call: Call[Caller]) -> bool:
        return await self._holds.current(call.portal.id) is not None

    def _moment(self, body: Decoded[RescheduleDto]) -> int:
        faults = list(body.faults)
        now = self._clock.now()
        if not faults and body.value.scheduled_at is None:
            missing = "This is needed."
            faults = [Fault(field="scheduled_at", message=missing, kind=FaultKind.MISSING)]
        if faults:
            raise refusal_error(refused(faults))
        try:
            return parse_schedule(body.value.scheduled_at or "", now) or now
        except MomentError as error:
            fault = Fault(field="scheduled_at", message=str(error))
            raise refusal_error(refused([fault])) from None


def _with_faults(unread: list[Fault], prepared: Prepared) -> Prepared:
    """Add what could not be read; a field of which that is so is said to be just that."""
    if not unread:
        return prepared
    known = {fault.field for fault in unread}
    others = prepared.faults if isinstance(prepared, Refused) else ()
    return refused([*unread, *(fault for fault in others if fault.field not in known)])


def _of_all(prepared: list[Prepared]) -> Refused:
    return refused(
        fault
        for at, one in enumerate(prepared)
        if isinstance(one, Refused)
        for fault in one.below(f"[{at}]").faults
    )
