import asyncio
import json

import msgspec
import pytest

from smarthost.audit.model import Actor
from smarthost.clock import MICROSECONDS
from smarthost.database.engine import Database
from smarthost.portals.access import SuspendedError
from smarthost.portals.keys.store import KeyStore
from smarthost.portals.model import ConflictError, Permission, Portal, User
from smarthost.portals.sign_in.links.store import SignInLinks
from smarthost.portals.sign_in.store import SESSION_LIFE, SignInStore
from smarthost.portals.store import PortalStore
from smarthost.portals.tokens import Token, TokenKind, new_token
from smarthost.secret import Secret
from tests.clocks import START, FakeClock
from tests.portals.conftest import BY

UNKNOWN = "019b76da-a800-7649-ac82-d937f2ad75a5"
BROWSER = Actor(name="nobody yet", address="192.0.2.1", request_id="r")
COUNT = "SELECT count(*) FROM sign_in_links"
EVENTS = """
SELECT action, subject, actor, address, request_id, details FROM audit_events
WHERE action LIKE 'link.%' OR action LIKE 'session.%' ORDER BY number"""


async def made(links: SignInLinks, user: User) -> Secret:
    _, token = await links.make(user, BY)
    return token.text()


async def test_a_link_tells_whom_it_signs_in_as_often_as_it_is_looked_at(
    links: SignInLinks, portal: Portal, user: User, admin: User
) -> None:
    text, other = await made(links, user), await made(links, admin)
    for _ in range(3):
        assert await links.look(portal, text) == user
        assert await links.look(portal, other) == admin


async def test_a_user_without_a_password_gets_a_session_by_a_link_once(
    links: SignInLinks, sign_ins: SignInStore, portal: Portal, user: User
) -> None:
    assert user.password_hash is None
    text = await made(links, user)
    used = await links.use(portal, text, BROWSER)
    assert used is not None
    session, token = used
    assert (session.user, session.expires_at - START) == (user, SESSION_LIFE + MICROSECONDS)
    assert token.kind is TokenKind.SESSION
    assert await sign_ins.find_session(portal.id, token) == session
    assert await links.use(portal, text, BROWSER) is None
    assert await links.look(portal, text) is None


async def test_of_many_uses_at_the_same_moment_one_signs_in(
    links: SignInLinks, database: Database, portal: Portal, user: User
) -> None:
    text = await made(links, user)
    got = await asyncio.gather(*(links.use(portal, text, BROWSER) for _ in range(20)))
    assert len([one for one in got if one is not None]) == 1
    assert await database.fetch("SELECT count(*) FROM sessions") == [(1,)]


async def test_a_link_is_good_for_fifteen_minutes(
    links: SignInLinks, portal: Portal, admin: User, clock: FakeClock
) -> None:
    link, token = await links.make(admin, BY)
    assert link.expires_at == START + 15 * 60 * MICROSECONDS
    clock.advance(15 * 60 - 0.000_001)
    assert await links.look(portal, token.text()) == admin
    clock.advance(0.000_001)
    assert await links.look(portal, token.text()) is None
    assert await links.use(portal, token.text(), BROWSER) is None


async def test_a_new_link_ends_the_users_earlier_one_and_nobody_elses(
    links: SignInLinks, portal: Portal, user: User, admin: User
) -> None:
    earlier, theirs = await made(links, user), await made(links, admin)
    later = await made(links, user)
    seen = [await links.look(portal, text) for text in (earlier, later, theirs)]
    assert seen == [None, user, admin]


async def test_links_that_have_ended_go_when_another_one_is_made(
    links: SignInLinks, database: Database, user: User, admin: User, clock: FakeClock
) -> None:
    await links.make(user, BY)
    clock.advance(15 * 60)
    await links.make(admin, BY)
    assert await database.fetch(COUNT) == [(1,)]


async def test_what_is_no_link_of_this_portal_signs_nobody_in_and_changes_nothing(
    links: SignInLinks,
    sign_ins: SignInStore,
    keys: KeyStore,
    portal: Portal,
    neighbour: Portal,
    admin: User,
) -> None:
    _, good = await links.make(admin, BY)
    other = new_token(TokenKind.SIGN_IN_LINK, UNKNOWN)
    wrong = Token(kind=good.kind, id=good.id, secret=other.secret)
    _, session = await sign_ins.create_session(admin, BY)
    _, key = await keys.create(admin, "mine", frozenset({Permission.ALL}), None, BY)
    as_session = Token(kind=TokenKind.SESSION, id=good.id, secret=good.secret)
    texts = [one.text() for one in (wrong, other, session, key, as_session)]
    for text in (*texts, Secret(""), Secret("sl_"), Secret("x" * 10_000_000)):
        assert await links.look(portal, text) is None
        assert await links.use(portal, text, BROWSER) is None
    assert await links.look(neighbour, good.text()) is None
    assert await links.use(neighbour, good.text(), BROWSER) is None
    assert await links.look(portal, good.text()) == admin


async def test_a_suspended_portal_keeps_its_links_and_lets_nobody_in(
    links: SignInLinks, database: Database, portal: Portal, admin: User
) -> None:
    text = await made(links, admin)
    suspended = msgspec.structs.replace(portal, suspended_at=START)
    with pytest.raises(SuspendedError):
        await links.look(suspended, text)
    with pytest.raises(SuspendedError):
        await links.use(suspended, text, BROWSER)
    strange = new_token(TokenKind.SIGN_IN_LINK, UNKNOWN).text()
    assert await links.look(suspended, strange) is None, "no stranger learns of it"
    assert await database.fetch("SELECT count(*) FROM sessions") == [(0,)]
    assert await links.use(portal, text, BROWSER) is not None


async def test_a_new_password_and_removing_the_user_end_the_link(
    links: SignInLinks, portals: PortalStore, portal: Portal, user: User, admin: User
) -> None:
    mine, theirs = await made(links, user), await made(links, admin)
    await portals.set_password(user, "$argon2", BY)
    assert await links.look(portal, mine) is None
    again = await made(links, user)
    await portals.remove_user(user, BY)
    assert await links.use(portal, again, BROWSER) is None
    assert await links.look(portal, theirs) == admin
    with pytest.raises(ConflictError, match=r"user@example\.com was removed meanwhile"):
        await links.make(user, BY)


async def test_only_a_hash_of_the_link_is_stored(
    links: SignInLinks, database: Database, portal: Portal, user: User
) -> None:
    link, token = await links.make(user, BY)
    rows = await database.fetch("SELECT id, secret_hash FROM sign_in_links")
    assert rows == [(link.id, token.hash())]
    await links.use(portal, token.text(), BROWSER)
    events = await database.fetch("SELECT * FROM audit_events")
    assert token.secret.reveal() not in str(events)


async def test_making_and_using_are_audited_and_belong_together(
    links: SignInLinks, database: Database, portal: Portal, user: User
) -> None:
    link, token = await links.make(user, BY)
    used = await links.use(portal, token.text(), BROWSER)
    await links.use(portal, token.text(), BROWSER)
    assert used is not None
    session, _ = used
    rows = [(*row[:5], json.loads(row[5])) for row in await database.fetch(EVENTS)]
    assert rows == [
        ("link.made", user.email, BY.name, None, None, {"link": link.id}),
        ("session.started", user.email, user.email, "192.0.2.1", "r",
         {"session": session.id, "link": link.id}),
    ]  # fmt: skip
