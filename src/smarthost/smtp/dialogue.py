"""Commands and their replies over one connection, and what a reply may be.

A reply that does not fit its command ends the connection: the next one could be taken for the
answer to something else. After a 421 nothing more is asked, since the relay closes its end (RFC
5321, section 3.8).
"""

from smarthost.smtp.connection import Connection
from smarthost.smtp.errors import ClosedError, ProtocolError, Reason, RefusedError
from smarthost.smtp.reply import Reply

# What section 4.2 of RFC 5321 calls the mail system's own codes.
MAIL_DONE = range(250, 260)
SERVICE_CLOSING = 421


class Dialogue:
    """What is asked and answered on `connection`; every wait ends at its deadline."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.closing = False
        """Whether the relay has said 421."""
        self.transaction_open = False
        """Whether it may keep a sender of ours until RSET (RFC 5321, section 4.1.1.5)."""

    @property
    def usable(self) -> bool:
        """Whether another command can be sent: connected, nothing outstanding, no 421 heard."""
        return not self.closing and self.connection.idle

    def check_usable(self) -> None:
        """Raise what ended the connection, or `ClosedError`, unless `usable`."""
        if not self.usable:
            raise self.connection.failure or ClosedError

    async def ask(self, line: bytes) -> Reply:
        """Send one command and wait for its reply."""
        self.connection.write(line, replies=1)
        return await self.reply()

    async def reply(self) -> Reply:
        """Wait for the next reply."""
        reply = await self.connection.reply()
        if reply.code == SERVICE_CLOSING:
            self.closing = True
        return reply

    def granted(self, reply: Reply, code: int) -> Reply:
        """Give the reply if it has `code`. Raises `RefusedError` on 4yz and 5yz."""
        if not self.fitting(reply, range(code, code + 1)).positive:
            raise RefusedError(reply)
        return reply

    def fitting(self, reply: Reply, codes: range) -> Reply:
        """Give a reply that is negative or has one of these codes; another ends the connection."""
        if reply.positive and reply.code not in codes:
            raise self.broken(Reason.UNEXPECTED_REPLY, reply)
        return reply

    def broken(self, reason: Reason, reply: Reply | None = None) -> ProtocolError:
        """End the connection; gives the error to raise."""
        error = ProtocolError(reason, reply)
        self.connection.fail(error)
        return error

    def close(self) -> None:
        """End the connection at once."""
        self.connection.fail(ClosedError())
