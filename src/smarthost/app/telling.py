"""What tells people and applications how mail fares, beside the worker that sends it.

Only the process that delivers tells, so that nobody hears of one thing from several.
"""

import random
from collections.abc import Callable, Sequence

import msgspec

from smarthost.app.relays import default_settings, helo_name, shown_default_relay
from smarthost.audit.store import AuditLog
from smarthost.clock import Clock
from smarthost.config import Config
from smarthost.database.engine import Transaction
from smarthost.delivery.tokens import Tokens
from smarthost.failure_notices.notices import FailureNotices
from smarthost.failure_notices.store import FailureNoticeStore
from smarthost.failure_notices.writer import FailureNoticeWriter, Senders
from smarthost.ids import Ids
from smarthost.mail.address import parse_address
from smarthost.mail.mailbox import Mailbox
from smarthost.mail_queue.accepted.store import MessageStore
from smarthost.mail_queue.holds.store import HoldStore
from smarthost.mail_queue.intake import Intake
from smarthost.mail_queue.model import Ended
from smarthost.mail_queue.turns.store import refresh_all
from smarthost.portals.store import PortalStore
from smarthost.relay_health.notices import Notices
from smarthost.relay_health.store import NoticeStore
from smarthost.relay_health.writer import NoticeWriter
from smarthost.sending.attempts import Attempts
from smarthost.smtp import tls
from smarthost.smtp.egress import Policy, Resolver
from smarthost.smtp_settings.store import SettingsStore
from smarthost.webhooks.deliver import AT_ONCE, Called, Post, WebhookDelivery
from smarthost.webhooks.rules import PUBLIC_PORTS
from smarthost.webhooks.waiting.store import WaitingEvents


class Stores(msgspec.Struct, frozen=True, kw_only=True):
    """What delivery reads and writes besides the queue."""

    audit: AuditLog
    portals: PortalStore
    settings: SettingsStore
    notices: NoticeStore
    webhook_events: WaitingEvents
    failure_notices: FailureNoticeStore
    access_tokens: Tokens

    async def note(
        self, tx: Transaction, portal_id: str, message_id: str, ended: Sequence[Ended]
    ) -> None:
        """Write in `tx` who is to be told that recipients of a mail stand otherwise."""
        await self.webhook_events.note(tx, portal_id, message_id, ended)
        await self.failure_notices.note(tx, portal_id, message_id, ended)

    async def follow_suspension(self, tx: Transaction, portal_id: str) -> None:
        """Stop in `tx` what leaves a portal that is suspended, or let it go on."""
        await refresh_all(tx, portal_id)
        await self.webhook_events.refresh(tx, portal_id)


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """What is read of the queue, and the way into it."""

    holds: HoldStore
    messages: MessageStore
    intake: Intake


def webhook_policy(config: Config) -> Policy:
    """Return where receivers of events may be, at ports for HTTPS.

    Where relays may be, if the only portal is the operator's own. With several portals it is
    outside alone: a network that was opened for relays is not open for requests to any port.
    """
    networks = config.relay_networks if config.base_domain is None else "public"
    return Policy(networks, PUBLIC_PORTS)


def webhook_delivery(
    config: Config,
    events: WaitingEvents,
    resolver: Resolver,
    clock: Clock,
    is_ours: Callable[[], bool],
    called: Called,
) -> WebhookDelivery:
    """Return what delivers events; `is_ours` tells whether this process is the one that does.

    `called` is told what became of each.
    """
    policy = webhook_policy(config)

    def open_post() -> Post:
        # Portals without a webhook are many, and need neither its time nor its memory.
        from smarthost.webhooks.post import Poster  # noqa: PLC0415

        return Poster(policy, resolver, tls.verified, AT_ONCE)

    return WebhookDelivery(events, open_post, clock, random.random, is_ours, called=called)


def notices(
    config: Config,
    stores: Stores,
    queue: Queue,
    clock: Clock,
    ids: Ids,
    is_ours: Callable[[], bool],
) -> Notices | None:
    """Return what writes to administrators, None without a relay of the installation's own."""
    relay = config.default_relay
    if relay is None:
        return None
    sender = Mailbox(
        address=parse_address(relay.sender_address),
        display_name=relay.sender_display_name or None,
    )
    writer = NoticeWriter(queue.messages, stores.portals, stores.settings, sender, clock, ids)
    return Notices(queue.holds, stores.notices, writer, queue.intake, clock, is_ours)


def failure_notices(
    config: Config,
    stores: Stores,
    queue: Queue,
    clock: Clock,
    ids: Ids,
    is_ours: Callable[[], bool],
) -> FailureNotices:
    """Return what tells senders of mail that came by SMTP what became of it."""
    writer = FailureNoticeWriter(
        stores.failure_notices,
        queue.messages,
        Attempts(queue.messages, stores.settings, shown_default_relay(config)),
        Senders(stores.settings, default_settings(config)),
        helo_name(config),
        clock,
        ids,
    )
    return FailureNotices(stores.failure_notices, writer, queue.intake, clock, is_ours)
