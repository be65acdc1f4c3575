"""A relay whose answer depends on the recipient, so that a test has mail in every state."""

import asyncio
from collections.abc import Mapping

from tests.smtp.relays import Peer, Script

REFUSED = "550 5.1.1 No such user here"
LATER = "451 4.7.1 Greylisted, come back later"
SILENT = "no reply"
"""What follows the message if it goes to such a recipient: the relay hangs up."""

_KEPT = 1.0  # seconds


def answering(recipients: Mapping[str, str], taken: str = "250 2.0.0 Queued as 4711") -> Script:
    """Return a relay's script: what RCPT TO gets by the part before the @; 250 for all others.

    It takes one message for each connection, and then says `taken`. Once it has refused everybody
    it waits for no other message.
    """

    async def answer(peer: Peer) -> None:
        await peer.greet()
        accepted: list[str] = []
        refused = False
        while True:
            try:
                heard = await asyncio.wait_for(peer.hear(), _KEPT if refused else None)
            except TimeoutError:
                return
            verb, _, rest = heard.partition(" ")
            if verb == "DATA" and accepted:
                await peer.say("354 Go on")
                await peer.hear_message()
                if SILENT not in accepted:
                    await peer.say(taken)
                return
            told = "250 2.0.0 Ok"
            if verb == "QUIT":
                await peer.say("221 2.0.0 Bye")
                return
            if verb == "RCPT":
                chosen = recipients.get(rest.partition("<")[2].partition("@")[0], told)
                if chosen == SILENT or chosen.startswith("250"):
                    accepted.append(chosen)
                told = told if chosen == SILENT else chosen
                refused = not accepted
            await peer.say(told)

    return answer
