"""Opens what every command works with: the store, the key ring, and the rooms on top of them.

One place builds them all and hands them in, so that no room reaches for another's, and a test
can build the same from a folder of its own.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import structlog

from smarthost import __version__
from smarthost.app.delivery import Delivery
from smarthost.app.identity import bearer_tokens
from smarthost.app.oauth2 import ProvidersEndPoints, access_tokens
from smarthost.app.opening import (
    open_database,
    prepare_folder,
    refuse_if_empty,
    refuse_unfinished_copy,
)
from smarthost.app.relays import Relays, default_settings
from smarthost.app.restored import FirstOpening
from smarthost.app.telling import Stores
from smarthost.audit.store import AuditLog
from smarthost.clock import Clock
from smarthost.config import Config
from smarthost.database.engine import Database
from smarthost.database.migrate import migrate
from smarthost.delivery.pool import Pool
from smarthost.delivery.tokens import Tokens
from smarthost.failure_notices.store import FailureNoticeStore
from smarthost.identity.bearer import BearerTokens
from smarthost.ids import Ids
from smarthost.mail_queue.holds.store import lift
from smarthost.metrics.metrics import Metrics
from smarthost.portals.keys.last_use import LastUse
from smarthost.portals.keys.store import KeyStore
from smarthost.portals.sign_in.links.store import SignInLinks
from smarthost.portals.sign_in.passwords import Passwords
from smarthost.portals.sign_in.sign_in import SignIn
from smarthost.portals.sign_in.store import SignInStore
from smarthost.portals.store import PortalStore
from smarthost.portals.suspension.store import SuspensionStore
from smarthost.relay_check.check import Check
from smarthost.relay_check.consent import Consent
from smarthost.relay_check.store import TrialStore
from smarthost.relay_check.trial import DefaultInForce, Trial
from smarthost.relay_health.store import NoticeStore
from smarthost.sending.prepare import Sending
from smarthost.smtp.egress import Policy, Resolver, SystemResolver
from smarthost.smtp_settings.binding.consent.store import ConsentStore
from smarthost.smtp_settings.binding.store import BindingStore
from smarthost.smtp_settings.binding.tokens.store import TokenStore
from smarthost.smtp_settings.key_ring_file import KeyRingError, create_key_ring
from smarthost.smtp_settings.live_key_ring import LiveKeyRing
from smarthost.smtp_settings.model import SmtpSettings
from smarthost.smtp_settings.store import SettingsStore, keys_in_use
from smarthost.webhooks.store import WebhookStore
from smarthost.webhooks.waiting.store import WaitingEvents

log = structlog.get_logger("smarthost.app")


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """An open installation."""

    clock: Clock
    ids: Ids
    metrics: Metrics
    database: Database
    key_ring: LiveKeyRing
    portals: PortalStore
    suspensions: SuspensionStore
    keys: KeyStore
    last_use: LastUse
    passwords: Passwords
    sign_ins: SignInStore
    sign_in: SignIn
    links: SignInLinks
    bearer_tokens: BearerTokens | None
    settings: SettingsStore
    bindings: BindingStore
    tokens: TokenStore
    access_tokens: Tokens
    consent: Consent
    default_relay: SmtpSettings | None
    delivery: Delivery
    trials: TrialStore
    trial: Trial
    check: Check
    webhooks: WebhookStore
    webhook_events: WaitingEvents
    sending: Sending


@asynccontextmanager
async def open_parts(
    config: Config,
    *,
    create: bool,
    clock: Clock | None = None,
    resolver: Resolver | None = None,
) -> AsyncIterator[Parts]:
    """Open the installation that `config` names, and close it at the end.

    With `create` a missing data directory, database and key ring are made. `resolver` takes the
    place of the machine's own. Of a back-up that is opened for the first time nothing goes out by
    itself. Raises `NotInitialisedError`, `UnfinishedCopyError`, `StoreUnavailableError`,
    `KeyRingError`.
    """
    prepare_folder(config, create=create)
    metrics = Metrics(__version__)
    database, clock = open_database(config, metrics.commits.measured, clock)
    try:
        await refuse_unfinished_copy(database)
        if not create:
            await refuse_if_empty(config, database)
        await migrate(database, clock)
        key_ring = await _key_ring(config, database)
        parts = _build(config, database, key_ring, clock, resolver or SystemResolver(), metrics)
        if not await parts.settings.note_active_key(key_ring.key_ids):
            raise _foreign(config.keyring_file)
        await _first_opening(parts).see_to()
        try:
            yield parts
        finally:
            await parts.check.close()
            await parts.access_tokens.close()
            if parts.bearer_tokens is not None:
                await parts.bearer_tokens.close()
            parts.passwords.close()
    finally:
        await database.close()


async def _key_ring(config: Config, database: Database) -> LiveKeyRing:
    """Load the ring; make one only where nothing was ever sealed."""
    path = config.keyring_file
    needed = await keys_in_use(database)
    try:
        if not needed and not _is_there(path):
            create_key_ring(path)
        ring = LiveKeyRing(path)
    except KeyRingError as error:
        raise KeyRingError(f"{error} Set SMARTHOST_KEYRING_FILE, or restore it.") from error
    if needed and not needed & ring.key_ids:
        raise _foreign(path)
    if missing := sorted(needed - ring.key_ids):
        log.warning("keys missing from the ring", path=str(path), key_ids=missing)
    return ring


def _foreign(path: Path) -> KeyRingError:
    return KeyRingError(
        f"The key ring {path} belongs to another installation: none of the keys that this "
        "database was sealed with is in it. Set SMARTHOST_KEYRING_FILE, or restore the file; "
        "several nodes need copies of one."
    )


def _is_there(path: Path) -> bool:
    # Not `Path.exists`, which raises where a folder is closed; using the file tells that better.
    return os.path.exists(path)  # noqa: PTH110


def _build(
    config: Config,
    database: Database,
    key_ring: LiveKeyRing,
    clock: Clock,
    resolver: Resolver,
    metrics: Metrics,
) -> Parts:
    ids = Ids(clock)
    audit = AuditLog(clock, ids)
    portals = PortalStore(database, audit, clock, ids)
    keys = KeyStore(database, audit, clock, ids)
    passwords = Passwords()
    sign_ins = SignInStore(database, audit, clock, ids)
    # What waits for its relay goes at once to the one that was just saved.
    settings = SettingsStore(database, audit, clock, key_ring, in_each_save=lift)
    bindings = BindingStore(
        database, audit, clock, key_ring, ProvidersEndPoints(), in_each_save=lift
    )
    default = default_settings(config)
    default_in_force = DefaultInForce(settings=default, hidden=config.base_domain is not None)
    tokens = TokenStore(database, clock, key_ring)
    access = access_tokens(config, database, tokens, clock, resolver)
    relays = Relays(settings, tokens, key_ring, config)
    stores = Stores(
        audit=audit,
        portals=portals,
        settings=settings,
        notices=NoticeStore(database, clock),
        webhook_events=WaitingEvents(database, clock, ids, key_ring),
        failure_notices=FailureNoticeStore(database),
        access_tokens=access,
    )
    delivery = Delivery(config, database, relays, stores, clock, ids, resolver, metrics.mail)
    trials = TrialStore(database, clock, ids)
    return Parts(
        clock=clock,
        ids=ids,
        metrics=metrics,
        database=database,
        key_ring=key_ring,
        portals=portals,
        suspensions=SuspensionStore(
            database, audit, clock, in_each_change=stores.follow_suspension
        ),
        keys=keys,
        last_use=LastUse(keys),
        passwords=passwords,
        sign_ins=sign_ins,
        sign_in=SignIn(portals, sign_ins, passwords),
        links=SignInLinks(database, audit, clock, ids, sign_ins),
        bearer_tokens=bearer_tokens(config, portals, clock, resolver),
        settings=settings,
        bindings=bindings,
        tokens=tokens,
        access_tokens=access,
        consent=Consent(
            ConsentStore(database, audit, clock, key_ring, in_each_consent=lift), access, clock
        ),
        default_relay=default,
        delivery=delivery,
        trials=trials,
        trial=Trial(
            settings=settings,
            default=default_in_force,
            intake=delivery.intake,
            messages=delivery.messages,
            store=trials,
            clock=clock,
            ids=ids,
        ),
        check=Check(
            settings=settings,
            default=default_in_force,
            relays=relays,
            connections=_for_checks(config, access, clock, resolver),
            clock=clock,
            ids=ids,
        ),
        webhooks=WebhookStore(database, audit, clock, key_ring),
        webhook_events=stores.webhook_events,
        sending=Sending(settings, default, clock, ids),
    )


def _for_checks(config: Config, tokens: Tokens, clock: Clock, resolver: Resolver) -> Pool:
    """Return the way out of checks: the policy of mail, and no session that mail has used."""
    return Pool(
        policy=Policy(config.relay_networks),
        resolver=resolver,
        clock=clock,
        tokens=tokens,
        idle_seconds=0,
    )


def _first_opening(parts: Parts) -> FirstOpening:
    return FirstOpening(
        parts.database,
        AuditLog(parts.clock, parts.ids),
        parts.clock,
        portals=parts.portals,
        sign_ins=parts.sign_ins,
        links=parts.links,
        webhook_events=parts.webhook_events,
        notices=FailureNoticeStore(parts.database),
    )
