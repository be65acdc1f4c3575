"""One envelope over one open session: MAIL, RCPT, DATA (RFC 5321, section 3.3).

Every recipient gets an outcome of its own. What a relay has answered 2yz behind the dot is
accepted; whatever happens later in the session cannot change that.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress

from smarthost.delivery.fitting import fitted
from smarthost.delivery.lack import Lack
from smarthost.delivery.outcome import Outcome, Step, StepState
from smarthost.delivery.pool import Session
from smarthost.delivery.progress import EnoughError, Progress, StepNotes, StoppedError
from smarthost.mail.dsn import Notify
from smarthost.mail.envelope import Envelope
from smarthost.smtp.data import Content
from smarthost.smtp.dialogue import SERVICE_CLOSING
from smarthost.smtp.errors import ClosedError, ProtocolError, SmtpError
from smarthost.smtp.reply import Reply
from smarthost.smtp.transaction import Transaction

_LEAVE_SECONDS = 5.0


class SessionGoneError(Exception):
    """The session was used before and is over, and the relay has taken nothing of this message."""


class HandOver:
    """Gives one envelope to a relay; used once."""

    def __init__(self, session: Session, envelope: Envelope, progress: Progress) -> None:
        self._client = session.client
        self._used_before = session.messages > 0
        self._envelope = envelope
        self._progress = progress
        self._outcomes: dict[int, Outcome] = {}
        session.messages += 1

    async def run(self) -> list[Outcome]:
        """Return the outcomes in the order of the recipients.

        Where the attempt ends before DATA, only recipients that failed have an outcome. Raises
        `SessionGoneError`: then another session can have the same envelope.
        """
        try:
            transaction, content = await self._name_sender()
            willing = await self._name_recipients(transaction)
            if willing:
                await self._send(transaction, content, willing)
        except StoppedError as stop:
            self._settle_rest(stop)
        except EnoughError:
            with self._soon_over():
                await self._client.reset()
        return [outcome for _, outcome in sorted(self._outcomes.items())]

    async def _name_sender(self) -> tuple[Transaction, Content]:
        sender = self._envelope.sender
        async with self._progress.step(Step.SENDER) as notes:
            transaction, content = await self._begun()
            self._client.deadline = self._progress.deadline(Step.SENDER)
            reply = await self._replied(transaction)
            notes.seen |= {"sender": sender, "reply": self._progress.shown(reply)}
            if not reply.positive:
                await self._leave(transaction)
                raise StoppedError(Step.SENDER, reply)
        return transaction, content

    async def _begun(self) -> tuple[Transaction, Content]:
        """Make what this relay can have of the message; nothing is said to it yet."""
        found = await fitted(self._envelope, self._client.extensions)
        if isinstance(found, Lack):
            raise StoppedError(Step.SENDER, found)
        if self._used_before and not self._client.quiet:
            self._client.close()
            raise SessionGoneError
        self._client.check_usable()
        transaction = self._client.transaction(
            self._envelope.sender,
            self._envelope.recipients,
            size=found.content.octets,
            utf8=found.utf8,
            eight_bit=found.eight_bit,
            one_by_one=self._progress.until is not Step.DATA,
            dsn=self._envelope.dsn,
        )
        return transaction, found.content

    async def _replied(self, transaction: Transaction) -> Reply:
        """Name the sender, and see whether a session that stood idle still stands."""
        try:
            reply = await transaction.mail_from()
        except ClosedError as error:
            if self._used_before:
                raise SessionGoneError from error
            raise
        if reply.code == SERVICE_CLOSING and self._used_before:
            raise SessionGoneError
        return reply

    async def _name_recipients(self, transaction: Transaction) -> list[int]:
        """Return which recipients the relay is willing to take."""
        async with self._progress.step(Step.RECIPIENT) as notes:
            self._client.deadline = self._progress.deadline(Step.RECIPIENT)
            replies = await transaction.rcpt_to()
            willing = self._told_apart(replies, notes)
            if not willing:
                await self._leave(transaction)
            elif replies[-1].code == SERVICE_CLOSING:
                raise StoppedError(Step.RECIPIENT, replies[-1])
        return willing

    def _told_apart(self, replies: Sequence[Reply], notes: StepNotes) -> list[int]:
        notes.seen["replies"] = [self._progress.shown(reply) for reply in replies]
        willing = [index for index, reply in enumerate(replies) if reply.positive]
        if len(willing) < len(replies):
            notes.state = StepState.WARNING if willing else StepState.FAILED
            for index, reply in enumerate(replies):
                if not reply.positive:
                    self._fail(index, StoppedError(Step.RECIPIENT, reply))
        return willing

    async def _send(
        self, transaction: Transaction, content: Content, willing: Sequence[int]
    ) -> None:
        async with self._progress.step(Step.DATA) as notes:
            notes.seen["octets"] = content.octets
            self._client.deadline = self._progress.deadline(Step.DATA)
            reply = await transaction.data(content)
            notes.seen["reply"] = shown = self._progress.shown(reply)
            if not reply.positive:
                raise StoppedError(Step.DATA, reply)
            for index in willing:
                recipient = self._envelope.recipients[index]
                untold = self._is_success_untold(recipient)
                self._outcomes[index] = self._progress.accepted(
                    recipient, shown, relayed_untold=untold
                )

    def _is_success_untold(self, recipient: str) -> bool:
        dsn = self._envelope.dsn
        if dsn is None or self._client.extensions.dsn:
            return False
        return Notify.SUCCESS in (dsn.asked_for(recipient).notify or ())

    async def _leave(self, transaction: Transaction) -> None:
        """Have the session in step again, if that is soon; what was refused stays refused."""
        with self._soon_over():
            await transaction.leave()

    def _soon_over(self) -> AbstractContextManager[None]:
        """Give a few seconds to what follows the last word about a message."""
        soon = self._progress.clock.monotonic() + _LEAVE_SECONDS
        self._client.deadline = min(self._client.deadline, soon)
        return suppress(SmtpError)

    def _settle_rest(self, stop: StoppedError) -> None:
        left = stop.step is Step.DATA and self._client.message_left
        if isinstance(stop.fault, ProtocolError) and not left:
            # One reply too many makes each later one the answer to something else.
            self._outcomes.clear()
        # Behind the end of the message only a reply says that the relay does not have it.
        in_doubt = left and not isinstance(stop.fault, Reply)
        for index in range(len(self._envelope.recipients)):
            if index not in self._outcomes:
                self._fail(index, stop, in_doubt=in_doubt)

    def _fail(self, index: int, stop: StoppedError, *, in_doubt: bool = False) -> None:
        self._outcomes[index] = self._progress.failed(
            self._envelope.recipients[index],
            stop.step,
            stop.fault,
            sender=self._envelope.sender,
            in_doubt=in_doubt,
        )
