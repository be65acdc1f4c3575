"""Scripted relays in a thread of their own, for tests that wait without a loop."""

import asyncio
import threading
from contextlib import AbstractContextManager

from tests.beside import beside
from tests.smtp.relays import Peer, Relay, Script, relay

_PATIENCE = 30.0


def running_relay(
    script: Script, *, host: str = "127.0.0.1", port: int = 0
) -> AbstractContextManager[Relay]:
    """Run a relay; at the end every script has to have come to its own."""
    return beside(relay(script, host=host, port=port))


class Inbox:
    """A relay's script that takes every message and keeps it."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.recipients: list[str] = []

    async def __call__(self, peer: Peer) -> None:
        await peer.greet()
        await peer.hear("MAIL FROM:")
        await peer.say("250 2.1.0 Ok")
        self.recipients.append(await peer.hear("RCPT TO:"))
        await peer.say("250 2.1.5 Ok")
        await peer.hear("DATA")
        await peer.say("354 Go on")
        self.messages.append(await peer.hear_message())
        await peer.say("250 2.0.0 Queued as 4711")
        await peer.hear("QUIT")
        await peer.say("221 2.0.0 Bye")


class Pausing:
    """A relay's script that says nothing behind its greeting until it is let go."""

    def __init__(self, then: Inbox | None = None) -> None:
        self.inbox = then or Inbox()
        self.reached = threading.Event()
        self._let_go = threading.Event()

    async def __call__(self, peer: Peer) -> None:
        if not self._let_go.is_set():
            self.reached.set()
            await asyncio.to_thread(self._let_go.wait, _PATIENCE)
        await self.inbox(peer)

    def let_go(self) -> None:
        self._let_go.set()


class Silent:
    """A relay's script that says nothing until its client is gone."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.left = threading.Event()

    async def __call__(self, peer: Peer) -> None:
        self.reached.set()
        await peer.is_left()
        self.left.set()


async def refuse_login(peer: Peer) -> None:
    """Play a relay that knows nobody."""
    await peer.greet("AUTH PLAIN")
    await peer.hear("AUTH PLAIN ")
    await peer.say("535 5.7.8 Authentication failed")
    await peer.hear("QUIT")
    await peer.say("221 2.0.0 Bye")
