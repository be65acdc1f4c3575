"""What is shown of attempts; the rows are put in as the worker leaves them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from smarthost.audit.model import Actor
from smarthost.audit.store import AuditLog
from smarthost.database.engine import Database, Transaction
from smarthost.ids import Ids
from smarthost.mail.envelope import Envelope
from smarthost.mail_queue.accepted.model import Details, Submission
from smarthost.mail_queue.accepted.store import MessageStore
from smarthost.mail_queue.arrivals.store import ArrivalStore
from smarthost.mail_queue.intake import Intake
from smarthost.portals.store import PortalStore
from smarthost.sending.attempts import Attempts, ShownAttempt
from smarthost.smtp_settings.model import SmtpSettings
from smarthost.smtp_settings.sealing import KEY_OCTETS, KeyRing, key_id
from smarthost.smtp_settings.store import SettingsStore
from tests.clocks import START, FakeClock
from tests.engines import ENGINES, migrated_database
from tests.smtp_settings.relays import OPEN_RELAY, draft, relay

BY = Actor(name="operator")
TO = "jane@example.net"
_INSERT = """
INSERT INTO attempts (portal_id, message_id, address, attempt, started_at, microseconds, result,
                      in_doubt, step, code, permanent, reply, revision, relay_host, relay_port,
                      default_relay, relay_address, tls, warnings)
VALUES ($1, $2, $3, $4, $5, 1500, $6, $7, $8, $9, 0, $10, $11, $12, $13, $14, $15, NULL, '')"""


class World:
    """A portal with one message, whose attempts are to be shown."""

    def __init__(self, database: Database) -> None:
        clock = FakeClock()
        ids = Ids(clock)
        audit = AuditLog(clock, ids)
        key = bytes(KEY_OCTETS)
        self.database = database
        self.portals = PortalStore(database, audit, clock, ids)
        ring = KeyRing({key_id(key): key}, key_id(key))
        self.settings = SettingsStore(database, audit, clock, ring)
        self.messages = MessageStore(database, audit, clock)
        self.intake = Intake(database, ArrivalStore(database, clock), ids, lambda: None)
        self.message_id = ids.new()
        self.portal_id = ""

    async def begin(self) -> None:
        self.portal_id = (await self.portals.create_portal("acme", BY)).id
        envelope = Envelope(
            sender="notify@example.com", recipients=(TO,), content=b"\r\n",
            needs_smtputf8=False, needs_8bit=False,
        )  # fmt: skip
        submission = Submission(id=self.message_id, envelope=envelope, details=Details())
        await self.intake.submit(self.portal_id, [submission], by=BY, owner=None)

    async def save(self, settings: SmtpSettings = OPEN_RELAY) -> None:
        await self.settings.save(self.portal_id, draft(settings, None), BY, None)

    async def add(self, number: int, result: str, *rest: str | int | None) -> None:
        whose = (self.portal_id, self.message_id, TO, number, START + number)

        async def work(tx: Transaction) -> None:
            await tx.execute(_INSERT, *whose, result, *rest)

        await self.database.transact(work)

    async def shown(
        self, default: SmtpSettings | None = None, newest: int | None = None
    ) -> list[ShownAttempt]:
        attempts = Attempts(self.messages, self.settings, default)
        return await attempts.of(self.portal_id, self.message_id, newest=newest)


@pytest.fixture(params=ENGINES)
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    async with migrated_database(request.param, tmp_path) as database:
        made = World(database)
        await made.begin()
        yield made


REFUSAL = ("450 4.2.0 Greylisted", 1, "mail.example.com", 587, 0, "192.0.2.25")


async def test_an_attempt_names_its_relay_and_a_failure_is_worded(world: World) -> None:
    await world.save()
    await world.add(1, "deferred", 0, "recipient", "temporarily_refused", *REFUSAL)
    await world.save(relay(host="other.example.com", enable_auth=False, user_name=None))
    await world.add(2, "accepted", 0, "data", None, "250 Ok", 2, "2001:db8::25", 25, 0, None)
    first, second = await world.shown()

    assert (first.relay, first.attempted.revision, first.hidden) == (
        "mail.example.com:587", 1, False,
    )  # fmt: skip
    assert first.failure is not None
    assert "mail.example.com" in first.failure.text
    assert (first.failure.reply, first.failure.code) == (REFUSAL[0], "temporarily_refused")
    assert (second.relay, second.failure) == ("[2001:db8::25]:25", None)


@pytest.mark.parametrize(("newest", "numbers"), [(1, [3]), (2, [2, 3]), (3, [1, 2, 3])])
async def test_the_newest_can_be_asked_for_alone(
    newest: int, numbers: list[int], world: World
) -> None:
    await world.save()
    for number in (1, 2, 3):
        await world.add(number, "deferred", 0, "recipient", "temporarily_refused", *REFUSAL)
    shown = await world.shown(newest=newest)
    assert [one.attempted.attempt for one in shown] == numbers


async def test_nothing_is_shown_of_a_relay_that_is_the_operator_s(world: World) -> None:
    row = ("450 hidden.example", 0, "hidden.example", 25, 1, "192.0.2.99")
    await world.add(1, "deferred", 0, "recipient", "temporarily_refused", *row)
    (hidden,) = await world.shown()
    (shown,) = await world.shown(relay(host="hidden.example"))

    assert (hidden.relay, hidden.hidden) == ("the installation's mail server", True)
    assert hidden.failure is not None
    assert "hidden.example" not in hidden.failure.text
    assert (shown.relay, shown.hidden) == ("hidden.example:25", False)
    assert shown.failure is not None
    assert shown.failure.reply == "450 hidden.example"


async def test_an_attempt_whose_worker_died_is_worded_for_the_settings_in_force(
    world: World,
) -> None:
    await world.save()
    await world.add(1, "deferred", 1, "data", "interrupted", None, None, None, None, None, None)
    (shown,) = await world.shown()

    assert (shown.relay, shown.hidden) == (None, False)
    assert shown.failure is not None
    assert "may have arrived" in shown.failure.text


async def test_a_message_that_was_not_tried_has_no_attempts(world: World) -> None:
    assert await world.shown() == []
