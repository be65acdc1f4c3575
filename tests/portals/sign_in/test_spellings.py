"""An address signs in as it was typed when its user was made, whatever form it is stored in."""

import pytest

from smarthost.mail.address import parse_address
from smarthost.portals.model import Portal, Role
from smarthost.portals.sign_in.model import TooManyFailuresError
from smarthost.portals.sign_in.passwords import Passwords
from smarthost.portals.sign_in.sign_in import MOST_FAILURES, SignIn
from smarthost.portals.store import PortalStore
from smarthost.secret import Secret
from tests.portals.conftest import BY, PASSWORD

pytestmark = pytest.mark.one_engine

ADDRESS = "192.0.2.1"
SPELLINGS = ("Jörg@Bücher.example", "jörg@xn--bcher-kva.example", "  jo\u0308rg@bücher.example ")


@pytest.fixture(autouse=True)
async def joerg(portals: PortalStore, portal: Portal, passwords: Passwords) -> None:
    email = str(parse_address(SPELLINGS[0]))
    hashed = await passwords.hash(PASSWORD)
    await portals.create_user(portal.id, email, Role.USER, hashed, BY)


@pytest.mark.parametrize("typed", SPELLINGS)
async def test_every_spelling_of_an_address_is_its_user(
    sign_in: SignIn, portal: Portal, typed: str
) -> None:
    user = await sign_in.check(portal, typed, PASSWORD, ADDRESS)
    assert user is not None
    assert user.email == "jörg@xn--bcher-kva.example"


async def test_another_spelling_gives_no_more_tries(sign_in: SignIn, portal: Portal) -> None:
    for number in range(MOST_FAILURES):
        typed = SPELLINGS[number % len(SPELLINGS)]
        address = f"192.0.2.{number}"
        assert await sign_in.check(portal, typed, Secret("wrong password"), address) is None
    with pytest.raises(TooManyFailuresError):
        await sign_in.check(portal, SPELLINGS[0], PASSWORD, "192.0.2.200")


@pytest.mark.parametrize("typed", ["", "nobody", "jörg@bücher..example", "\x00@example.com"])
async def test_what_is_no_address_is_nobody(sign_in: SignIn, portal: Portal, typed: str) -> None:
    assert await sign_in.check(portal, typed, PASSWORD, ADDRESS) is None
