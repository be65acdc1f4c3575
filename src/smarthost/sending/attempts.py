"""The attempts of a message as whoever sent it may see them: facts, and words where one failed.

Each attempt names the relay and the revision of the settings that it used, so that a person sees
at once which of them was at work. Where the relay is the operator's own and hidden, nothing of it
shows.
"""

import msgspec

from smarthost.explanations.explain import explain
from smarthost.explanations.failure import Facts, Failure, RelayShown
from smarthost.explanations.relay_shown import relay_shown
from smarthost.explanations.words import hidden_relay
from smarthost.mail_queue.accepted.store import MessageStore
from smarthost.mail_queue.model import Attempted
from smarthost.smtp_settings.model import Revision, SmtpSettings
from smarthost.smtp_settings.store import SettingsStore


class ShownAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt, with only what may be shown."""

    attempted: Attempted
    """Its relay, address and reply are not to be shown where the relay is hidden."""
    relay: str | None
    """`host:port`, or words for a relay that is hidden; None: none was reached for."""
    hidden: bool
    failure: Failure | None
    """None exactly when it was accepted."""


class Attempts:
    """Reads attempts."""

    def __init__(
        self,
        messages: MessageStore,
        settings: SettingsStore,
        shown_default: SmtpSettings | None,
    ) -> None:
        """`shown_default`: what portals may see of the installation's relay, None for nothing."""
        self._messages = messages
        self._settings = settings
        self._default = shown_default

    async def of(
        self, portal_id: str, message_id: str, *, newest: int | None = None
    ) -> list[ShownAttempt]:
        """Return the attempts of a message, the oldest first: all, or so many of the newest."""
        attempts = await self._messages.attempts(portal_id, message_id, newest=newest)
        revisions: dict[int | None, Revision] = {}
        for number in {attempted.revision for attempted in attempts}:
            revisions[number] = await self._revision(portal_id, number)
        return [self._shown(attempted, revisions[attempted.revision]) for attempted in attempts]

    async def _revision(self, portal_id: str, number: int | None) -> Revision:
        # An attempt whose worker died cannot say which it was.
        if number is None:
            return await self._settings.current(portal_id)
        return await self._settings.revision(portal_id, number)

    def _shown(self, attempted: Attempted, revision: Revision) -> ShownAttempt:
        relay = relay_shown(revision, self._default)
        hidden = bool(attempted.default_relay) and relay is None
        return ShownAttempt(
            attempted=attempted,
            relay=hidden_relay() if hidden else _host_and_port(attempted),
            hidden=hidden,
            failure=_failure(attempted, relay),
        )


def _host_and_port(attempted: Attempted) -> str | None:
    if attempted.relay_host is None:
        return None
    host = f"[{attempted.relay_host}]" if ":" in attempted.relay_host else attempted.relay_host
    return f"{host}:{attempted.relay_port}"


def _failure(attempted: Attempted, relay: RelayShown | None) -> Failure | None:
    if attempted.code is None:
        return None
    return explain(
        Facts(
            step=attempted.step,
            code=attempted.code,
            permanent=attempted.permanent,
            reply=attempted.reply,
            relay=relay,
            in_doubt=attempted.in_doubt,
            tls=attempted.tls,
        )
    )
