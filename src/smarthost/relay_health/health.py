"""How a portal's mail is doing just now, read from the queue's rows each time.

A hold is a fact of the queue; why there is one is worded when somebody asks.
"""

from enum import StrEnum

import msgspec

from smarthost.explanations.explain import explain
from smarthost.explanations.failure import Facts, Failure, RelayShown
from smarthost.explanations.relay_shown import relay_shown
from smarthost.mail_queue.accepted.store import MessageStore
from smarthost.mail_queue.holds.model import Hold
from smarthost.mail_queue.holds.store import HoldStore
from smarthost.relay_health.oauth2 import OAuth2Health, OAuth2State, oauth2_health
from smarthost.smtp_settings.binding.store import BindingStore
from smarthost.smtp_settings.model import SmtpSettings
from smarthost.smtp_settings.store import SettingsStore


class HealthState(StrEnum):
    """Whether mail goes out."""

    OK = "ok"
    HELD = "held"
    """The relay takes none; all of it waits, and one message at a time tries."""
    UNKNOWN = "unknown"
    """Nothing was ever sent, and nothing has failed."""


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """How a portal's mail is doing; the counts are recipients."""

    state: HealthState
    since: int | None
    """Since when it is held; microseconds since 1970, UTC, as all times."""
    failure: Failure | None
    """Why it is held."""
    next_try_at: int | None
    """When one message tries again whether the relay takes mail; None unless it is held."""
    queued: int
    """On its way."""
    held: int
    """Waiting for a person to release it."""
    oldest_queued_at: int | None
    last_sent_at: int | None
    oauth2: OAuth2Health | None
    """How the login by OAuth2 is doing; None: the relay is not logged in to so."""


class RelayHealth:
    """Reads how portals' mail is doing."""

    def __init__(
        self,
        holds: HoldStore,
        messages: MessageStore,
        settings: SettingsStore,
        bindings: BindingStore,
        shown_default: SmtpSettings | None,
    ) -> None:
        """`shown_default`: what portals may see of the installation's relay, None for nothing."""
        self._holds = holds
        self._messages = messages
        self._settings = settings
        self._bindings = bindings
        self._shown_default = shown_default

    async def of(self, portal_id: str) -> Health:
        """Return how the portal's mail is doing."""
        hold = await self._holds.current(portal_id)
        counts = await self._messages.counts(portal_id)
        return Health(
            state=_state(hold, counts.last_sent_at),
            since=None if hold is None else hold.since,
            failure=None if hold is None else await self._failure(hold),
            next_try_at=None if hold is None else hold.probe_at,
            queued=counts.queued,
            held=counts.held,
            oldest_queued_at=counts.oldest_queued_at,
            last_sent_at=counts.last_sent_at,
            oauth2=await self._oauth2(portal_id),
        )

    async def _oauth2(self, portal_id: str) -> OAuth2Health | None:
        health = oauth2_health(await self._bindings.status(portal_id))
        return None if health.state in (OAuth2State.NONE, OAuth2State.ENDED) else health

    async def _failure(self, hold: Hold) -> Failure:
        revision = await self._settings.revision(hold.portal_id, hold.revision)
        return failure_of(hold, relay_shown(revision, self._shown_default))


def failure_of(hold: Hold, relay: RelayShown | None) -> Failure:
    """Return in words why a portal is on hold; `relay` as the portal may see it."""
    return explain(
        Facts(
            step=hold.step,
            code=hold.code,
            permanent=hold.permanent,
            reply=hold.reply,
            relay=relay,
            tls=hold.tls,
        )
    )


def _state(hold: Hold | None, last_sent_at: int | None) -> HealthState:
    if hold is not None:
        return HealthState.HELD
    return HealthState.UNKNOWN if last_sent_at is None else HealthState.OK
