"""The test's states: each from rows as a worker leaves them."""

import pytest

from smarthost.delivery.outcome import Code, Result, Step
from smarthost.ids import Ids
from smarthost.mail_queue.accepted.store import MessageStore
from smarthost.mail_queue.intake import Intake
from smarthost.mail_queue.store import QueueStore
from smarthost.portals.model import Portal
from smarthost.portals.store import PortalStore
from smarthost.relay_check.model import TrialState
from smarthost.relay_check.store import TrialStore
from smarthost.relay_check.trial import DefaultInForce, Trial
from smarthost.smtp_settings.model import SmtpSettings
from smarthost.smtp_settings.store import SettingsStore
from tests.mail_queue.clocks import HeldClock
from tests.mail_queue.messages import attempted
from tests.relay_check.trials import BY, TO, claimed, end, fail
from tests.smtp_settings.relays import draft, relay

HIDDEN = "The installation's mail server"
DEFAULT = relay(host="relay.operator.example", port=2525, sender_address="noreply@example.net")


class Desk:
    """A trial, and the parts under it."""

    def __init__(
        self,
        *,
        settings: SettingsStore,
        queue: QueueStore,
        intake: Intake,
        messages: MessageStore,
        store: TrialStore,
        clock: HeldClock,
    ) -> None:
        self.settings = settings
        self.queue = queue
        self._intake = intake
        self._messages = messages
        self._store = store
        self._clock = clock

    def trial(self, default: SmtpSettings | None = None, *, hidden: bool = False) -> Trial:
        ids = Ids(self._clock)
        return Trial(
            settings=self.settings,
            default=DefaultInForce(settings=default, hidden=hidden),
            intake=self._intake,
            messages=self._messages,
            store=self._store,
            clock=self._clock,
            ids=ids,
        )


@pytest.fixture
def desk(
    settings: SettingsStore,
    queue: QueueStore,
    intake: Intake,
    messages: MessageStore,
    store: TrialStore,
    clock: HeldClock,
) -> Desk:
    return Desk(
        settings=settings,
        queue=queue,
        intake=intake,
        messages=messages,
        store=store,
        clock=clock,
    )


@pytest.fixture
async def trial(desk: Desk, portal: Portal) -> Trial:
    """The portal has settings of its own, as revision 1."""
    await desk.settings.save(portal.id, draft(), BY)
    return desk.trial()


async def status(trial: Trial, portal: Portal) -> TrialState:
    state = await trial.status(portal.id)
    assert state is not None
    return state


async def test_without_any_test_there_is_no_state(trial: Trial, portal: Portal) -> None:
    assert await trial.status(portal.id) is None


async def test_a_test_that_was_started_is_about_to_be_sent(trial: Trial, portal: Portal) -> None:
    state = await trial.start(portal, TO, BY)
    assert (state.completed, state.percents, state.error) == (False, 20, "")
    assert state.status == "Create mime message"
    assert await trial.status(portal.id) == state


async def test_the_message_goes_from_the_settings_sender_to_the_person_who_asked(
    trial: Trial, portal: Portal, queue: QueueStore
) -> None:
    await trial.start(portal, TO, BY)
    claim = await claimed(queue, portal)
    envelope = await queue.envelope(claim)
    assert claim.revision == 1
    assert (envelope.sender, envelope.recipients) == ("notify@example.com", (TO,))
    assert b"\r\nAuto-Submitted: auto-generated\r\n" in envelope.content
    assert b"mail.example.com, port 587" in envelope.content


@pytest.mark.parametrize(
    ("step", "percents", "name"),
    [
        (Step.RESOLVE, 40, "Connect to host"),
        (Step.TLS, 40, "Connect to host"),
        (Step.AUTHENTICATE, 60, "Authenticate"),
        (Step.SENDER, 80, "Send test message"),
        (Step.DATA, 80, "Send test message"),
    ],
)
async def test_a_test_under_way_has_the_percents_of_its_step(
    trial: Trial, portal: Portal, queue: QueueStore, step: Step, percents: int, name: str
) -> None:
    await trial.start(portal, TO, BY)
    await queue.record_step(await claimed(queue, portal), step)
    state = await status(trial, portal)
    assert (state.completed, state.percents, state.status) == (False, percents, name)


async def test_a_message_that_was_taken_is_100_percent(
    trial: Trial, portal: Portal, queue: QueueStore
) -> None:
    started = await trial.start(portal, TO, BY)
    await end(queue, portal)
    state = await status(trial, portal)
    assert state == TrialState(
        id=started.id, completed=True, percents=100, status="Send test message", revision=1
    )


async def test_a_failed_test_stays_where_it_stopped_and_says_why(
    trial: Trial, portal: Portal, queue: QueueStore
) -> None:
    await trial.start(portal, TO, BY)
    await fail(
        queue, portal, Step.AUTHENTICATE, Code.LOGIN_REFUSED, reply="535 5.7.8 No", permanent=True
    )
    state = await status(trial, portal)
    assert (state.completed, state.percents, state.status) == (True, 60, "Authenticate")
    assert "mail.example.com" in state.error
    assert "credentialsUserPassword" in state.error
    assert state.error.endswith("The mail server said: 535 5.7.8 No")


async def test_while_a_test_runs_there_is_no_other(
    trial: Trial, portal: Portal, queue: QueueStore
) -> None:
    first = await trial.start(portal, TO, BY)
    await queue.record_step(await claimed(queue, portal), Step.CONNECT)
    second = await trial.start(portal, "boris@example.org", BY)
    assert (second.id, second.percents) == (first.id, 40)


async def test_the_last_result_stays_readable_until_the_next_test(
    trial: Trial, portal: Portal, queue: QueueStore, clock: HeldClock
) -> None:
    first = await trial.start(portal, TO, BY)
    await end(queue, portal)
    clock.advance(24 * 3600)
    assert [(await status(trial, portal)).id for _ in range(2)] == [first.id] * 2
    second = await trial.start(portal, TO, BY)
    assert second.id != first.id
    assert (await status(trial, portal)).completed is False


async def test_other_settings_than_the_tests_own_end_it_with_the_contracts_words(
    trial: Trial, portal: Portal, queue: QueueStore
) -> None:
    await trial.start(portal, TO, BY)
    await fail(queue, portal, Step.EHLO, Code.SETTINGS_CHANGED, permanent=True)
    state = await status(trial, portal)
    assert state.error == "The settings were changed meanwhile. Start the test again."
    assert (state.completed, state.percents) == (True, 40)


async def test_a_failure_names_the_relay_that_it_was_with_after_the_settings_have_changed(
    trial: Trial, desk: Desk, portal: Portal
) -> None:
    await trial.start(portal, TO, BY)
    await fail(desk.queue, portal, Step.CONNECT, Code.CONNECTION_REFUSED)
    await desk.settings.save(portal.id, draft(relay(host="other.example.com")), BY)
    error = (await status(trial, portal)).error
    assert "mail.example.com" in error
    assert "other" not in error


async def test_a_test_that_nobody_takes_is_over_after_40_seconds(
    trial: Trial, portal: Portal, clock: HeldClock, queue: QueueStore
) -> None:
    first = await trial.start(portal, TO, BY)
    clock.advance(39.9)
    assert (await status(trial, portal)).completed is False
    clock.advance(0.1)
    state = await status(trial, portal)
    assert (state.completed, state.percents) == (True, 20)
    assert state.error.startswith("The sending was interrupted.")
    second = await trial.start(portal, TO, BY)
    assert (second.id != first.id, second.completed) == (True, False)


@pytest.mark.parametrize(
    ("step", "percents", "doubtful"), [(Step.AUTHENTICATE, 60, False), (Step.DATA, 80, True)]
)
async def test_a_test_whose_worker_died_is_over_after_40_seconds_and_is_not_sent_again(
    trial: Trial,
    portal: Portal,
    clock: HeldClock,
    queue: QueueStore,
    step: Step,
    percents: int,
    doubtful: bool,
) -> None:
    await trial.start(portal, TO, BY)
    await queue.record_step(await claimed(queue, portal), step)
    clock.advance(40)
    before = await status(trial, portal)
    clock.advance(1)
    with pytest.raises(AssertionError):
        await claimed(queue, portal)
    for state in (before, await status(trial, portal)):
        assert (state.completed, state.percents) == (True, percents)
        assert ("may have arrived" in state.error) == doubtful


async def test_without_a_relay_in_force_a_test_has_failed_at_once(
    desk: Desk, portal: Portal, clock: HeldClock
) -> None:
    trial = desk.trial()
    state = await trial.start(portal, TO, BY)
    assert (state.completed, state.percents) == (True, 5)
    assert state.error.startswith("No mail server is saved.")
    assert await trial.status(portal.id) == state

    clock.advance(1)
    await desk.settings.save(portal.id, draft(), BY)
    started = await trial.start(portal, TO, BY)
    assert (started.completed, await trial.status(portal.id)) == (False, started)
    await end(desk.queue, portal)

    clock.advance(1)
    await desk.settings.reset(portal.id, BY)
    again = await trial.start(portal, TO, BY)
    assert again.error == state.error
    assert await trial.status(portal.id) == again


async def test_a_default_relay_that_is_shown_is_named(desk: Desk, portal: Portal) -> None:
    trial = desk.trial(DEFAULT)
    await trial.start(portal, TO, BY)
    claim = await claimed(desk.queue, portal)
    assert b"relay.operator.example" in (await desk.queue.envelope(claim)).content


async def test_of_a_default_relay_that_is_hidden_nothing_shows(desk: Desk, portal: Portal) -> None:
    trial = desk.trial(DEFAULT, hidden=True)
    await trial.start(portal, TO, BY)
    claim = await claimed(desk.queue, portal)
    content = (await desk.queue.envelope(claim)).content
    assert b"relay.operator" not in content
    assert b"the installation's mail server" in content

    ended = attempted(
        claim,
        Result.DEFERRED,
        step=Step.AUTHENTICATE,
        code=Code.LOGIN_REFUSED,
        reply="535 at relay.operator.example",
        relay_host="relay.operator.example",
        relay_port=2525,
        relay_address="192.0.2.9",
        permanent=True,
    )
    assert (await desk.queue.record(claim, ended)).kept
    error = (await status(trial, portal)).error
    assert error.startswith(HIDDEN)
    for secret in ("relay.operator", "2525", "192.0.2.9", "535", "credentials"):
        assert secret not in error


async def test_a_portals_test_is_its_own(
    trial: Trial, portal: Portal, portals: PortalStore
) -> None:
    neighbour = await portals.create_portal("neighbour", BY)
    await trial.start(portal, TO, BY)
    assert await trial.status(neighbour.id) is None
