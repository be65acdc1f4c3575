import msgspec
import pytest

from smarthost.audit.model import Actor, Event
from smarthost.audit.reading.model import NoSuchEventError, Record, Wanted
from smarthost.audit.reading.store import PAGE, AuditReader
from smarthost.audit.store import AuditLog
from smarthost.clock import MICROSECONDS
from smarthost.database.engine import Database, Transaction
from smarthost.ids import Ids
from tests.clocks import START, FakeClock

ANNA = Actor(name="anna@example.com", address="192.0.2.1", request_id="r-1")
FOR_ANNA = Actor(name="operator as anna@example.com")
OPERATOR = Actor(name="operator")
_PORTAL = "INSERT INTO portals (id, name, created_at, settings_allowed) VALUES ($1, $2, 0, 1)"


class Bench:
    """An audit that is written to, and read."""

    def __init__(self, database: Database) -> None:
        self.clock = FakeClock()
        self.reader = AuditReader(database)
        self._database = database
        self._log = AuditLog(self.clock, Ids(self.clock))

    async def portal(self, portal_id: str, name: str) -> None:
        async def work(tx: Transaction) -> None:
            await tx.execute(_PORTAL, portal_id, name)

        await self._database.transact(work)

    async def note(self, *subjects: str, by: Actor = OPERATOR, **fields: str) -> None:
        """Write an event for each of `subjects`, all at one moment."""
        event = Event(
            portal_id=fields.get("portal_id", "p"),
            action=fields.get("action", "key.created"),
            subject="",
            details={"n": 1},
        )

        async def work(tx: Transaction) -> None:
            for subject in subjects:
                await self._log.record(tx, msgspec.structs.replace(event, subject=subject), by)

        await self._database.transact(work)

    async def newest(self, at_most: int = 100, **fields: object) -> list[str]:
        wanted = msgspec.convert(fields, Wanted)
        return [one.subject for one in await self.reader.newest(wanted, at_most)]

    async def oldest(self, after: str | None = None, **fields: object) -> list[Record]:
        wanted = msgspec.convert(fields, Wanted)
        return [one async for page in self.reader.oldest(wanted, after) for one in page.records]


@pytest.fixture
def bench(database: Database) -> Bench:
    return Bench(database)


async def test_an_event_is_read_as_it_was_written(bench: Bench) -> None:
    await bench.portal("p", "first")
    await bench.note("k", by=ANNA)
    (record,) = await bench.reader.newest(Wanted(), 9)
    assert record == Record(
        id=record.id,
        portal="first",
        at=START,
        actor="anna@example.com",
        address="192.0.2.1",
        request_id="r-1",
        action="key.created",
        subject="k",
        details={"n": 1},
    )
    assert await bench.oldest() == [record]


async def test_the_order_is_that_of_writing_whatever_the_clock_says(bench: Bench) -> None:
    subjects = [str(number) for number in range(30)]  # ids of one millisecond have none
    await bench.note(*subjects)
    bench.clock.advance(-3600)
    await bench.note("later")
    assert await bench.newest(3) == ["later", "29", "28"]
    assert [one.subject for one in await bench.oldest()] == [*subjects, "later"]


async def test_reading_goes_on_behind_an_event_and_misses_none(bench: Bench) -> None:
    await bench.note("1", "2")
    *_, last = await bench.oldest()
    assert await bench.oldest(last.id) == []
    bench.clock.advance(-3600)
    await bench.note("3")
    assert [one.subject for one in await bench.oldest(last.id)] == ["3"]
    with pytest.raises(NoSuchEventError, match="no event 4711"):
        await bench.oldest("4711")


async def test_portals_are_read_together_and_one_by_one(bench: Bench) -> None:
    await bench.portal("p", "first")
    await bench.portal("q", "second")
    for subject, portal_id in (("1", "p"), ("2", "q"), ("3", "p"), ("4", "nobody's")):
        await bench.note(subject, portal_id=portal_id)
    assert [one.portal for one in await bench.oldest()] == ["first", "second", "first", None]
    assert await bench.newest(portal_id="p") == ["3", "1"]
    first = (await bench.oldest())[0]
    assert [one.subject for one in await bench.oldest(first.id, portal_id="p")] == ["3"]


async def test_filters_are_met_all_together(bench: Bench) -> None:
    await bench.note("1", by=ANNA)
    bench.clock.advance(1)
    await bench.note("2", action="user.created")
    bench.clock.advance(1)
    await bench.note("3", by=FOR_ANNA)
    later = START + MICROSECONDS
    assert await bench.newest(since=later) == ["3", "2"]
    assert await bench.newest(before=later) == ["1"]
    assert await bench.newest(action="user.created") == ["2"]
    assert await bench.newest(by="anna@example.com") == ["1"]
    assert await bench.newest(by="operator") == ["3", "2"]
    assert await bench.newest(by=FOR_ANNA.name) == ["3"]
    assert await bench.newest(by="operator", action="key.created", since=later) == ["3"]
    assert [one.subject for one in await bench.oldest(by="operator")] == ["2", "3"]


async def test_pages_are_small_and_what_is_written_meanwhile_does_not_come(bench: Bench) -> None:
    await bench.note(*map(str, range(PAGE + 1)))
    sizes, shares = [], []
    async for page in bench.reader.oldest(Wanted(), None):
        sizes.append(len(page.records))
        shares.append(page.share)
        await bench.note("meanwhile")
    assert sizes == [PAGE, 1]
    assert shares == [pytest.approx(PAGE / (PAGE + 1)), 1.0]


async def test_an_audit_without_events_is_read_too(bench: Bench) -> None:
    assert await bench.newest() == []
    assert await bench.oldest() == []
    assert await bench.reader.last_at() is None
    await bench.note("1")
    assert await bench.reader.last_at() == START
