"""A relay with a mailbox for everybody, but for those whom a test gives another answer."""

from collections.abc import Mapping

from tests.smtp.relays import Peer


class Mailboxes:
    """A relay's script that keeps what it takes; `answers` are replies to RCPT, by address."""

    def __init__(self, answers: Mapping[str, str] | None = None) -> None:
        self.messages: list[bytes] = []
        self.recipients: list[list[str]] = []
        self._answers = dict(answers or {})

    async def __call__(self, peer: Peer) -> None:
        await peer.greet()
        taken: list[str] = []
        while (command := await peer.hear()) != "QUIT":
            verb, _, rest = command.partition(":")
            if verb == "MAIL FROM":
                taken = []
            if verb == "RCPT TO":
                address = rest.partition(">")[0].removeprefix("<")
                answer = self._answers.get(address, "250 2.1.5 Ok")
                taken += [address] if answer.startswith("250") else []
                await peer.say(answer)
            elif verb == "DATA" and taken:
                await self._keep(peer, taken)
            else:
                await peer.say("554 5.5.1 No valid recipients" if verb == "DATA" else "250 Ok")
        await peer.say("221 2.0.0 Bye")

    async def _keep(self, peer: Peer, recipients: list[str]) -> None:
        await peer.say("354 Go on")
        message = await peer.hear_message()
        # As a mailbox has it: RFC 5321, section 4.5.2, and this system's line ends.
        lines = message.removesuffix(b".\r\n").decode().split("\r\n")
        self.messages.append("\n".join(line.removeprefix(".") for line in lines).encode())
        self.recipients.append(recipients)
        await peer.say("250 2.0.0 Queued as 4711")
