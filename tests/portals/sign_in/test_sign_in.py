import asyncio

import pytest

from smarthost.clock import MICROSECONDS
from smarthost.database.engine import Database
from smarthost.portals.model import Portal, User
from smarthost.portals.sign_in.model import TooManyFailuresError
from smarthost.portals.sign_in.sign_in import MOST_FAILURES, SignIn
from smarthost.portals.sign_in.store import WINDOW, SignInStore
from smarthost.portals.store import PortalStore
from smarthost.secret import Secret
from tests.clocks import START, FakeClock
from tests.portals.conftest import BY, PASSWORD

ADDRESS = "192.0.2.1"
WRONG = Secret("wrong password")


async def fail(sign_in: SignIn, portal: Portal, email: str, address: str) -> None:
    assert await sign_in.check(portal, email, WRONG, address) is None


async def test_the_right_password_gives_the_user(
    sign_in: SignIn, portal: Portal, admin: User
) -> None:
    assert await sign_in.check(portal, admin.email, PASSWORD, ADDRESS) == admin
    assert await sign_in.check(portal, "ADMIN@Example.com", PASSWORD, ADDRESS) == admin


async def test_a_wrong_one_an_unknown_user_and_one_without_a_password_give_nobody(
    sign_in: SignIn, portal: Portal, neighbour: Portal, admin: User, user: User
) -> None:
    await fail(sign_in, portal, admin.email, ADDRESS)
    assert await sign_in.check(portal, "nobody@example.com", PASSWORD, ADDRESS) is None
    assert await sign_in.check(portal, user.email, Secret(""), ADDRESS) is None
    assert await sign_in.check(neighbour, admin.email, PASSWORD, ADDRESS) is None


async def test_known_and_unknown_users_are_counted_alike(
    sign_in: SignIn, sign_ins: SignInStore, portal: Portal, admin: User
) -> None:
    for number, email in enumerate((admin.email, "nobody@example.com")):
        address = f"192.0.2.{number}"
        await fail(sign_in, portal, email, address)
        assert (await sign_ins.recent_failures(f"user {portal.id} {email}")).count == 1
        assert (await sign_ins.recent_failures(f"address {address}")).count == 1


async def test_after_five_failures_of_an_address_even_the_right_password_waits(
    sign_in: SignIn, portal: Portal, admin: User
) -> None:
    for number in range(MOST_FAILURES):
        await fail(sign_in, portal, f"{number}@example.com", ADDRESS)
    with pytest.raises(TooManyFailuresError) as caught:
        await sign_in.check(portal, admin.email, PASSWORD, ADDRESS)
    assert caught.value.until == START + WINDOW
    assert await sign_in.check(portal, admin.email, PASSWORD, "192.0.2.99") == admin


async def test_after_five_failures_of_a_user_from_anywhere_the_user_waits(
    sign_in: SignIn, portal: Portal, neighbour: Portal, admin: User
) -> None:
    for number in range(MOST_FAILURES):
        await fail(sign_in, portal, admin.email.upper(), f"192.0.2.{number}")
    with pytest.raises(TooManyFailuresError):
        await sign_in.check(portal, admin.email, PASSWORD, "192.0.2.99")
    await fail(sign_in, neighbour, admin.email, "192.0.2.99")


async def test_a_minute_after_the_oldest_failure_one_more_try_is_looked_at(
    sign_in: SignIn, portal: Portal, admin: User, clock: FakeClock, database: Database
) -> None:
    # Across a full minute of the clock, which is no reason to begin at nothing.
    clock.advance(58)
    for number in range(MOST_FAILURES):
        await fail(sign_in, portal, admin.email, f"192.0.2.{number}")
        clock.advance(1)
    clock.advance(54.999_999)
    with pytest.raises(TooManyFailuresError):
        await sign_in.check(portal, admin.email, PASSWORD, ADDRESS)
    clock.advance(0.000_001)
    assert await sign_in.check(portal, admin.email, PASSWORD, ADDRESS) == admin
    await fail(sign_in, portal, admin.email, ADDRESS)
    with pytest.raises(TooManyFailuresError):
        await sign_in.check(portal, admin.email, PASSWORD, ADDRESS)
    rows = await database.fetch("SELECT min(at) FROM sign_in_failures")
    assert rows == [(START + 59 * MICROSECONDS,)], "rows of older minutes are gone"


@pytest.mark.parametrize("same", ["address", "user"])
async def test_of_wrong_passwords_at_the_same_moment_five_alone_are_looked_at(
    sign_in: SignIn, sign_ins: SignInStore, portal: Portal, admin: User, same: str
) -> None:
    def attempt(number: int) -> "asyncio.Future[User | None]":
        email = f"{number}@example.com" if same == "address" else admin.email
        address = f"192.0.2.{number}" if same == "user" else ADDRESS
        return asyncio.ensure_future(sign_in.check(portal, email, WRONG, address))

    results = await asyncio.gather(
        *(attempt(number) for number in range(40)), return_exceptions=True
    )
    assert results.count(None) == MOST_FAILURES
    assert sum(isinstance(got, TooManyFailuresError) for got in results) == 40 - MOST_FAILURES
    subject = f"address {ADDRESS}" if same == "address" else f"user {portal.id} {admin.email}"
    assert (await sign_ins.recent_failures(subject)).count == MOST_FAILURES


async def test_right_passwords_are_not_counted(
    sign_in: SignIn, portal: Portal, admin: User
) -> None:
    results = await asyncio.gather(
        *(sign_in.check(portal, admin.email, PASSWORD, ADDRESS) for _ in range(MOST_FAILURES * 2))
    )
    assert results == [admin] * (MOST_FAILURES * 2)


async def test_who_stops_waiting_lets_the_next_one_in(
    sign_in: SignIn, portal: Portal, admin: User
) -> None:
    tasks = [
        asyncio.ensure_future(sign_in.check(portal, admin.email, PASSWORD, ADDRESS))
        for _ in range(6)
    ]
    await asyncio.sleep(0.01)
    for task in tasks[:3]:
        task.cancel()
    results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 30)
    assert results[3:] == [admin] * 3


@pytest.mark.parametrize(
    ("email", "password"),
    [("x" * 255, "password"), ("admin@example.com", "x" * 1001), ("x" * 10_000_000, "p")],
)
async def test_what_nobody_could_have_is_refused_without_work(
    sign_in: SignIn, database: Database, portal: Portal, admin: User, email: str, password: str
) -> None:
    for _ in range(MOST_FAILURES + 1):
        assert await sign_in.check(portal, email, Secret(password), ADDRESS) is None
    assert await database.fetch("SELECT * FROM sign_in_failures") == []


async def test_a_session_of_a_password_changed_meanwhile_never_begins(
    sign_in: SignIn, sign_ins: SignInStore, portals: PortalStore, portal: Portal, admin: User
) -> None:
    proved = await sign_in.check(portal, admin.email, PASSWORD, ADDRESS)
    assert proved is not None
    await portals.set_password(admin, "$another", BY)
    _, token = await sign_in.start_session(proved, BY)
    assert await sign_ins.find_session(portal.id, token) is None
