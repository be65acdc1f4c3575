"""One message of a session: MAIL, RCPT and DATA (RFC 5321, section 3.3), without I/O.

It begins with a MAIL that was allowed and ends with the message or with RSET, EHLO, a refusal;
nothing of it outlives that.
"""

from smarthost.mail.address import Address
from smarthost.mail.dsn import RecipientDsn
from smarthost.smtp.command_parser import Mail, Rcpt
from smarthost.smtp.data_reader import DataEnd, DataReader
from smarthost.submission import replies
from smarthost.submission.limits import Limits
from smarthost.submission.replies import Reply
from smarthost.submission.steps import Message, Submitter


class Transaction:
    """What has been said of a message, and what has come of it."""

    def __init__(self, mail: Mail, limits: Limits) -> None:
        self._mail = mail
        self._limits = limits
        self._recipients: dict[Address, RecipientDsn] = {}
        self._data: DataReader | None = None

    @property
    def smtputf8(self) -> bool:
        """Whether MAIL asked for it, for its recipients too."""
        return self._mail.parameters.smtputf8

    @property
    def receiving(self) -> bool:
        """Whether octets are the message's now."""
        return self._data is not None and self._data.ended is None

    @property
    def received(self) -> bool:
        """Whether the message has come to its end."""
        return self._data is not None and self._data.ended is not None

    @property
    def held(self) -> int:
        """How many octets of the message are kept."""
        return 0 if self._data is None else self._data.octets

    def rcpt(self, command: Rcpt) -> Reply:
        """Add a recipient."""
        known = command.path in self._recipients
        if not known and len(self._recipients) >= self._limits.recipients:
            return replies.TOO_MANY_RECIPIENTS
        self._recipients[command.path] = command.dsn
        return replies.RECIPIENT_OK

    def begin_data(self) -> Reply:
        """Ask for the message."""
        if not self._recipients:
            return replies.RECIPIENT_FIRST
        self._data = DataReader(self._limits.message_octets)
        return replies.SEND_DATA

    def receive(self, octets: bytes) -> bytes | None:
        """Take octets of the message; return what stands behind its end, None: it has none yet."""
        if self._data is None or self._data.feed(octets) is None:
            return None
        return self._data.rest

    def drop(self) -> None:
        """Keep nothing of the message; it is refused for now at its end."""
        if self._data is not None:
            self._data.drop()

    def result(self, submitter: Submitter, client_name: str) -> Message | Reply:
        """Return the message that has been received, or why there is none."""
        data = self._data
        if data is None or data.ended is None:
            raise AssertionError("The message has not come to its end.")
        if data.ended is not DataEnd.WHOLE:
            return replies.DATA_ENDS[data.ended].filled(size=self._limits.message_octets)
        return Message(
            submitter=submitter,
            mail=self._mail,
            recipients=self._recipients,
            content=data.content,
            client_name=client_name,
        )
