"""A relay whose answer depends on the recipient, so that a test has mail in every state."""

from tests.smtp.relays import Peer, Script

REFUSED = "550 5.1.1 No such user here"
LATER = "451 4.7.1 Greylisted, come back later"


def answering(recipients: dict[str, str]) -> Script:
    """Return a relay's script: what RCPT TO gets by the part before the @; 250 for all others.

    It takes one message for each connection.
    """

    async def answer(peer: Peer) -> None:
        await peer.greet()
        accepted = False
        while True:
            verb, _, rest = (await peer.hear()).partition(" ")
            if verb == "DATA" and accepted:
                await peer.say("354 Go on")
                await peer.hear_message()
                await peer.say("250 2.0.0 Queued as 4711")
                return
            if verb == "QUIT":
                await peer.say("221 2.0.0 Bye")
                return
            told = "250 2.0.0 Ok"
            if verb == "RCPT":
                name = rest.partition("<")[2].partition("@")[0]
                told = recipients.get(name, told)
                accepted = accepted or told.startswith("250")
            await peer.say(told)

    return answer
