"""One envelope over one open session: MAIL, RCPT, DATA (RFC 5321, section 3.3).

Every recipient gets an outcome of its own. What a relay has answered 2yz behind the dot is
accepted; whatever happens later in the session cannot change that.
"""

from collections.abc import Sequence

from smarthost.delivery.classify import Lack
from smarthost.delivery.outcome import Outcome, Step, StepState
from smarthost.delivery.pool import Session
from smarthost.delivery.progress import EnoughError, Progress, StoppedError
from smarthost.mail.envelope import Envelope
from smarthost.smtp.data import with_crlf
from smarthost.smtp.replies import Reply


class HandOver:
    """Gives one envelope to a relay; used once."""

    def __init__(self, session: Session, envelope: Envelope, progress: Progress) -> None:
        self._client = session.client
        self._envelope = envelope
        self._progress = progress
        self._outcomes: dict[int, Outcome] = {}

    async def run(self, *, after_another: bool) -> list[Outcome]:
        """Return the outcomes in the order of the recipients.

        `after_another`: the session has been used, so what was begun on it is dropped first. Where
        the attempt ends before DATA, only recipients that failed have an outcome.
        """
        try:
            await self._name_sender(after_another=after_another)
            willing = await self._name_recipients()
            if willing:
                await self._send(willing)
        except StoppedError as stop:
            self._settle_rest(stop)
        except EnoughError:
            pass
        return [outcome for _, outcome in sorted(self._outcomes.items())]

    async def _name_sender(self, *, after_another: bool) -> None:
        envelope = self._envelope
        async with self._progress.step(Step.SENDER) as notes:
            lack = self._lack()
            if lack is not None:
                raise StoppedError(Step.SENDER, lack)
            self._client.check_usable()
            self._client.deadline = self._progress.deadline(Step.SENDER)
            if after_another:
                await self._client.rset()
            reply = await self._client.mail_from(
                envelope.sender,
                size=_octets(envelope),
                utf8=envelope.needs_smtputf8,
                eight_bit=envelope.needs_8bit,
            )
            notes.seen |= {"sender": envelope.sender, "reply": self._progress.shown(reply)}
            if not reply.positive:
                raise StoppedError(Step.SENDER, reply)

    def _lack(self) -> Lack | None:
        envelope, offered = self._envelope, self._client.extensions
        if envelope.needs_smtputf8 and not offered.smtp_utf8:
            return Lack.SMTPUTF8
        if envelope.needs_8bit and not offered.eight_bit_mime:
            return Lack.EIGHT_BIT_MIME
        if offered.size is not None and _octets(envelope) > offered.size:
            return Lack.SIZE
        return None

    async def _name_recipients(self) -> list[int]:
        """Return which recipients the relay is willing to take."""
        async with self._progress.step(Step.RECIPIENT) as notes:
            self._client.deadline = self._progress.deadline(Step.RECIPIENT)
            replies = await self._client.rcpt_to(self._envelope.recipients)
            notes.seen["replies"] = [self._progress.shown(reply) for reply in replies]
            willing = [index for index, reply in enumerate(replies) if reply.positive]
            for index, reply in enumerate(replies):
                if not reply.positive:
                    self._refuse(index, reply)
            if len(willing) < len(replies):
                notes.state = StepState.WARNING if willing else StepState.FAILED
        return willing

    def _refuse(self, index: int, reply: Reply) -> None:
        self._outcomes[index] = self._progress.failed(
            self._envelope.recipients[index],
            Step.RECIPIENT,
            reply,
            sender=self._envelope.sender,
        )

    async def _send(self, willing: Sequence[int]) -> None:
        async with self._progress.step(Step.DATA) as notes:
            notes.seen["octets"] = _octets(self._envelope)
            self._client.deadline = self._progress.deadline(Step.DATA)
            reply = await self._client.data(self._envelope.content)
            notes.seen["reply"] = self._progress.shown(reply)
            if not reply.positive:
                raise StoppedError(Step.DATA, reply)
            for index in willing:
                recipient = self._envelope.recipients[index]
                self._outcomes[index] = self._progress.accepted(recipient, reply)

    def _settle_rest(self, stop: StoppedError) -> None:
        # Behind the end of the message only a reply says that the relay does not have it.
        in_doubt = (
            stop.step is Step.DATA
            and self._client.message_left
            and not isinstance(stop.fault, Reply)
        )
        for index, recipient in enumerate(self._envelope.recipients):
            if index not in self._outcomes:
                self._outcomes[index] = self._progress.failed(
                    recipient,
                    stop.step,
                    stop.fault,
                    sender=self._envelope.sender,
                    in_doubt=in_doubt,
                )


def _octets(envelope: Envelope) -> int:
    """Return the message's size as SIZE means it (RFC 1870, section 3): before dot-stuffing."""
    return len(with_crlf(envelope.content))
