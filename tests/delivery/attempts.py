"""Attempts at scripted relays, and what they have told."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from smarthost.clock import Clock, SystemClock
from smarthost.delivery.attempt import attempt
from smarthost.delivery.outcome import Outcome, Step, StepState
from smarthost.delivery.pool import Pool
from smarthost.delivery.relay import RelaySettings
from smarthost.delivery.tokens import Tokens
from smarthost.mail.envelope import Envelope
from smarthost.secret import Secret
from smarthost.smtp.egress import Policy, Resolver
from tests.names import Names
from tests.smtp.relays import HOST, Peer

PASSWORD = "Correct-Horse-7"
SENDER = "from@example.org"
TO = "to@example.net"
CONTENT = b"Subject: Hello\r\n\r\n.A line that starts with a dot\r\n"
ON_THE_WIRE = b"Subject: Hello\r\n\r\n..A line that starts with a dot\r\n.\r\n"


class Told:
    """What an attempt reports, step by step."""

    def __init__(self) -> None:
        self.events: list[tuple[Step, StepState, dict[str, object]]] = []

    async def __call__(self, step: Step, state: StepState, seen: Mapping[str, object]) -> None:
        self.events.append((step, state, dict(seen)))

    @property
    def ends(self) -> list[str]:
        """Steps and how each ended, as `tls ok`."""
        return [
            f"{step} {state}" for step, state, _ in self.events if state is not StepState.BEGIN
        ]

    def seen(self, step: Step) -> dict[str, object]:
        """What the last end of a step saw."""
        return [seen for told, state, seen in self.events if told is step][-1]


def settings(
    port: int,
    *,
    ssl: bool = False,
    auth: bool = False,
    ntlm: bool = False,
    ntlm_allowed: bool = True,
    ca_file: Path | None = None,
    revision: int = 7,
    policy_exempt: bool = False,
    portal_id: str = "portal-1",
) -> RelaySettings:
    return RelaySettings(
        portal_id=portal_id,
        revision=revision,
        host=HOST,
        port=port,
        enable_ssl=ssl,
        enable_auth=auth,
        use_ntlm=ntlm,
        ntlm_allowed=ntlm_allowed,
        user_name="user@example.org" if auth else "",
        password=Secret(PASSWORD) if auth else None,
        ca_file=ca_file,
        policy_exempt=policy_exempt,
        helo_name="app.example.org",
    )


def envelope(
    *recipients: str, content: bytes = CONTENT, utf8: bool = False, eight_bit: bool = False
) -> Envelope:
    return Envelope(
        sender=SENDER,
        recipients=recipients or (TO,),
        content=content,
        needs_smtputf8=utf8,
        needs_8bit=eight_bit,
    )


@asynccontextmanager
async def pool(
    resolver: Resolver | None = None,
    *,
    policy: Policy | None = None,
    idle_seconds: float = 0,
    clock: Clock | None = None,
    tokens: Tokens | None = None,
) -> AsyncIterator[Pool]:
    connections = Pool(
        policy=policy or Policy("any"),
        resolver=resolver or Names(["127.0.0.1"]),
        clock=clock or SystemClock(),
        tokens=tokens,
        idle_seconds=idle_seconds,
    )
    try:
        yield connections
    finally:
        await connections.close()


async def attempted(
    to: RelaySettings,
    *envelopes: Envelope,
    connections: Pool | None = None,
    told: Told | None = None,
    until: Step = Step.DATA,
    fresh: bool = False,
    seconds: float = 10.0,
) -> list[Outcome]:
    """Make an attempt, with sessions of its own unless `connections` are given."""
    async with pool() as own:
        return await attempt(
            to,
            envelopes or [envelope()],
            connections=connections or own,
            clock=SystemClock(),
            report=told or Told(),
            until=until,
            fresh=fresh,
            deadline_seconds=seconds,
        )


async def take_message(peer: Peer, *, recipients: Sequence[str] = (TO,)) -> bytes:
    """Play a relay that takes a message, and give what came behind DATA."""
    await peer.hear("MAIL FROM:<from@example.org>")
    await peer.say("250 2.1.0 Ok")
    for recipient in recipients:
        assert await peer.hear("RCPT TO:") == f"<{recipient}>"
        await peer.say("250 2.1.5 Ok")
    await peer.hear("DATA")
    await peer.say("354 Go on")
    message = await peer.hear_message()
    await peer.say("250 2.0.0 Queued as 4711")
    return message


async def say_goodbye(peer: Peer) -> None:
    await peer.hear("QUIT")
    await peer.say("221 2.0.0 Bye")
