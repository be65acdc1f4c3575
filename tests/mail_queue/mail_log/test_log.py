import asyncio
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smarthost.database.engine import Database
from smarthost.database.sqlite import SqliteDatabase
from smarthost.mail_queue.accepted.model import Details
from smarthost.mail_queue.accepted.store import MessageStore
from smarthost.mail_queue.intake import Intake
from smarthost.mail_queue.mail_log.log import LOOKED_AT, Bounds, MailLog
from smarthost.mail_queue.mail_log.model import Page, Standing, Wanted
from smarthost.mail_queue.mail_log.words import Words, parse_words
from smarthost.mail_queue.model import Kind, State
from tests.clocks import START
from tests.mail_queue.clocks import HeldClock
from tests.mail_queue.mail_log.rows import MessageRow, RecipientRow, new_store, write
from tests.mail_queue.messages import ANNA, BORIS, submit_mail

ADDRESSES = [ANNA, BORIS, "c@example.org"]
OWNERS = ["key:1", "key:2"]
SUBJECTS = ["Your order 7", "YOUR invoice", "Straße", "x"]
SEARCHES = ["your", "ORDER your", "strasse", "invoice 7", "nowhere"]
NOW = START + 20_000_000
LATER = NOW + 1

# Most mail is sent, as it is in the field: else no index is any better than none.
states = st.sampled_from([State.SENT] * 12 + list(State))
several_recipients = st.lists(
    st.builds(
        RecipientRow,
        address=st.sampled_from([*ADDRESSES, ANNA, ANNA, ANNA]),
        state=states,
        scheduled_at=st.sampled_from([None, NOW - 1, LATER]),
        deferred=st.booleans(),
        due_at=st.integers(0, 99),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda one: one.address,
)
one_message = st.builds(
    MessageRow,
    number=st.integers(0, 1 << 40),
    milliseconds=st.integers(0, 5).map(lambda step: step * 4_000),
    waited=st.sampled_from([0, 0, 3_000, 59_000]),
    kind=st.sampled_from([Kind.MAIL] * 5 + [Kind.NOTICE]),
    owner=st.sampled_from([None, *OWNERS]),
    details=st.sampled_from(SUBJECTS).map(lambda subject: Details(subject=subject)),
    recipients=several_recipients,
)
"""Mail of six moments: several at the same millisecond."""

maybe_a_moment = st.none() | st.integers(-1, 90).map(lambda second: START + second * 1_000_000)
asked = st.builds(
    Wanted,
    kind=st.sampled_from([Kind.MAIL] * 5 + [Kind.NOTICE]),
    owner=st.sampled_from([None, None, None, *OWNERS]),
    standings=st.just(frozenset()) | st.frozensets(st.sampled_from(Standing), max_size=2),
    states=st.just(frozenset()) | st.frozensets(st.sampled_from(State), max_size=2),
    recipient=st.sampled_from([None, None, *ADDRESSES]),
    accepted_from=maybe_a_moment,
    accepted_before=maybe_a_moment,
    words=st.just(Words()) | st.just(Words()) | st.sampled_from(SEARCHES).map(parse_words),
)
bounds = st.builds(
    Bounds,
    looked_at=st.integers(1, 20),
    at_once=st.integers(1, 7),
    due=st.integers(0, 9),
    recipients=st.integers(1, 20),
)


def event(one: RecipientRow, *, on_hold: bool) -> str:
    """What becomes of a recipient, from what the documentation says."""
    if one.state in (State.FAILED, State.EXPIRED):
        return "failed"
    if one.state is State.CANCELLED:
        return "canceled"
    if one.state is State.SENT:
        return "sent"
    if one.state is State.HELD or one.deferred:
        return "delivery_delayed"
    if one.scheduled_at == LATER:
        return "scheduled"
    return "delivery_delayed" if on_hold else "queued"


WORST_FIRST = ["failed", "delivery_delayed", "canceled", "queued", "scheduled", "sent"]


def stands(message: MessageRow, *, on_hold: bool) -> set[str]:
    """What a message can be listed by."""
    events = {event(one, on_hold=on_hold) for one in message.recipients}
    held = any(one.state is State.HELD for one in message.recipients)
    return {next(one for one in WORST_FIRST if one in events)} | ({"held"} if held else set())


def has_words(message: MessageRow, words: Sequence[str]) -> bool:
    subject = message.details.subject.casefold()
    return all(word in subject for word in words)


def meant(message: MessageRow, wanted: Wanted, *, on_hold: bool) -> bool:
    return (
        message.kind is wanted.kind
        and wanted.owner in (None, message.owner)
        and (
            not wanted.standings
            or not stands(message, on_hold=on_hold).isdisjoint(wanted.standings)
        )
        and (
            not wanted.states
            or not {one.state for one in message.recipients}.isdisjoint(wanted.states)
        )
        and wanted.recipient in (None, *(one.address for one in message.recipients))
        and (wanted.accepted_from is None or message.accepted_at >= wanted.accepted_from)
        and (wanted.accepted_before is None or message.accepted_at < wanted.accepted_before)
        and has_words(message, wanted.words.words)
    )


async def paged(
    path: Path, portal_id: str, wanted: Wanted, *, at_most: int, limits: Bounds, on_hold: bool
) -> tuple[list[str], list[str]]:
    """Page through a portal's mail to the end, in both directions; newest first."""
    database = SqliteDatabase(path)
    log = MailLog(database, limits)

    async def page(**where: str) -> Page:
        told = await log.page(
            portal_id, wanted, at_most=at_most, now=NOW, on_hold=on_hold, **where
        )
        assert len(told.messages) <= at_most
        return told

    try:
        told = await page()
        forwards = [one.id for one in told.messages]
        while told.next is not None:
            told = await page(after=told.next)
            forwards += [one.id for one in told.messages]
        told = await page(before="0")
        backwards = [one.id for one in told.messages]
        while told.next is not None:
            told = await page(before=told.next)
            backwards = [*(one.id for one in told.messages), *backwards]
    finally:
        await database.close()
    return forwards, backwards


@pytest.fixture(scope="module")
def numbers() -> Iterator[int]:
    return count()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, apsw.Connection]]:
    path = tmp_path_factory.mktemp("mail_log") / "smarthost.db"
    connection = new_store(path)
    yield path, connection
    connection.close()


@settings(max_examples=200)
@given(
    mail=st.lists(one_message, max_size=30, unique_by=lambda one: one.id),
    wanted=asked,
    at_most=st.integers(1, 6),
    limits=bounds | st.just(Bounds()),
    on_hold=st.booleans(),
)
def test_the_pages_together_are_all_that_is_meant_in_either_direction(
    store: tuple[Path, apsw.Connection],
    numbers: Iterator[int],
    mail: list[MessageRow],
    wanted: Wanted,
    at_most: int,
    limits: Bounds,
    on_hold: bool,
) -> None:
    path, connection = store
    portal_id = f"portal {next(numbers)}"
    write(connection, portal_id, mail)
    expected = sorted(
        (one.id for one in mail if meant(one, wanted, on_hold=on_hold)), reverse=True
    )
    both = asyncio.run(
        paged(path, portal_id, wanted, at_most=at_most, limits=limits, on_hold=on_hold)
    )
    assert both == (expected, expected)


EACH_ALONE = [
    *(Wanted(standings=frozenset({one})) for one in Standing),
    *(Wanted(recipient=address) for address in ADDRESSES),
    *(Wanted(owner=OWNERS[0], standings=frozenset({one})) for one in Standing),
    Wanted(standings=frozenset({Standing.FAILED, Standing.CANCELED, Standing.HELD})),
    Wanted(states=frozenset({State.EXPIRED, State.QUEUED})),
    *(
        Wanted(words=parse_words("order"), standings=frozenset({one, Standing.HELD}))
        for one in Standing
    ),
]
TIGHT = [
    Bounds(looked_at=looked_at, at_once=at_once, due=due, recipients=most)
    for looked_at, at_once in ((1, 1), (9, 3), (300, 80))
    for due in (0, 9, 1_000)
    for most in (7, 5_000)
]


NOW_AND_THEN = {
    **dict.fromkeys((3, 5, 11, 28), State.FAILED),  # far more often than the others
    7: State.QUEUED,
    17: State.SENDING,
    29: State.EXPIRED,
    30: State.CANCELLED,
    36: State.HELD,
}


def ordinary(number: int) -> MessageRow:
    """One of 200 messages, with what becomes of mail now and then."""
    recipient = RecipientRow(
        address=ADDRESSES[0 if number % 9 else number % 2 + 1],
        state=NOW_AND_THEN.get(number % 40, State.SENT),
        deferred=number % 80 == 7,
        due_at=number * 7 % 50,
    )
    owner = OWNERS[0] if number % 3 else None
    return MessageRow(
        number=number,
        milliseconds=number // 2,
        recipients=[recipient],
        owner=owner,
        details=Details(subject=SUBJECTS[0 if number % 7 == 0 else 3]),
    )


@pytest.mark.parametrize("limits", TIGHT, ids=str)
def test_nothing_is_missed_on_any_way_however_often_it_is_broken_off(
    store: tuple[Path, apsw.Connection], numbers: Iterator[int], limits: Bounds
) -> None:
    path, connection = store
    portal_id = f"portal {next(numbers)}"
    mail = [ordinary(number) for number in range(200)]
    write(connection, portal_id, mail)
    for wanted in EACH_ALONE:
        expected = [one.id for one in mail[::-1] if meant(one, wanted, on_hold=False)]
        both = asyncio.run(paged(path, portal_id, wanted, at_most=4, limits=limits, on_hold=False))
        assert both == (expected, expected), wanted


async def several(
    intake: Intake, portal: str, clock: HeldClock, how_many: int, owner: str | None = None
) -> list[str]:
    """Messages of one moment after the other; newest first."""
    made = []
    for _ in range(how_many):
        clock.advance(1)
        made.append(await submit_mail(intake, portal, owner=owner))
    return made[::-1]


async def one_page(
    database: Database, portal: str, wanted: Wanted | None = None, **more: str | int
) -> tuple[list[str], str | None]:
    log, values = MailLog(database), {"at_most": 100, "now": NOW, "on_hold": False} | more
    page = await log.page(portal, wanted or Wanted(), **values)  # type: ignore[arg-type]
    return [one.id for one in page.messages], page.next


async def test_mail_is_listed_newest_first_a_page_at_a_time(
    database: Database, intake: Intake, portal: str, neighbour: str, clock: HeldClock
) -> None:
    ids = await several(intake, portal, clock, 7)
    await several(intake, neighbour, clock, 1)
    assert await one_page(database, portal) == (ids, None)
    assert await one_page(database, portal, at_most=7) == (ids, None)
    assert await one_page(database, portal, at_most=3) == (ids[:3], ids[2])
    assert await one_page(database, portal, at_most=3, after=ids[2]) == (ids[3:6], ids[5])
    assert await one_page(database, portal, at_most=3, after=ids[5]) == (ids[6:], None)
    assert await one_page(database, portal, at_most=3, after=ids[6]) == ([], None)


async def test_a_page_before_a_message_ends_just_before_it(
    database: Database, intake: Intake, portal: str, clock: HeldClock
) -> None:
    ids = await several(intake, portal, clock, 7)
    assert await one_page(database, portal, at_most=3, before=ids[5]) == (ids[2:5], ids[2])
    assert await one_page(database, portal, at_most=3, before=ids[1]) == (ids[:1], None)
    assert await one_page(database, portal, at_most=3, before=ids[0]) == ([], None)
    assert await one_page(database, portal, after=ids[1], before=ids[4]) == (ids[2:4], None)


async def test_a_listed_message_is_the_one_that_is_shown(
    database: Database, intake: Intake, messages: MessageStore, portal: str
) -> None:
    message_id = await submit_mail(intake, portal, BORIS, ANNA, details=Details(subject="x"))
    page = await MailLog(database).page(portal, at_most=1, now=NOW, on_hold=False)
    assert list(page.messages) == [await messages.get(portal, message_id)]


def test_a_page_without_a_match_says_how_far_it_was_looked(
    store: tuple[Path, apsw.Connection],
) -> None:
    path, connection = store
    sent = [RecipientRow(address=ANNA)]
    mail = [
        MessageRow(number=number, milliseconds=number, recipients=sent)
        for number in range(2 * LOOKED_AT)
    ]
    write(connection, "much", mail)

    async def pages() -> list[str | None]:
        database = SqliteDatabase(path)
        wanted = Wanted(words=parse_words("nowhere"))
        found: list[str | None] = []
        after = None
        try:
            for _ in range(3):
                ids, after = await one_page(
                    database, "much", wanted, **({} if after is None else {"after": after})
                )
                assert ids == []
                found.append(after)
        finally:
            await database.close()
        return found

    assert asyncio.run(pages()) == [mail[LOOKED_AT].id, mail[0].id, None]
