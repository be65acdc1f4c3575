import msgspec

from smarthost.clock import MICROSECONDS
from smarthost.database.engine import Database
from smarthost.portals.model import Portal, User
from smarthost.portals.sign_in.store import SESSION_LIFE, WINDOW, SignInStore
from smarthost.portals.tokens import Token, TokenKind, new_token
from tests.clocks import START, FakeClock
from tests.portals.conftest import BY


async def test_a_session_is_found_until_a_day_is_over(
    sign_ins: SignInStore, portal: Portal, admin: User, clock: FakeClock
) -> None:
    session, token = await sign_ins.create_session(admin, BY)
    assert token.kind is TokenKind.SESSION
    assert session.expires_at == START + 24 * 3600 * MICROSECONDS
    assert await sign_ins.find_session(portal.id, token) == session
    clock.advance(24 * 3600 - 0.000_001)
    assert await sign_ins.find_session(portal.id, token) == session
    clock.advance(0.000_001)
    assert await sign_ins.find_session(portal.id, token) is None


async def test_a_wrong_secret_an_unknown_id_and_another_portal_all_find_nothing(
    sign_ins: SignInStore, portal: Portal, neighbour: Portal, admin: User
) -> None:
    _, token = await sign_ins.create_session(admin, BY)
    _, other = await sign_ins.create_session(admin, BY)
    wrong = Token(kind=token.kind, id=token.id, secret=other.secret)
    unknown = new_token(TokenKind.SESSION, "019b76da-a800-7649-ac82-d937f2ad75a5")
    for stranger in (wrong, unknown):
        assert await sign_ins.find_session(portal.id, stranger) is None
    assert await sign_ins.find_session(neighbour.id, token) is None


async def test_a_session_ends_when_its_user_signs_out_and_no_other_does(
    sign_ins: SignInStore, portal: Portal, neighbour: Portal, admin: User
) -> None:
    session, token = await sign_ins.create_session(admin, BY)
    _, other = await sign_ins.create_session(admin, BY)
    stranger = msgspec.structs.replace(admin, portal_id=neighbour.id)
    await sign_ins.end_session(stranger, session.id, BY)
    assert await sign_ins.find_session(portal.id, token)
    await sign_ins.end_session(admin, session.id, BY)
    await sign_ins.end_session(admin, session.id, BY)
    assert await sign_ins.find_session(portal.id, token) is None
    assert await sign_ins.find_session(portal.id, other)


async def test_sessions_that_have_ended_go_when_a_new_one_starts(
    sign_ins: SignInStore, database: Database, admin: User, clock: FakeClock
) -> None:
    for _ in range(3):
        await sign_ins.create_session(admin, BY)
    clock.advance(SESSION_LIFE / MICROSECONDS + 1)
    await sign_ins.create_session(admin, BY)
    assert await database.fetch("SELECT count(*) FROM sessions") == [(1,)]


async def test_only_a_hash_of_the_token_is_stored(
    sign_ins: SignInStore, database: Database, admin: User
) -> None:
    _, token = await sign_ins.create_session(admin, BY)
    assert await database.fetch("SELECT secret_hash FROM sessions") == [(token.hash(),)]
    assert token.secret.reveal() not in str(await database.fetch("SELECT * FROM sessions"))


async def test_failures_of_the_last_minute_are_counted_by_subject(
    sign_ins: SignInStore, clock: FakeClock
) -> None:
    await sign_ins.record_failure("a", "b")
    await sign_ins.record_failure("a")
    counts = [(await sign_ins.recent_failures(one)).count for one in ("a", "b", "c")]
    assert counts == [2, 1, 0]
    clock.advance(40)
    await sign_ins.record_failure("a")
    clock.advance(19.999_999)
    recent = await sign_ins.recent_failures("a")
    assert (recent.count, recent.fewer_at) == (3, START + WINDOW)
    clock.advance(0.000_001)
    recent = await sign_ins.recent_failures("a")
    assert (recent.count, recent.fewer_at) == (1, START + 40 * MICROSECONDS + WINDOW)
