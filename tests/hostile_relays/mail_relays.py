"""Relays that misbehave with what a test message does not show: many messages, several recipients,
and what follows the dot.
"""

import asyncio
import random

import trustme

from tests.hostile_relays.honest import Peer, Relay

LATE_SECONDS = 660.0
_IDLE_SECONDS = 0.5


class MixedRecipients(Relay):
    """Takes the first, has the second come later, refuses the third."""

    async def rcpt(self, peer: Peer) -> None:
        if "<first" in peer.argument.partition(":")[2]:
            await peer.say("250 2.1.5 Ok")
        elif "<second" in peer.argument:
            await peer.say("450 4.2.1 Later")
        else:
            await peer.say("550 5.1.1 Nobody")


class RefusesAllRecipients(Relay):
    """Asks for a message to nobody, and says yes to it."""

    async def rcpt(self, peer: Peer) -> None:
        await peer.say("450 4.2.1 Later")

    async def answer_message(self, peer: Peer) -> None:
        self.messages.append(peer.message)
        await peer.say("250 2.0.0 Queued for nobody")


class DropsBehindDot(Relay):
    async def answer_message(self, peer: Peer) -> None:
        peer.writer.close()


class YesThenReset(Relay):
    async def answer_message(self, peer: Peer) -> None:
        await super().answer_message(peer)
        peer.cut()


class Late(Relay):
    """Says yes eleven minutes later."""

    async def answer_message(self, peer: Peer) -> None:
        await asyncio.sleep(LATE_SECONDS)
        await super().answer_message(peer)


class Closes(Relay):
    """Says 421 to about each third command of a message."""

    def __init__(self, authority: trustme.CA) -> None:
        super().__init__(authority)
        self._chance = random.Random(31)

    async def handle(self, verb: str, peer: Peer) -> None:
        if verb in {"MAIL", "RCPT", "DATA"} and self._chance.random() < 1 / 3:
            await self._leave(peer)
        else:
            await super().handle(verb, peer)

    async def answer_message(self, peer: Peer) -> None:
        if self._chance.random() < 1 / 3:
            await self._leave(peer)
        else:
            await super().answer_message(peer)

    async def _leave(self, peer: Peer) -> None:
        await peer.say("421 4.3.2 Closing")
        peer.writer.close()
        raise ConnectionAbortedError  # what else was sent along is not heard


class Bounces(Relay):
    """Takes everything, and thinks better of it afterwards."""

    def __init__(self, authority: trustme.CA) -> None:
        super().__init__(authority)
        self.bounces: list[bytes] = []

    async def answer_message(self, peer: Peer) -> None:
        await super().answer_message(peer)
        self.bounces.append(b"From: <>\r\n\r\n" + peer.message)


class ThanksAgain(Relay):
    """Says yes once more while nothing is asked."""

    async def answer_message(self, peer: Peer) -> None:
        await super().answer_message(peer)
        asyncio.get_running_loop().call_later(_IDLE_SECONDS, self._say_more, peer)

    @staticmethod
    def _say_more(peer: Peer) -> None:
        if not peer.writer.is_closing():
            peer.writer.write(b"250 2.0.0 Queued as nothing\r\n")


class HangsUpAfterEach(Relay):
    """One message a connection, without a word."""

    async def answer_message(self, peer: Peer) -> None:
        await super().answer_message(peer)
        peer.writer.close()


class MirrorsLogin(Relay):
    """Offers nothing but what could be passed on to another server as it comes."""

    mechanisms = "NTLM"


class SevenBits(Relay):
    """Knows no extension, PIPELINING included."""

    extensions = ()
