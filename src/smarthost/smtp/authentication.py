"""The AUTH command's dialogue (RFC 4954), without I/O.

It carries a SASL exchange: encodes responses, decodes challenges, counts them, and knows what it
has said, so that no reply that repeats it gets any further.
"""

import base64
import binascii

from smarthost.smtp import commands
from smarthost.smtp.reply import Reply
from smarthost.smtp.sasl import Exchange, SaslError

ROUNDS_LIMIT = 3
"""Challenges of one exchange; no mechanism here needs more."""
_CHALLENGE = 334
_LINE_LIMIT = 512  # octets with CRLF: RFC 4954, section 4; RFC 5321, section 4.5.3.1.4


class Authentication:
    """One dialogue. `begin` and `answer` hash for a while; they belong in a thread."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._initial: bytes | None = None
        self._rounds = 0
        self._said = [exchange.password.reveal()]

    def begin(self) -> bytes:
        """Give the AUTH command."""
        initial = self._exchange.initial()
        if initial is None:
            return commands.auth(self._exchange.mechanism)
        self._remember(initial)
        line = commands.auth(self._exchange.mechanism, initial)
        if len(line) <= _LINE_LIMIT:
            return line
        # Too long for a command line: the relay asks for it first.
        self._initial = initial
        return commands.auth(self._exchange.mechanism)

    def answer(self, reply: Reply) -> bytes | None:
        """Give the line that answers a 334, or None where the relay has decided.

        Raises `SaslError`; then `commands.AUTH_CANCEL` is due.
        """
        if reply.code != _CHALLENGE:
            return None
        self._rounds += 1
        if self._rounds > ROUNDS_LIMIT:
            raise SaslError("The relay has too many challenges.")
        challenge, initial = _decoded(reply), self._initial
        self._initial = None
        response = self._exchange.respond(challenge) if initial is None else initial
        self._remember(response)
        return commands.auth_response(response)

    def cleaned(self, reply: Reply) -> Reply:
        """Take the password, and all that was said, out of a reply."""
        return reply.hiding(self._said)

    def _remember(self, response: bytes) -> None:
        self._said.append(base64.b64encode(response).decode("ascii"))


def _decoded(reply: Reply) -> bytes:
    text = "\n".join(reply.lines)
    try:
        # The library also takes padding behind a group that needs none (RFC 4648, section 4).
        if len(text) % 4 or text.endswith("==="):
            raise SaslError("The relay's challenge is not in whole groups of base64.")
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise SaslError("The relay's challenge is not base64.") from None
