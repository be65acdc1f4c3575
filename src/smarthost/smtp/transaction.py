"""One message over a session: MAIL, RCPT and DATA (RFC 5321, section 3.3), a method for each step.

Where the relay pipelines, the commands leave as one group (RFC 2920), and the steps then wait for
their replies alone. A group is bounded: what a relay may make us keep is, and neither side's
buffers fill while the other waits.
"""

from collections.abc import Sequence

from smarthost.smtp import commands
from smarthost.smtp.data import Content
from smarthost.smtp.dialogue import MAIL_DONE, Dialogue
from smarthost.smtp.errors import ClosedError, Reason
from smarthost.smtp.reply import Reply

RECIPIENTS_AT_ONCE = 100
_GO_AHEAD = range(354, 355)
_END = b".\r\n"


class Transaction:
    """Made by `Client.transaction`. Steps, in order: `mail_from`, `rcpt_to`, `data`, each once.

    Whoever stops before `data` calls `leave`. Each step may raise `TimedOutError`, `ClosedError`
    or `ProtocolError`, after which the session is over.
    """

    def __init__(
        self,
        dialogue: Dialogue,
        mail: bytes,
        recipients: Sequence[bytes],
        *,
        pipelined: bool,
        eight_bit: bool,
    ) -> None:
        """`mail` and `recipients` are commands; `eight_bit`: `mail` announces 8-bit content."""
        self._dialogue = dialogue
        self._connection = dialogue.connection
        self._mail = mail
        self._recipients = recipients
        self._pipelined = pipelined
        self._eight_bit = eight_bit
        self._data_asked = False
        self._somebody = False  # whether a recipient was taken

    async def mail_from(self) -> Reply:
        """Name the sender; gives the relay's reply.

        What an earlier transaction left behind is dropped first.
        """
        dialogue = self._dialogue
        mail = self._group(0, before=self._mail) if self._pipelined else [self._mail]
        if dialogue.transaction_open:
            await self._begin_anew(mail)
        else:
            self._write(mail)
        reply = dialogue.fitting(await dialogue.reply(), MAIL_DONE)
        dialogue.transaction_open = reply.positive
        return reply

    async def rcpt_to(self) -> list[Reply]:
        """Name the recipients; gives a reply for each. After a 421 it stands for all that follow.

        Without PIPELINING each reply is waited for before the next recipient is named.
        """
        replies: list[Reply] = []
        at_once = RECIPIENTS_AT_ONCE if self._pipelined else 1
        count = len(self._recipients)
        for start in range(0, count, at_once):
            if not self._pipelined:
                self._write([self._recipients[start]])
            elif start:
                self._write(self._group(start))
            for _ in range(min(at_once, count - start)):
                reply = self._dialogue.fitting(await self._dialogue.reply(), MAIL_DONE)
                replies.append(reply)
                self._somebody |= reply.positive
                if self._dialogue.closing:
                    return replies + [reply] * (count - len(replies))
        return replies

    async def data(self, content: Content) -> Reply:
        """Send the message; gives the reply to its end, or to DATA where that was refused.

        Nothing of the message leaves before this is called. Raises `ValueError` on octets beyond
        ASCII that were not announced.
        """
        if not (self._eight_bit or content.is_ascii):
            raise ValueError("The message has 8-bit content that was not announced.")
        dialogue = self._dialogue
        if not self._data_asked:
            self._write([commands.DATA])
        reply = dialogue.fitting(await dialogue.reply(), _GO_AHEAD)
        if not reply.positive:
            return reply
        complete = await self._connection.write_message(content.dot_stuffed())
        reply = dialogue.fitting(await dialogue.reply(), MAIL_DONE)
        if complete:
            # The relay has used up, or thrown away, what it kept (RFC 5321, section 4.1.1.4).
            dialogue.transaction_open = False
        elif reply.positive:
            raise dialogue.broken(Reason.UNEXPECTED_REPLY, reply)
        else:
            dialogue.close()
        return reply

    async def leave(self) -> None:
        """Send no message, and hear what was asked along with what failed.

        A relay that waits for a message all the same gets an empty one, if that is for nobody
        (RFC 2920, section 3.1).
        """
        dialogue, connection = self._dialogue, self._connection
        while connection.outstanding > self._data_asked and not dialogue.closing:
            self._somebody |= dialogue.fitting(await dialogue.reply(), MAIL_DONE).positive
        if not connection.outstanding or dialogue.closing:
            return
        reply = dialogue.fitting(await dialogue.reply(), _GO_AHEAD)
        if not reply.positive:
            return
        # To a recipient that was taken an empty message would go out; one without its end does not
        # (RFC 5321, section 4.1.1.10).
        if self._somebody or (await dialogue.ask(_END)).positive:
            dialogue.close()

    def _group(self, start: int, *, before: bytes = b"") -> list[bytes]:
        """Give the commands for the recipients from `start` on; DATA is a group's last."""
        group = [*self._recipients[start : start + RECIPIENTS_AT_ONCE]]
        if before:
            group.insert(0, before)
        if start + RECIPIENTS_AT_ONCE >= len(self._recipients):
            group.append(commands.DATA)
            self._data_asked = True
        return group

    async def _begin_anew(self, mail: list[bytes]) -> None:
        if self._pipelined:
            self._write([commands.RSET, *mail])
        else:
            self._write([commands.RSET])
        if not self._dialogue.fitting(await self._dialogue.reply(), MAIL_DONE).positive:
            self._dialogue.close()
            raise ClosedError
        if not self._pipelined:
            self._write(mail)

    def _write(self, lines: Sequence[bytes]) -> None:
        self._connection.write(b"".join(lines), replies=len(lines))
