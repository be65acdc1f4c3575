"""A login with a token of OAuth2 in place of a password.

A token that was good may be void by now, whatever its life was said to be: when the relay refuses
it, it is renewed once and shown once more. Then the refusal stands.
"""

import msgspec

from smarthost.delivery.lack import Lack
from smarthost.delivery.outcome import Step
from smarthost.delivery.progress import Progress, StepNotes, StoppedError
from smarthost.delivery.relay import RelaySettings
from smarthost.delivery.tokens import Tokens
from smarthost.secret import Secret
from smarthost.smtp.bearer import Bearer, choose_bearer
from smarthost.smtp.client import Client
from smarthost.smtp.errors import RefusedError


class BearerLogin:
    """Logs in to one relay, within one attempt."""

    def __init__(self, settings: RelaySettings, tokens: Tokens, progress: Progress) -> None:
        self._settings = settings
        self._tokens = tokens
        self._progress = progress

    async def run(self, client: Client, notes: StepNotes) -> Secret:
        """Log in; gives the token that was accepted.

        Raises `StoppedError`, `NoTokenError` and what `Client.authenticate` raises.
        """
        token = await self._tokens.token(self._settings)
        try:
            await self._show(client, token, notes)
        except RefusedError as error:
            # 4yz says nothing about the token.
            if error.reply.code < 500:
                raise
            self._tokens.forget(self._settings, token)
            if not client.usable:
                raise
            token = await self._tokens.token(self._settings)
            await self._show(client, token, notes)
        return token

    async def _show(self, client: Client, token: Secret, notes: StepNotes) -> None:
        progress = self._progress
        exchange = self._exchange(client, token)
        progress.hide(token)
        notes.seen["mechanism"] = exchange.mechanism
        client.deadline = progress.deadline(Step.AUTHENTICATE)
        try:
            notes.seen["reply"] = progress.shown(await client.authenticate(exchange))
        except RefusedError as error:
            raise _explained(error, exchange) from None

    def _exchange(self, client: Client, token: Secret) -> Bearer:
        settings = self._settings
        exchange = choose_bearer(
            client.extensions.auth,
            user_name=settings.user_name,
            token=token,
            host=settings.host,
            port=settings.port,
        )
        if exchange is None:
            raise StoppedError(Step.AUTHENTICATE, Lack.BEARER_LOGIN)
        return exchange


def _explained(error: RefusedError, exchange: Bearer) -> RefusedError:
    """Put what the relay said of the token beside what it said at the end."""
    if exchange.refusal is None:
        return error
    reply = error.reply
    return RefusedError(
        msgspec.structs.replace(reply, lines=(*reply.lines, f"({exchange.refusal})"))
    )
