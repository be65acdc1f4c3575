"""A relay as providers have them: STARTTLS, a login, and mail for one account."""

import asyncio
import base64
import ssl
import threading

from tests.smtp.relays import Peer

USER_NAME = "notify@example.com"
PASSWORD = "an app password"
_PATIENCE = 30.0


class Provider:
    """A relay's script that takes checks and messages of its one account.

    It says nothing to the login while it is `held`.
    """

    def __init__(
        self, tls: ssl.SSLContext, *, banner: str = "220 relay.example.com ESMTP"
    ) -> None:
        self.messages: list[bytes] = []
        self.reached = threading.Event()
        self.left = threading.Event()
        self._tls = tls
        self._banner = banner
        self._free = threading.Event()
        self._free.set()

    def hold(self) -> None:
        self._free.clear()

    def let_go(self) -> None:
        self._free.set()

    async def __call__(self, peer: Peer) -> None:
        await peer.say(self._banner)
        await peer.answer_ehlo("STARTTLS")
        await peer.hear("STARTTLS")
        await peer.say("220 2.0.0 Go on")
        await peer.start_tls(self._tls)
        await peer.answer_ehlo("AUTH PLAIN LOGIN", "8BITMIME", "SIZE 52428800")
        shown = await peer.hear("AUTH PLAIN ")
        await self._wait(peer)
        if base64.b64decode(shown).decode() != f"\0{USER_NAME}\0{PASSWORD}":
            await peer.say("535 5.7.8 Bad <b>credentials</b>")
            await peer.hear("QUIT")
            await peer.say("221 2.0.0 Bye")
            return
        await peer.say("235 2.7.0 Welcome")
        await self._take(peer)

    async def _take(self, peer: Peer) -> None:
        while (line := await peer.hear()) != "QUIT":
            if line == "DATA":
                await peer.say("354 Go on")
                self.messages.append(await peer.hear_message())
            await peer.say("250 2.0.0 Ok")
        await peer.say("221 2.0.0 Bye")

    async def _wait(self, peer: Peer) -> None:
        if self._free.is_set():
            return
        self.reached.set()
        gone = asyncio.ensure_future(peer.is_left())
        freed = asyncio.ensure_future(asyncio.to_thread(self._free.wait, _PATIENCE))
        await asyncio.wait({gone, freed}, return_when=asyncio.FIRST_COMPLETED)
        if gone.done():
            self.left.set()
            self._free.set()  # so that the thread ends, and whoever comes next is not held
        else:
            gone.cancel()
        await asyncio.wait({gone, freed})
        if self.left.is_set():
            raise ConnectionResetError
