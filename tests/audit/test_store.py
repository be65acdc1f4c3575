import json

import pytest

from smarthost.audit.model import OPERATOR, Actor, Event
from smarthost.audit.store import AuditLog
from smarthost.database.engine import Database, Transaction
from smarthost.ids import Ids
from tests.clocks import START, FakeClock

ALL = (
    "SELECT portal_id, at, actor, address, request_id, action, subject, details "
    "FROM audit_events ORDER BY at, id"
)
EVENT = Event(
    portal_id="p-1", action="key.created", subject="k-1", details={"name": "größer", "n": [1]}
)


def audit_log() -> AuditLog:
    return AuditLog(FakeClock(), Ids(FakeClock()))


async def test_an_event_is_written_with_all_that_is_known(database: Database) -> None:
    by = Actor(name="admin@example.com", address="2001:db8::1", request_id="r-1")
    log = audit_log()

    async def work(tx: Transaction) -> None:
        await log.record(tx, EVENT, by)
        await log.record(
            tx, Event(portal_id="p-2", action="a.b", subject="s"), Actor(name=OPERATOR)
        )

    await database.transact(work)
    by_portal = {row[0]: row[1:] for row in await database.fetch(ALL)}
    *rest, details = by_portal["p-1"]
    assert rest == [START, by.name, "2001:db8::1", "r-1", "key.created", "k-1"]
    assert json.loads(details) == EVENT.details
    assert by_portal["p-2"] == (START, "operator", None, None, "a.b", "s", "{}")


async def test_an_event_goes_with_the_change_that_it_tells_of(database: Database) -> None:
    async def work(tx: Transaction) -> None:
        await audit_log().record(tx, EVENT, Actor(name=OPERATOR))
        raise ValueError("the change fails")

    with pytest.raises(ValueError, match="the change fails"):
        await database.transact(work)
    assert await database.fetch(ALL) == []
