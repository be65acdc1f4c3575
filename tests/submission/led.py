"""A session that is led without a network: octets in, what is said and what was taken out."""

import base64
from collections.abc import Iterable
from dataclasses import dataclass, field

from smarthost.mail.address import Address
from smarthost.portals.model import Caller, CredentialKind, Permission, Portal, Role, User
from smarthost.portals.tokens import Token, TokenKind
from smarthost.secret import Secret
from smarthost.submission import replies
from smarthost.submission.limits import Limits
from smarthost.submission.replies import Reply
from smarthost.submission.session import Session, Terms
from smarthost.submission.steps import Login, Message, Sender, StartTls, Submitter

KEY = "the right key"
HOST = "smarthost.example.com"
PORTAL = Portal(id="p", name="acme", created_at=0, settings_allowed=True)
USER = User(
    portal_id="p",
    id="u",
    email="app@example.com",
    role=Role.USER,
    password_hash=None,
    created_at=0,
)
SUBMITTER = Submitter(
    portal=PORTAL,
    caller=Caller(
        user=USER,
        kind=CredentialKind.KEY,
        credential_id="k",
        permissions=frozenset({Permission.SEND}),
    ),
    token=Token(kind=TokenKind.API_KEY, id="k", secret=Secret("s")),
)
LIMITS = Limits(message_octets=1_000, recipients=3, errors=5)


def plain(password: str = KEY) -> bytes:
    """AUTH PLAIN with its initial response."""
    return b"AUTH PLAIN " + base64.b64encode(b"\0app\0" + password.encode()) + b"\r\n"


@dataclass
class Led:
    """A session, all that it has said, and all that it has taken."""

    session: Session
    said: list[Reply] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    tls_begun: int = 0
    over: bool = False

    @property
    def codes(self) -> list[int]:
        return [reply.code for reply in self.said]

    @property
    def octets(self) -> bytes:
        return b"".join(reply.octets for reply in self.said)

    def feed(self, octets: bytes) -> list[int]:
        """Send octets, carry out all that is asked for, and return the codes of the answers."""
        known = len(self.said)
        if not self.over:
            self.session.receive(octets)
        while not self.over and (step := self.session.next()) is not None:
            match step:
                case Reply():
                    self.say(step)
                case StartTls():
                    self.say(step.reply)
                    self.tls_begun += 1
                    self.session.encrypted()
                case Login():
                    right = step.credentials.password.reveal() == KEY
                    reply = replies.LOGGED_IN if right else replies.LOGIN_REFUSED
                    self.say(self.session.answer(reply, SUBMITTER if right else None))
                case Sender():
                    allowed = _allowed(step.mail.path)
                    reply = replies.SENDER_OK if allowed else replies.SENDER_NOT_ALLOWED
                    self.say(self.session.answer(reply))
                case Message():
                    self.messages.append(step)
                    number = replies.ACCEPTED.filled(id=len(self.messages))
                    self.say(self.session.answer(number))
        return [reply.code for reply in self.said[known:]]

    def say(self, reply: Reply) -> None:
        self.said.append(reply)
        self.over = self.over or reply.ends


def _allowed(path: Address | None) -> bool:
    return path is None or path.domain == "example.com"


def led(
    *pieces: bytes,
    starttls: bool = False,
    login_in_clear: bool = True,
    limits: Limits = LIMITS,
) -> Led:
    """Lead a new session over these octets."""
    terms = Terms(host=HOST, starttls=starttls, login_in_clear=login_in_clear, limits=limits)
    session = Led(session=Session(terms))
    for piece in pieces:
        session.feed(piece)
    return session


def logged_in(*pieces: bytes, limits: Limits = LIMITS) -> Led:
    """Lead a session that has logged in already; what was said until then is left out."""
    session = led(b"EHLO app.example.com\r\n", plain(), limits=limits)
    assert session.codes == [250, 235]
    session.said.clear()
    for piece in pieces:
        session.feed(piece)
    return session


def octet_by_octet(stream: bytes) -> Iterable[bytes]:
    return (stream[at : at + 1] for at in range(len(stream)))
