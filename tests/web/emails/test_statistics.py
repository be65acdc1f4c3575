"""What became of a portal's mail in numbers, request by request."""

from typing import Any

import pytest

from smarthost.clock import MICROSECONDS
from smarthost.database.engine import Transaction
from smarthost.mail_queue.model import Ended, State
from smarthost.mail_queue.statistics.store import count
from smarthost.portals.model import Permission, Role
from tests.clocks import START
from tests.web.emails.conftest import BY, World

PATH = "/emails/statistics"
HOURS = 3_600
NOTHING = {"sent": 0, "deferred": 0, "failed": 0, "delay": None}


async def became(
    world: World,
    *states: State,
    seconds: int = 0,
    delay: float = 0,
    portal_id: str | None = None,
) -> None:
    """Count recipients that have come to stand so, as many seconds from the start."""
    ended = [
        Ended(address="jane@example.net", attempts=1, state=state, code=None) for state in states
    ]
    whose, now = portal_id or world.portal.id, START + seconds * MICROSECONDS

    async def work(tx: Transaction) -> None:
        await count(tx, whose, ended, now=now, delay=round(delay * MICROSECONDS))

    await world.database.transact(work)


async def data(world: World, query: str = "") -> list[dict[str, Any]]:
    result = await world.ask("GET", PATH, query=query)
    assert result.status == 200, result.body
    assert result.json["object"] == "list"
    points: list[dict[str, Any]] = result.json["data"]
    return points


async def test_the_last_24_hours_are_told_where_nothing_is_said(world: World) -> None:
    await became(world, State.SENT, State.SENT, State.QUEUED, State.HELD, State.FAILED)
    await became(world, State.SENT, delay=20)
    await became(world, State.EXPIRED, seconds=-3 * HOURS)
    await became(world, State.SENT, seconds=-24 * HOURS)

    points = await data(world)
    assert len(points) == 24
    assert points[0] == {"at": "2025-12-31T01:00:00Z"} | NOTHING
    assert points[20] == {"at": "2025-12-31T21:00:00Z"} | NOTHING | {"failed": 1}
    assert points[23] == {
        "at": "2026-01-01T00:00:00Z",
        "sent": 3,
        "deferred": 2,
        "failed": 1,
        "delay": {"p50_seconds": 1, "p95_seconds": 30},
    }


async def test_days_are_those_of_utc_and_thirty_where_nothing_is_said(world: World) -> None:
    await became(world, State.SENT, seconds=-1)
    await became(world, State.SENT, seconds=-24 * HOURS)
    await became(world, State.SENT)

    points = await data(world, "step=day")
    assert [point["at"] for point in (points[0], points[-1])] == [
        "2025-12-03T00:00:00Z",
        "2026-01-01T00:00:00Z",
    ]
    assert [point["sent"] for point in points] == [*[0] * 28, 2, 1]


@pytest.mark.parametrize(
    ("query", "first", "last", "count"),
    [
        ("from=2025-12-31T22:30:00Z", "2025-12-31T22", "2026-01-01T00", 3),
        ("from=2025-12-31T22:30:00Z&until=2025-12-31T23:00:00Z", "2025-12-31T22", None, 1),
        (
            "from=2025-12-31T22:30:00&until=2025-12-31T23:00:00.000001Z",
            "2025-12-31T22", "2025-12-31T23", 2,
        ),
        ("until=2025-12-31T12:00:00%2B01:00", "2025-12-30T11", "2025-12-31T10", 24),
        ("until=2030-01-01T00:00:00Z&step=day", "2029-12-02T00", "2029-12-31T00", 30),
        ("until=1970-01-01T02:00:00Z", "1970-01-01T00", "1970-01-01T01", 2),
        (
            "from=2025-01-01&until=2026-02-05&step=day",
            "2025-01-01T00", "2026-02-04T00", 400,
        ),
    ],
)  # fmt: skip
async def test_whole_hours_or_days_that_hold_the_time_asked_for_are_told(
    world: World, query: str, first: str, last: str | None, count: int
) -> None:
    points = await data(world, query)
    assert len(points) == count
    assert points[0]["at"] == f"{first}:00:00Z"
    assert points[-1]["at"] == f"{last or first}:00:00Z"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("step=week", "step"),
        ("step=Hour", "step"),
        ("from=yesterday", "from"),
        ("until=4711", "until"),
        ("from=2026-01-01T00:00:01Z", "from"),
        ("from=2025-12-31T00:00:00Z&until=2025-12-31T00:00:00Z", "from"),
        ("from=2025-11-01T00:00:00Z", "from"),
        ("from=2024-11-01&step=day", "from"),
        ("from=0001-01-01T00:00:00%2B05:00&until=0001-01-01", "until"),
        ("until=9999-12-31T23:59:59-12:00", "until"),
    ],
)
async def test_a_time_that_cannot_be_told_is_refused_with_its_field(
    world: World, query: str, field: str
) -> None:
    result = await world.ask("GET", PATH, query=query)
    assert result.status == 422
    assert result.json["name"] == "validation_error"
    assert list(result.json["errors"]) == [field]
    assert result.json["message"].startswith(f"{field}: ")


async def test_it_is_the_administrators_alone(world: World) -> None:
    user = await world.open_user("user@example.com")
    other = await world.open_user("second@example.com", Role.ADMINISTRATOR)
    for who, permission, status in (
        (user, Permission.SEND, 403),
        (user, Permission.ALL, 403),
        (world.admin, Permission.SEND, 403),
        (world.admin, Permission.READ, 401),
        (other, Permission.ALL, 200),
    ):
        key = await world.open_key(who, permission)
        result = await world.ask("GET", PATH, key=key)
        assert result.status == status, (who, permission)
        if status == 403:
            assert "administrator" in result.json["message"]


async def test_a_portal_is_told_its_own_numbers(world: World) -> None:
    other = await world.portals.create_portal("other", BY)
    await became(world, State.SENT, portal_id=other.id)
    assert sum(point["sent"] for point in await data(world)) == 0
