"""What waits in one portal, counted by pages however small, between which others have a turn."""

import asyncio

import pytest

from smarthost.database.engine import Database
from smarthost.mail_queue.intake import Intake
from smarthost.mail_queue.waiting.store import Waiting, count_held, count_waiting
from tests.mail_queue.census.test_store import execute
from tests.mail_queue.clocks import HeldClock
from tests.mail_queue.messages import submit_mail, submit_test

PEOPLE = [f"p{number}@example.org" for number in range(4)]
PAGES = pytest.mark.parametrize("page", [1, 2, 3, 5, 1_000])


@PAGES
async def test_recipients_of_one_portal_are_counted(
    database: Database,
    clock: HeldClock,
    intake: Intake,
    portal: str,
    neighbour: str,
    page: int,
) -> None:
    assert await count_waiting(database, portal, clock.now(), page) == Waiting(
        count=0, scheduled=0, oldest=None
    )
    later = await submit_mail(intake, portal, *PEOPLE)
    await execute(
        database,
        f"UPDATE recipients SET due_at = {clock.now() + 10**9}, scheduled_at = due_at + 10000000"
        " WHERE portal_id = $1 AND message_id = $2",
        portal,
        later,
    )
    clock.advance(1)
    first = await submit_mail(intake, portal, *PEOPLE[:3])
    clock.advance(1)
    await submit_mail(intake, portal, *PEOPLE)  # all due at one moment
    await submit_mail(intake, neighbour, *PEOPLE)
    await submit_test(intake, portal)
    await execute(
        database,
        "UPDATE recipients SET state = 'held', due_at = NULL, held_for = 'restored'"
        " WHERE portal_id = $1 AND address = $2",
        portal,
        PEOPLE[1],
    )
    waiting = await count_waiting(database, portal, clock.now(), page)
    assert waiting == Waiting(count=8, scheduled=3, oldest=first)
    assert await count_held(database, portal, page) == 3


async def test_others_have_their_turn_between_the_pages(
    database: Database, clock: HeldClock, intake: Intake, portal: str
) -> None:
    for _ in range(5):
        await submit_mail(intake, portal, *PEOPLE)
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    await count_waiting(database, portal, clock.now(), page=1)
    task.cancel()
    assert turns >= 5  # the recipients of a message are in one page
