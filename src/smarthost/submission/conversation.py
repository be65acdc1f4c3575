"""Leads one session over its connection: says what is to be said, does what is to be done.

Replies to a group of commands leave together, and nothing is read ahead while something is looked
up or stored. Every wait has an end, before the login a short one.
"""

import asyncio
import ssl
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network

import msgspec
import structlog

from smarthost.clock import Clock
from smarthost.metrics.submission import SubmissionMetrics
from smarthost.submission import replies
from smarthost.submission.acceptance import Acceptance
from smarthost.submission.limits import Limits
from smarthost.submission.login import Logins
from smarthost.submission.proxy_warnings import ProxyWarnings
from smarthost.submission.replies import Reply
from smarthost.submission.room import Room
from smarthost.submission.session import Session
from smarthost.submission.sessions import Sessions
from smarthost.submission.steps import Login, Message, Sender, StartTls, Submitter
from smarthost.submission.wire import LostError, TimedOutError, Wire

log = structlog.get_logger("smarthost.submission")

_TOGETHER = 100
"""Replies that are sent in one go, at the most."""

Certificate = Callable[[], ssl.SSLContext | None]
"""Gives what TLS is spoken with; None: there is no certificate."""


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where a client is."""

    address: str
    """IPv4 or IPv6, without brackets and zone."""
    on_loopback: bool
    """It is on this machine, and came by no other way, such as a proxy that names it."""


class House:
    """What all sessions share."""

    def __init__(
        self,
        *,
        host: str,
        logins: Logins,
        acceptance: Acceptance,
        certificate: Certificate,
        proxies: tuple[IPv4Network | IPv6Network, ...],
        limits: Limits,
        metrics: SubmissionMetrics,
        clock: Clock,
    ) -> None:
        """From `proxies` each connection begins with a header that says who is behind it."""
        self.host = host
        self.logins = logins
        self.acceptance = acceptance
        self.certificate = certificate
        self.proxies = proxies
        self.proxy_warnings = ProxyWarnings()
        self.limits = limits
        self.metrics = metrics
        self.clock = clock
        self.sessions = Sessions(limits)
        self.room = Room(limits.room_octets)


class Conversation:
    """One client, from the greeting to the end."""

    def __init__(
        self,
        wire: Wire,
        session: Session,
        house: House,
        origin: Origin,
        logged_in: Callable[[str], bool],
    ) -> None:
        """`logged_in` is told whose the client is, and says whether that one may have it."""
        self._wire = wire
        self._session = session
        self._house = house
        self._origin = origin
        self._logged_in = logged_in
        self._limits = house.limits
        self._clock = house.clock
        self._begun = house.clock.monotonic()
        self._until = self._begun + self._limits.session_seconds
        self._patience: float | None = None
        self._received = 0
        self._taken = 0
        self._out: list[bytes] = []
        self._dismissal: Reply | None = None
        self._over = False
        self._said_bye = False
        self._encrypting = False
        wire.receive = self._receive

    def dismiss(self, reply: Reply) -> None:
        """Say `reply` and close, once no message is on its way."""
        self._dismissal = self._dismissal or reply
        if self._encrypting:
            self._wire.abort()
        self._wire.wake()

    async def run(self) -> None:
        """Lead the session to its end."""
        try:
            await self._converse()
        except TimedOutError:
            self._say(replies.TIMED_OUT)
        except LostError:
            self._out.clear()
        except asyncio.CancelledError:
            self._wire.abort()
            raise
        except Exception:
            log.exception("session failed", client=self._origin.address)
            self._say(replies.OWN_FAULT)
        finally:
            self._give_back()
        self._flush()
        await self._wire.leave(at_once=self._said_bye)

    async def _converse(self) -> None:
        self._say(self._session.greeting())
        while not self._over:
            if self._dismissal is not None and not self._session.receiving:
                self._say(self._dismissal)
                return
            if len(self._out) >= _TOGETHER:
                self._flush()
                await asyncio.sleep(0)  # others have a turn
            step = self._session.next()
            if step is None:
                await self._more()
                continue
            self._patience = None
            match step:
                case Reply():
                    self._say(step)
                case StartTls():
                    self._say(step.reply)
                    self._flush()
                    await self._encrypt()
                case _:
                    await self._do(step)

    async def _do(self, step: Login | Sender | Message) -> None:
        submitter: Submitter | None = None
        try:
            match step:
                case Login():
                    reply, submitter = await self._login(step)
                case Sender():
                    reply, submitter = await self._house.acceptance.sender(step)
                case Message():
                    reply = await self._message(step)
        except Exception as error:
            told = replies.of_error(error)
            if told is None:
                raise
            log.warning("submission not possible", client=self._origin.address, reason=str(error))
            reply = told
        if not reply.positive and not isinstance(step, Login):
            log.info("submission refused", client=self._origin.address, reply=reply.text)
        self._say(self._session.answer(reply, submitter))

    async def _login(self, step: Login) -> tuple[Reply, Submitter | None]:
        reply, submitter = await self._house.logins.check(step.credentials, self._origin.address)
        self._house.metrics.logged_in(accepted=submitter is not None)
        if submitter is not None and not self._logged_in(submitter.portal.id):
            return replies.TOO_MANY_SESSIONS, None
        return reply, submitter

    async def _message(self, message: Message) -> Reply:
        try:
            tls = self._session.tls
            return await self._house.acceptance.message(message, self._origin.address, tls=tls)
        finally:
            self._give_back()

    async def _encrypt(self) -> None:
        context = self._house.certificate()
        if context is None:
            raise LostError
        self._encrypting = True
        await self._wire.encrypt(context, self._limits.command_seconds)
        self._encrypting = False
        self._session.encrypted()

    # Octets.

    def _receive(self, octets: bytes) -> bool:
        self._received += len(octets)
        ready = self._session.receive(octets)
        if self._session.receiving:
            self._make_room(self._session.held - self._limits.small_octets)
        return ready

    def _make_room(self, octets: int) -> None:
        # Less than before where the message was too large, and is kept no more.
        more = max(0, octets) - self._taken
        if self._house.room.take(more):
            self._taken += more
        else:
            self._session.drop_message()
            self._give_back()

    def _give_back(self) -> None:
        self._house.room.give_back(self._taken)
        self._taken = 0

    def _say(self, reply: Reply) -> None:
        self._out.append(reply.octets)
        self._over = self._over or reply.ends
        self._said_bye = reply is replies.BYE

    def _flush(self) -> None:
        if self._out:
            self._wire.write(b"".join(self._out))
            self._out.clear()

    # Waits.

    async def _more(self) -> None:
        self._flush()
        if self._session.receiving:
            await self._more_of_a_message()
        else:
            await self._wire.news(self._for_a_command())

    def _for_a_command(self) -> float:
        """Return until when the next command has to be whole."""
        if self._patience is None:
            now = self._clock.monotonic()
            if self._session.submitter is not None:
                self._patience = now + self._limits.idle_seconds
            else:
                end = self._begun + self._limits.login_seconds
                self._patience = min(now + self._limits.command_seconds, end)
        return min(self._patience, self._until)

    async def _more_of_a_message(self) -> None:
        limits = self._limits
        if self._patience is None:
            self._patience, self._received = self._clock.monotonic() + limits.data_seconds, 0
        try:
            await self._wire.news(min(self._patience, self._until))
        except TimedOutError:
            # Nobody holds the room that all large messages share for long.
            rate = limits.room_rate if self._taken else limits.data_rate
            fast_enough = self._received >= rate * limits.data_seconds
            if not fast_enough or self._clock.monotonic() >= self._until:
                raise
            self._patience = None
