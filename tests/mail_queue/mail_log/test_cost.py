"""What a page of the mail log costs, by the steps of SQLite's machine.

With a hundred times as much mail it is at most twice as much.
"""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from smarthost.database.sqlite import SqliteDatabase
from smarthost.mail_queue.accepted.model import Details
from smarthost.mail_queue.mail_log.log import MailLog
from smarthost.mail_queue.mail_log.model import Page, Standing, Wanted
from smarthost.mail_queue.mail_log.words import parse_words
from smarthost.mail_queue.model import State
from tests.clocks import START
from tests.mail_queue.mail_log.rows import MessageRow, RecipientRow, new_store, write

PORTAL, OWNER = "p", "key:1"
FEW, MANY = 1_000, 100_000
APART = 10_000
"""Milliseconds between two messages."""
NOW = START + (MANY + 1) * APART * 1_000
RARE, COMMON, NEVER = "rare@example.org", "common@example.org", "never@example.org"
UNENDED = [
    RecipientRow(address=COMMON, state=State.QUEUED),
    RecipientRow(address=COMMON, state=State.QUEUED, scheduled_at=NOW + 1),
    RecipientRow(address=COMMON, state=State.QUEUED, deferred=True),
    RecipientRow(address=COMMON, state=State.HELD),
]
"""Of the newest 100 messages, in turn."""
ENDED = [State.FAILED, State.EXPIRED, State.CANCELLED]
"""Of three in 100 of all others, each."""


def recipient(number: int, how_many: int) -> RecipientRow:
    if number >= how_many - 100:
        return UNENDED[number % len(UNENDED)]
    state = ENDED[number % 100 // 3] if number % 100 < 9 else State.SENT
    address = COMMON if number % 2 else f"reader{number}@example.org"
    return RecipientRow(address=RARE if number == how_many // 2 else address, state=state)


def mail(how_many: int) -> list[MessageRow]:
    return [
        MessageRow(
            number=number,
            milliseconds=number * APART,
            owner=OWNER if number % 50 == 0 else None,
            details=Details(
                from_="Postman <notify@example.com>",
                to=(f"reader{number}@example.org",),
                subject="The first order" if number == 0 else f"Your order {number}",
            ),
            recipients=[recipient(number, how_many)],
        )
        for number in range(how_many)
    ]


class Counted:
    """A store with so much mail, that tells what a page takes."""

    def __init__(self, path: Path, how_many: int) -> None:
        self.path = path
        self.how_many = how_many

    async def page(self, wanted: Wanted, **where: Any) -> tuple[Page, int]:
        database = SqliteDatabase(self.path)
        steps = 0

        def step() -> bool:
            nonlocal steps
            steps += 1
            return False

        database._reader.set_progress_handler(step, 1)
        values = {"at_most": 20, "now": NOW, "on_hold": False} | where
        try:
            page = await MailLog(database).page(PORTAL, wanted, **values)
        finally:
            await database.close()
        return page, steps


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> tuple[Counted, Counted]:
    folder = tmp_path_factory.mktemp("cost")
    for how_many in (FEW, MANY):
        connection = new_store(folder / f"{how_many}.db")
        connection.pragma("synchronous", "off")
        write(connection, PORTAL, mail(how_many))
        connection.close()
    few, many = (Counted(folder / f"{how_many}.db", how_many) for how_many in (FEW, MANY))
    return few, many


def middle(store: Counted) -> Wanted:
    """Those of half an hour in the middle, of which there are 180."""
    start = START + store.how_many // 2 * APART * 1_000
    return Wanted(accepted_from=start, accepted_before=start + 1_800 * 1_000_000)


CASES = {
    "no filter": Wanted(),
    **{f"state {one}": Wanted(standings=frozenset({one})) for one in Standing},
    **{f"recipients {one}": Wanted(states=frozenset({one})) for one in State},
    "several states": Wanted(standings=frozenset({Standing.FAILED, Standing.HELD})),
    "all states": Wanted(standings=frozenset(Standing)),
    "a rare recipient": Wanted(recipient=RARE),
    "a common recipient": Wanted(recipient=COMMON),
    "no such recipient": Wanted(recipient=NEVER),
    "a recipient and a state": Wanted(recipient=COMMON, standings=frozenset({Standing.FAILED})),
    "a frequent word": Wanted(words=parse_words("ORDER")),
    "a word of the oldest": Wanted(words=parse_words("first")),
    "a word of none": Wanted(words=parse_words("nowhere")),
    "an owner": Wanted(owner=OWNER),
    "nobody's": Wanted(owner="key:2"),
}
SELDOM = {
    "a word among the failed": Wanted(
        words=parse_words("nowhere"), standings=frozenset({Standing.FAILED})
    ),
    "an owner's failed": Wanted(owner=OWNER, standings=frozenset({Standing.FAILED})),
}
"""Of 1,000 messages there are few to look at: those are compared with a look at all 1,000."""


@pytest.mark.parametrize("where", [{}, {"before": "0"}], ids=["newest", "oldest"])
@pytest.mark.parametrize("case", CASES)
def test_a_page_of_100000_costs_at_most_twice_that_of_1000(
    stores: tuple[Counted, Counted], case: str, where: dict[str, str]
) -> None:
    few, many = stores
    _, least = asyncio.run(few.page(CASES[case], **where))
    _, most = asyncio.run(many.page(CASES[case], **where))
    assert least > 20, "it counts"
    assert most <= 2 * least, f"{most} steps instead of {least}"


@pytest.mark.parametrize("case", SELDOM)
def test_filters_together_cost_at_most_twice_a_look_at_1000_messages(
    stores: tuple[Counted, Counted], case: str
) -> None:
    few, many = stores
    _, least = asyncio.run(few.page(CASES["a word of none"]))
    _, most = asyncio.run(many.page(SELDOM[case]))
    assert most <= 2 * least


def test_a_time_in_the_middle_costs_the_same(stores: tuple[Counted, Counted]) -> None:
    few, many = stores
    page, least = asyncio.run(few.page(middle(few), at_most=200))
    other, most = asyncio.run(many.page(middle(many), at_most=200))
    assert len(page.messages) == len(other.messages) == 180
    assert (page.next, other.next) == (None, None)
    assert most <= 1.1 * least


@pytest.mark.parametrize(
    ("case", "found"), [("a rare recipient", 1), ("no such recipient", 0), ("nobody's", 0)]
)
def test_what_an_index_knows_is_found_however_old_it_is(
    stores: tuple[Counted, Counted], case: str, found: int
) -> None:
    page, _ = asyncio.run(stores[1].page(CASES[case]))
    assert (len(page.messages), page.next) == (found, None)
