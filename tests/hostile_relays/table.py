"""What relays do, and what comes of a test message then."""

from dataclasses import dataclass, field

from smarthost.delivery.outcome import Code, Step
from tests.hostile_relays.honest import MakeRelay, says
from tests.hostile_relays.relays import (
    Challenges,
    ClearWhereTlsIsFirst,
    ClosesAtOnce,
    ClosesOnEhlo,
    Drips,
    DripsLines,
    DropsSyn,
    Expired,
    FloodsAnswer,
    FloodsChallenge,
    FloodsKeywords,
    FloodsLine,
    FloodsLines,
    Injects,
    LoginInClearOnly,
    ManyRounds,
    NoExtensions,
    NothingListens,
    OffersNoTls,
    OldTls,
    Repeats,
    Resets,
    Silent,
    SmallMessages,
    StallsHandshake,
    StopsReading,
    TalksOnInClear,
    TlsAtOnce,
    UnknownAuthority,
    WrongName,
)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One behaviour. Unless `settings` say otherwise, TLS and a login are asked for."""

    threat: str
    """Which hostile relay it is; several rows can be variants of one."""
    behaviour: str
    """As the documentation has it."""
    relay: MakeRelay
    step: Step
    code: Code
    permanent: bool = False
    in_doubt: bool = False
    slow: bool = False
    """Whether only a deadline ends it."""
    logins: int = 0
    """How many AUTH commands the relay hears."""
    cancels: bool = False
    """Whether the exchange of the login is ended by a `*`."""
    settings: dict[str, object] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.threat}: {self.behaviour}"

    @property
    def outcome(self) -> str:
        """What the documentation says of the mail."""
        return "waiting does not help" if self.permanent else "may pass by itself"


def _odd_code(code: str) -> Row:
    return Row(
        threat="H10",
        behaviour=f"Answers with the code `{code}`",
        relay=says("EHLO", f"{code} localhost\r\n".encode()),
        step=Step.EHLO,
        code=Code.PROTOCOL_ERROR,
    )


_MESSY = b'550 5.7.1 \x00\x1b[31;1m<script>alert(1)</script>\x07"\xff\xfe' + b"z" * 1_000

TABLE = [
    Row(
        threat="H01",
        behaviour="Accepts the connection and never speaks",
        relay=Silent,
        step=Step.GREETING,
        code=Code.TIMED_OUT,
        slow=True,
    ),
    Row(
        threat="H02",
        behaviour="Sends its greeting an octet each ten seconds",
        relay=Drips,
        step=Step.GREETING,
        code=Code.TIMED_OUT,
        slow=True,
    ),
    Row(
        threat="H02",
        behaviour="Sends a line each second and never the last one",
        relay=DripsLines,
        step=Step.EHLO,
        code=Code.TIMED_OUT,
        slow=True,
    ),
    Row(
        threat="H03",
        behaviour="Stops reading in the middle of the message",
        relay=StopsReading,
        step=Step.DATA,
        code=Code.TIMED_OUT,
        in_doubt=True,
        slow=True,
        logins=1,
    ),
    Row(
        threat="H04",
        behaviour="Does not answer the connection at all",
        relay=DropsSyn,
        step=Step.CONNECT,
        code=Code.TIMED_OUT,
        slow=True,
    ),
    Row(
        threat="H04",
        behaviour="Refuses the connection",
        relay=NothingListens,
        step=Step.CONNECT,
        code=Code.CONNECTION_REFUSED,
    ),
    Row(
        threat="H04",
        behaviour="Resets the connection as soon as it stands",
        relay=Resets,
        step=Step.GREETING,
        code=Code.CONNECTION_CLOSED,
    ),
    Row(
        threat="H05",
        behaviour="Greets with a line that never ends",
        relay=FloodsLine,
        step=Step.GREETING,
        code=Code.PROTOCOL_ERROR,
    ),
    Row(
        threat="H05",
        behaviour="Answers the message with a line that never ends",
        relay=FloodsAnswer,
        step=Step.DATA,
        code=Code.PROTOCOL_ERROR,
        in_doubt=True,
        logins=1,
    ),
    Row(
        threat="H06",
        behaviour="Answers EHLO with lines without end",
        relay=FloodsLines,
        step=Step.EHLO,
        code=Code.PROTOCOL_ERROR,
    ),
    Row(
        threat="H07",
        behaviour="Lists extensions without end, two kilobytes each",
        relay=FloodsKeywords,
        step=Step.EHLO,
        code=Code.PROTOCOL_ERROR,
    ),
    Row(
        threat="H08",
        behaviour="Says more than its greeting",
        relay=says("GREETING", b"220 localhost\r\n250 Ok\r\n"),
        step=Step.EHLO,
        code=Code.PROTOCOL_ERROR,
    ),
    Row(
        threat="H08",
        behaviour="Says a reply too many after the login",
        relay=says("AUTH", b"235 2.7.0 Welcome\r\n250 2.0.0 Delivered\r\n"),
        step=Step.SENDER,
        code=Code.PROTOCOL_ERROR,
        logins=1,
    ),
    Row(
        threat="H08",
        behaviour="Thanks for the message before it was sent",
        relay=says("DATA", b"354 Go on\r\n250 2.0.0 Delivered\r\n"),
        step=Step.DATA,
        code=Code.PROTOCOL_ERROR,
        logins=1,
    ),
    Row(
        threat="H09",
        behaviour="Ends its lines with a bare LF",
        relay=says("GREETING", b"220 localhost\n"),
        step=Step.GREETING,
        code=Code.PROTOCOL_ERROR,
    ),
    *(_odd_code(code) for code in ("000", "999", "25", "+25", "2\uff150")),
    Row(
        threat="H11",
        behaviour="Answers the message with `550-` and `250` in one reply",
        relay=says(".", b"550-Refused\r\n250 2.0.0 Delivered\r\n"),
        step=Step.DATA,
        code=Code.PROTOCOL_ERROR,
        in_doubt=True,
        logins=1,
    ),
    Row(
        threat="H12",
        behaviour="Refuses the recipient with a reply of NUL, escapes, HTML and octets",
        relay=says("RCPT", _MESSY + b"\r\n"),
        step=Step.RECIPIENT,
        code=Code.RECIPIENT_REFUSED,
        permanent=True,
        logins=1,
    ),
    Row(
        threat="H12",
        behaviour="Repeats the password in its refusal",
        relay=Repeats,
        step=Step.AUTHENTICATE,
        code=Code.LOGIN_REFUSED,
        permanent=True,
        logins=1,
    ),
    Row(
        threat="H13",
        behaviour="Hangs up before its greeting",
        relay=ClosesAtOnce,
        step=Step.GREETING,
        code=Code.CONNECTION_CLOSED,
    ),
    Row(
        threat="H13",
        behaviour="Hangs up at EHLO",
        relay=ClosesOnEhlo,
        step=Step.EHLO,
        code=Code.CONNECTION_CLOSED,
    ),
    Row(
        threat="H13",
        behaviour="Does not know EHLO (500)",
        relay=says("EHLO", b"500 What?\r\n"),
        step=Step.EHLO,
        code=Code.PROTOCOL_ERROR,
    ),
    Row(
        threat="H14",
        behaviour="Greets with 554",
        relay=says("GREETING", b"554 No mail here\r\n"),
        step=Step.GREETING,
        code=Code.RELAY_UNAVAILABLE,
    ),
    Row(
        threat="H14",
        behaviour="Greets with 421",
        relay=says("GREETING", b"421 Too busy\r\n"),
        step=Step.GREETING,
        code=Code.RELAY_UNAVAILABLE,
    ),
    Row(
        threat="H15",
        behaviour="Does not offer STARTTLS, but a login",
        relay=OffersNoTls,
        step=Step.TLS,
        code=Code.TLS_UNAVAILABLE,
        permanent=True,
    ),
    Row(
        threat="H15",
        behaviour="Refuses STARTTLS with 454",
        relay=says("STARTTLS", b"454 4.7.0 Not now\r\n"),
        step=Step.TLS,
        code=Code.TLS_UNAVAILABLE,
    ),
    Row(
        threat="H15",
        behaviour="Agrees to STARTTLS and goes on in clear",
        relay=TalksOnInClear,
        step=Step.TLS,
        code=Code.TLS_NOT_SPOKEN,
        permanent=True,
    ),
    Row(
        threat="H16",
        behaviour="Waits for TLS where the greeting comes first",
        relay=TlsAtOnce,
        step=Step.GREETING,
        code=Code.TIMED_OUT,
        slow=True,
    ),
    Row(
        threat="H16",
        behaviour="Greets in clear on a port where TLS comes first",
        relay=ClearWhereTlsIsFirst,
        step=Step.TLS,
        code=Code.TLS_NOT_SPOKEN,
        permanent=True,
    ),
    Row(
        threat="H17",
        behaviour="Shows a certificate for another name",
        relay=WrongName,
        step=Step.TLS,
        code=Code.CERTIFICATE_WRONG_NAME,
        permanent=True,
    ),
    Row(
        threat="H18",
        behaviour="Shows a certificate that has expired",
        relay=Expired,
        step=Step.TLS,
        code=Code.CERTIFICATE_EXPIRED,
        permanent=True,
    ),
    Row(
        threat="H19",
        behaviour="Shows a certificate of an unknown authority",
        relay=UnknownAuthority,
        step=Step.TLS,
        code=Code.CERTIFICATE_UNTRUSTED,
        permanent=True,
    ),
    Row(
        threat="H20",
        behaviour="Speaks only TLS 1.0",
        relay=OldTls,
        step=Step.TLS,
        code=Code.TLS_TOO_OLD,
        permanent=True,
    ),
    Row(
        threat="H20",
        behaviour="Never answers in the TLS handshake",
        relay=StallsHandshake,
        step=Step.TLS,
        code=Code.TIMED_OUT,
        slow=True,
    ),
    Row(
        threat="H21",
        behaviour="Says more in clear after agreeing to STARTTLS",
        relay=Injects,
        step=Step.TLS,
        code=Code.STARTTLS_INJECTION,
    ),
    Row(
        threat="H22",
        behaviour="Lists mechanisms and refuses each with 504",
        relay=says("AUTH", b"504 5.5.4 Unknown\r\n"),
        step=Step.AUTHENTICATE,
        code=Code.LOGIN_NOT_OFFERED,
        permanent=True,
        logins=1,
    ),
    Row(
        threat="H22",
        behaviour="Refuses the login with 535",
        relay=says("AUTH", b"535 5.7.8 No\r\n"),
        step=Step.AUTHENTICATE,
        code=Code.LOGIN_REFUSED,
        permanent=True,
        logins=1,
    ),
    Row(
        threat="H23",
        behaviour="Offers a login only before TLS",
        relay=LoginInClearOnly,
        step=Step.AUTHENTICATE,
        code=Code.LOGIN_NOT_OFFERED,
        permanent=True,
    ),
    Row(
        threat="H24",
        behaviour="Sends a challenge that is not base64",
        relay=says("AUTH", b"334 ???\r\n"),
        step=Step.AUTHENTICATE,
        code=Code.PROTOCOL_ERROR,
        logins=1,
        cancels=True,
    ),
    Row(
        threat="H24",
        behaviour="Sends a challenge without end",
        relay=FloodsChallenge,
        step=Step.AUTHENTICATE,
        code=Code.PROTOCOL_ERROR,
        logins=1,
    ),
    Row(
        threat="H24",
        behaviour="Sends one challenge after the other",
        relay=Challenges,
        step=Step.AUTHENTICATE,
        code=Code.PROTOCOL_ERROR,
        logins=1,
        cancels=True,
    ),
    Row(
        threat="H24",
        behaviour="Asks for ten million rounds of hashing",
        relay=ManyRounds,
        step=Step.AUTHENTICATE,
        code=Code.PROTOCOL_ERROR,
        logins=1,
        cancels=True,
    ),
    Row(
        threat="H25",
        behaviour="Accepts the login and asks for one at MAIL (530)",
        relay=says("MAIL", b"530 5.7.0 Authentication required\r\n"),
        step=Step.SENDER,
        code=Code.LOGIN_REQUIRED,
        logins=1,
    ),
    Row(
        threat="H27",
        behaviour="Answers DATA with 250 in place of 354",
        relay=says("DATA", b"250 2.0.0 Delivered\r\n"),
        step=Step.DATA,
        code=Code.PROTOCOL_ERROR,
        logins=1,
    ),
    Row(
        threat="H27",
        behaviour="Takes its 354 back before the message was sent",
        relay=says("DATA", b"354 Go on\r\n554 5.7.1 Rather not\r\n"),
        step=Step.DATA,
        code=Code.PROTOCOL_ERROR,
        logins=1,
    ),
    Row(
        threat="H33",
        behaviour="Takes messages of one octet (`SIZE 1`)",
        relay=SmallMessages,
        step=Step.SENDER,
        code=Code.MESSAGE_TOO_LARGE,
        permanent=True,
        logins=1,
    ),
    Row(
        threat="H33",
        behaviour="Knows no SMTPUTF8, which an address needs",
        relay=NoExtensions,
        step=Step.SENDER,
        code=Code.SMTPUTF8_UNSUPPORTED,
        permanent=True,
        logins=1,
        settings={"sender_address": "b\u00fcro@example.com"},
    ),
]
