"""What comes of real mail, for each relay of the test message's table and for some more."""

from collections.abc import Sequence
from dataclasses import dataclass

from smarthost.delivery.outcome import Code, Step
from smarthost.mail_queue.model import Attempted
from tests.hostile_relays.honest import MakeRelay, says
from tests.hostile_relays.mail_relays import (
    Bounces,
    Closes,
    DropsBehindDot,
    HangsUpAfterEach,
    Late,
    MirrorsLogin,
    MixedRecipients,
    RefusesAllRecipients,
    SevenBits,
    ThanksAgain,
    YesThenReset,
)
from tests.hostile_relays.relays import WrongName
from tests.hostile_relays.table import TABLE, Row

_QUICKLY = 240  # where each message takes all the time that an attempt has
_FINAL = frozenset(
    {
        Code.RECIPIENT_REFUSED,
        Code.SENDER_REFUSED,
        Code.MESSAGE_TOO_LARGE,
        Code.SMTPUTF8_UNSUPPORTED,
    }
)


@dataclass(frozen=True, kw_only=True)
class MailRow:
    """One behaviour, and what the mail that meets it comes to."""

    threat: str
    behaviour: str
    relay: MakeRelay
    step: Step | None = None
    """Where a try fails; None: none does, or at one of several steps."""
    code: Code | None = None
    recipients: Sequence[str] = ("first",)
    """Of each message; the relay knows them by these words."""
    refused: Sequence[str] = ()
    """Those for whom it ends there."""
    in_doubt: bool = False
    """Whether nobody here can know what became of a message."""
    unsure: bool = False
    """Whether that is so although the relay has said yes."""
    utf8: bool = False
    """Whether the senders' addresses are not ASCII."""
    eight_bit: bool = False
    quickly: int = 60
    """So many times as quick as others time passes: an attempt may take five minutes."""

    @property
    def name(self) -> str:
        return f"{self.threat}: {self.behaviour}"

    def describes(self, attempt: Attempted) -> bool:
        return attempt.code is self.code and self.step in {None, attempt.step}


def _of(row: Row) -> MailRow:
    return MailRow(
        threat=row.threat,
        behaviour=row.behaviour,
        relay=row.relay,
        step=row.step,
        code=row.code,
        refused=("first",) if row.code in _FINAL else (),
        in_doubt=row.in_doubt,
        utf8=row.code is Code.SMTPUTF8_UNSUPPORTED,
        quickly=_QUICKLY if row.in_doubt and row.slow else 60,
    )


MAIL_TABLE = [
    *map(_of, TABLE),
    MailRow(
        threat="H08",
        behaviour="Says yes once more while nothing is asked",
        relay=ThanksAgain,
    ),
    MailRow(
        threat="H13",
        behaviour="Hangs up behind each message it has taken",
        relay=HangsUpAfterEach,
    ),
    MailRow(
        threat="H26",
        behaviour="Refuses the sender with 550",
        relay=says("MAIL", b"550 5.7.1 Not from you\r\n"),
        step=Step.SENDER,
        code=Code.SENDER_REFUSED,
        refused=("first",),
    ),
    MailRow(
        threat="H26",
        behaviour="Takes one recipient, puts one off, refuses one",
        relay=MixedRecipients,
        step=Step.RECIPIENT,
        code=Code.TEMPORARILY_REFUSED,
        recipients=("first", "second", "third"),
        refused=("third",),
    ),
    MailRow(
        threat="H26",
        behaviour="Puts all recipients off, and says yes to a message to nobody",
        relay=RefusesAllRecipients,
        step=Step.RECIPIENT,
        code=Code.TEMPORARILY_REFUSED,
        recipients=("first", "second"),
    ),
    MailRow(
        threat="H28",
        behaviour="Hangs up right behind the dot",
        relay=DropsBehindDot,
        step=Step.DATA,
        code=Code.CONNECTION_CLOSED,
        in_doubt=True,
    ),
    MailRow(
        threat="H29",
        behaviour="Says 250 and resets the connection at once",
        relay=YesThenReset,
        unsure=True,
    ),
    MailRow(
        threat="H30",
        behaviour="Says 250 eleven minutes late",
        relay=Late,
        step=Step.DATA,
        code=Code.TIMED_OUT,
        in_doubt=True,
        unsure=True,
        quickly=_QUICKLY,
    ),
    MailRow(
        threat="H31",
        behaviour="Says 421 to each third command or so",
        relay=Closes,
        code=Code.RELAY_UNAVAILABLE,
    ),
    MailRow(
        threat="H32",
        behaviour="Takes everything and bounces it afterwards",
        relay=Bounces,
    ),
    MailRow(
        threat="H33",
        behaviour="Knows no extension, and gets eight bits in seven",
        relay=SevenBits,
        eight_bit=True,
    ),
    MailRow(
        threat="H34",
        behaviour="Offers only a login that it could pass on",
        relay=MirrorsLogin,
        step=Step.AUTHENTICATE,
        code=Code.LOGIN_NOT_OFFERED,
    ),
    MailRow(
        threat="H34",
        behaviour="Stands in for another server, with a certificate of its own",
        relay=WrongName,
        step=Step.TLS,
        code=Code.CERTIFICATE_WRONG_NAME,
    ),
]
