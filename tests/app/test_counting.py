"""What happens reaches the metrics, and what waits is not counted at every reading."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from smarthost.app.counting import FRESH_SECONDS, MetricsReading, count_attempts, count_call
from smarthost.app.crew import Alone
from smarthost.app.first_start import initialise
from smarthost.app.parts import open_parts
from smarthost.database.engine import Database, StoreUnavailableError
from smarthost.delivery.outcome import Code
from smarthost.mail_queue.accepted.model import Details, Submission
from smarthost.mail_queue.census.store import Census, CensusStore
from smarthost.mail_queue.model import Attempted
from smarthost.metrics.metrics import Metrics
from smarthost.webhooks.model import NotTaken
from tests.app.test_telling import config, stop
from tests.clocks import FakeClock
from tests.engines import migrated_database
from tests.mail_queue.messages import BY, envelope
from tests.mail_queue.scripted import until
from tests.mail_queue.values import tried
from tests.metrics.exposed import exposed, samples


@pytest.fixture
def metrics() -> Metrics:
    return Metrics("1.2.3")


def test_an_attempt_counts_each_recipient_and_its_time_once(metrics: Metrics) -> None:
    where: dict[str, Any] = {
        "relay_host": "mail.acme.example",
        "relay_port": 587,
        "microseconds": 1_500_000,
    }
    attempted: list[Attempted] = [tried(Code.LOGIN_REFUSED, **where) for _ in range(3)]
    count_attempts(metrics.mail, attempted)
    count_attempts(metrics.mail, [tried(Code.NO_RELAY, microseconds=None, relay_host=None)])
    count_attempts(metrics.mail, [tried(Code.TIMED_OUT, **where, default_relay=True)])
    told = samples(metrics)
    relay, seconds = "mail.acme.example:587", "smarthost_delivery_attempt_duration_seconds"
    assert told["smarthost_delivery_attempts_total", "login_refused", relay, "deferred"] == 3
    assert (told[f"{seconds}_count", relay], told[f"{seconds}_sum", relay]) == (1, 1.5)
    assert told["smarthost_delivery_attempts_total", "no_relay", "none", "deferred"] == 1
    assert told["smarthost_delivery_attempts_total", "timed_out", "default", "deferred"] == 1


def test_every_end_of_a_call_has_a_value(metrics: Metrics) -> None:
    for failure in (None, *NotTaken):
        count_call(metrics.mail, failure)
    told = samples(metrics)
    assert told["smarthost_webhook_deliveries_total", "taken"] == 1
    assert told["smarthost_webhook_deliveries_total", "timed_out"] == 1


class CountedCensus(CensusStore):
    """Says how often it was asked, and fails if it is told to."""

    def __init__(self, database: Database, clock: FakeClock) -> None:
        super().__init__(database, clock)
        self.asked = 0
        self.out_of_reach = False

    async def take(self) -> Census:
        self.asked += 1
        if self.out_of_reach:
            raise StoreUnavailableError("The disk is gone.")
        return await super().take()


async def test_readers_share_a_count_for_some_seconds(metrics: Metrics, tmp_path: Path) -> None:
    clock = FakeClock()
    async with migrated_database("sqlite", tmp_path) as database:
        census = CountedCensus(database, clock)
        reading = MetricsReading(metrics, census, Alone(), clock)
        await asyncio.gather(*(reading.expose("") for _ in range(5)))
        assert census.asked == 1
        clock.advance(FRESH_SECONDS)
        await reading.expose("")
        assert census.asked == 2


async def test_a_store_out_of_reach_leaves_the_rest_readable(
    metrics: Metrics, tmp_path: Path
) -> None:
    clock = FakeClock()
    async with migrated_database("sqlite", tmp_path) as database:
        census = CountedCensus(database, clock)
        reading = MetricsReading(metrics, census, Alone(), clock)
        await reading.expose("")
        assert "smarthost_queue_recipients" in exposed(metrics)
        census.out_of_reach = True
        clock.advance(FRESH_SECONDS)
        await reading.expose("")
        assert "smarthost_queue_recipients" not in exposed(metrics)
        assert "smarthost_http_requests" in exposed(metrics)


async def test_an_installation_counts_what_it_accepts_and_delivers(tmp_path: Path) -> None:
    async with open_parts(config(tmp_path, None), create=True) as parts:
        portal = (await initialise(parts, "admin@example.com")).portal
        people = ("anna@example.org", "boris@example.org")
        handed_in = Submission(
            id=parts.ids.new(), envelope=envelope(*people), details=Details(subject="", to=people)
        )
        delivering = asyncio.create_task(parts.delivery.run())
        await parts.delivery.http_intake.submit(portal.id, [handed_in], by=BY, owner=None)

        async def is_counted() -> bool:
            tried_twice = ("smarthost_delivery_attempts_total", "no_relay", "none", "deferred")
            return samples(parts.metrics).get(tried_twice) == len(people)

        await until(is_counted)
        await stop(parts, delivering)
        told = samples(parts.metrics)
    assert told["smarthost_messages_accepted_total", "http"] == 1
    assert told["smarthost_recipients_accepted_total", "http"] == 2
    assert told["smarthost_messages_accepted_total", "own"] == 0
    assert told["smarthost_store_commit_duration_seconds_count",] > 0
