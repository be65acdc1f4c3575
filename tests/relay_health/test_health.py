import pytest

from smarthost.database.engine import Database, Transaction
from smarthost.delivery.outcome import Code
from smarthost.explanations.failure import Who
from smarthost.explanations.words import hidden_relay
from smarthost.mail_queue.accepted.store import MessageStore
from smarthost.mail_queue.holds.store import HoldStore
from smarthost.mail_queue.intake import Intake
from smarthost.portals.model import Portal
from smarthost.relay_health.health import HealthState, RelayHealth
from smarthost.smtp_settings.binding.store import BindingStore
from smarthost.smtp_settings.model import SmtpSettings
from smarthost.smtp_settings.store import SettingsStore
from tests.mail_queue.clocks import HeldClock
from tests.mail_queue.messages import ANNA, BORIS, BY
from tests.relay_health.held import HOST, RELAY, SAVED, accept, hold, let_go, put_on_hold

SENT = "UPDATE queue_turns SET last_sent_at = $2 WHERE portal_id = $1 AND kind = 'mail'"


async def test_of_a_portal_that_never_sent_nothing_is_known(
    health: RelayHealth, portal: Portal
) -> None:
    found = await health.of(portal.id)
    assert (found.state, found.since, found.failure) == (HealthState.UNKNOWN, None, None)
    assert (found.queued, found.held, found.oldest_queued_at, found.last_sent_at) == (
        0,
        0,
        None,
        None,
    )


async def test_what_waits_is_counted(
    health: RelayHealth, intake: Intake, clock: HeldClock, portal: Portal, neighbour: Portal
) -> None:
    began = clock.now()
    await accept(intake, clock, portal.id, ANNA, BORIS)
    clock.advance(5.0)
    await accept(intake, clock, portal.id, ANNA)
    await accept(intake, clock, neighbour.id, ANNA)
    found = await health.of(portal.id)
    assert (found.queued, found.oldest_queued_at) == (3, began)


async def test_what_was_sent_makes_it_well(
    health: RelayHealth, database: Database, intake: Intake, clock: HeldClock, portal: Portal
) -> None:
    await accept(intake, clock, portal.id, ANNA)

    async def sent(tx: Transaction) -> None:
        await tx.execute(SENT, portal.id, clock.now())

    await database.transact(sent)
    found = await health.of(portal.id)
    assert (found.state, found.last_sent_at) == (HealthState.OK, clock.now())


async def test_a_hold_is_told_in_words(
    health: RelayHealth,
    database: Database,
    settings: SettingsStore,
    clock: HeldClock,
    portal: Portal,
) -> None:
    await settings.save(portal.id, SAVED, BY)
    await put_on_hold(database, hold(portal.id, clock.now()))
    found = await health.of(portal.id)
    assert (found.state, found.since) == (HealthState.HELD, clock.now())
    assert found.next_try_at == clock.now() + 1
    assert found.failure is not None
    assert (found.failure.code, found.failure.who) == (Code.LOGIN_REFUSED, Who.ADMINISTRATOR)
    assert HOST in found.failure.title
    assert found.failure.reply == "535 5.7.8 No"
    await let_go(database, portal.id)
    assert (await health.of(portal.id)).state is HealthState.UNKNOWN


@pytest.mark.parametrize("shown", [None, RELAY], ids=["hidden", "shown"])
async def test_the_default_relay_shows_as_the_operator_wants(
    shown: SmtpSettings | None,
    holds: HoldStore,
    messages: MessageStore,
    settings: SettingsStore,
    bindings: BindingStore,
    database: Database,
    clock: HeldClock,
    portal: Portal,
) -> None:
    health = RelayHealth(holds, messages, settings, bindings, shown)
    held = hold(portal.id, clock.now(), default_relay=True, revision=0)
    await put_on_hold(database, held)
    failure = (await health.of(portal.id)).failure
    assert failure is not None
    assert (HOST in failure.text) == (shown is not None)
    assert (hidden_relay() in failure.text.lower()) == (shown is None)
    assert ("535" in failure.text) == (shown is not None)
