"""Broken set-ups as administrators make them, each built for real: the check, the test message and
real mail give the same step, code and words.
"""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import trustme
import uvloop

from smarthost.clock import SystemClock
from smarthost.delivery.outcome import Code
from smarthost.explanations.failure import Failure
from smarthost.relay_check.model import Checked
from smarthost.secret import Secret
from smarthost.smtp_settings.binding.model import BindingInput
from smarthost.smtp_settings.model import SettingsInput
from tests.apart import apart
from tests.authority import trust_everywhere
from tests.broken_setups.beside import running
from tests.broken_setups.installation import SENDER, Installation, installation
from tests.broken_setups.names import ZONE, look_up_at
from tests.broken_setups.postfix_services import services, warm_up
from tests.broken_setups.set_up import SIGN_IN_HOST, BrokenSetUp, Found, Place, Server, World
from tests.broken_setups.table import TABLE
from tests.hostile_relays.quick import LoopClock, QuickLoop
from tests.http_servers import http_server
from tests.journeys.postfix import PASSWORD, USER_NAME, Postfix, folder_for_postfix, postfix
from tests.name_server import Zone, name_server
from tests.smtp.relays import server_context

ASKED_QUICKLY = 30
"""So many times as quick as others time passes for check and test, which take half a minute."""
SENT_QUICKLY = 100
"""The same for mail, which may take five minutes."""

_TRIES = 3
_OWN_NETWORK = ("ip", "mount")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(autouse=True)
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trust_everywhere(authority, tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def one_postfix(authority: trustme.CA) -> Iterator[Callable[[], Postfix]]:
    """Give what starts Postfix when it is first asked for."""
    running: list[Postfix] = []
    with contextlib.ExitStack() as stack:

        def start() -> Postfix:
            if not running:
                folder = stack.enter_context(folder_for_postfix())
                asked = services(folder, authority)
                running.append(stack.enter_context(postfix(folder, "127.0.0.1", asked)))
                warm_up(running[0])
            return running[0]

        yield start


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an installation that each test gets a copy of, which takes a tenth of the time."""
    folder = tmp_path_factory.mktemp("prepared") / "data"

    async def make() -> None:
        async with installation(folder, SystemClock(), look_up_at(0)):
            pass

    asyncio.run(make())
    return folder


def typed(row: BrokenSetUp, place: Place) -> SettingsInput:
    given = {
        "host": place.host or row.host,
        "port": place.port,
        "sender_address": SENDER,
        "user_name": USER_NAME,
        "password": PASSWORD,
        "enable_ssl": True,
        "enable_auth": True,
        **row.settings,
    }
    password = Secret(str(given.pop("password")))
    return SettingsInput(password=password, **given)  # type: ignore[arg-type]


@contextlib.contextmanager
def provided(row: BrokenSetUp, world: World) -> Iterator[BindingInput | None]:
    """Run the provider of a row's sign-in, and give what is typed for it."""
    if row.sign_in is None:
        yield None
        return
    provider = row.sign_in.provider()

    @contextlib.asynccontextmanager
    async def end_point(world: World) -> AsyncIterator[Place]:
        tls = server_context(world.authority, SIGN_IN_HOST)
        async with http_server(provider, tls=tls) as server:
            provider.token_url = server.url("/token", host=SIGN_IN_HOST)
            yield Place(port=server.port)

    with running(Server(row.sign_in.built, end_point), world):
        yield row.sign_in.typed(provider)


Way = Callable[[Installation, SettingsInput, str], Awaitable[Checked | Failure | None]]


async def by_check(portal: Installation, settings: SettingsInput, to: str) -> Checked:
    return await portal.check(settings, to)


async def by_test(portal: Installation, settings: SettingsInput, to: str) -> Failure | None:
    await portal.save(settings)
    return await portal.test(to)


async def by_mail(portal: Installation, settings: SettingsInput, to: str) -> Failure | None:
    await portal.save(settings)
    return await portal.send(to)


class Told(NamedTuple):
    """What the three ways have said."""

    checked: Checked
    tested: Failure | None
    sent: Failure | None


def run(row: BrokenSetUp, world: World, folder: Path) -> Told:
    """Go all three ways; on the service's own loop, or where time passes quickly."""
    with running(row.server, world) as place, provided(row, world) as sign_in:
        go = partial(_go, row, typed(row, place), sign_in, folder)
        if not row.slow:
            told = go(uvloop.new_event_loop, (by_check, by_test, by_mail))
        else:
            told = [
                *_undisturbed(partial(go, partial(QuickLoop, ASKED_QUICKLY), (by_check, by_test))),
                *_undisturbed(partial(go, partial(QuickLoop, SENT_QUICKLY), (by_mail,))),
            ]
    return Told(*told)


def _undisturbed(go: Callable[[], list[Any]]) -> list[Any]:
    """Go again where a busy machine stood still for longer than an attempt may overrun.

    Time is quick, so that is a twentieth of a second.
    """
    for _ in range(_TRIES):
        told = go()
        if not any(isinstance(one, Failure) and one.code is Code.INTERNAL for one in told):
            break
    return told


def _go(
    row: BrokenSetUp,
    settings: SettingsInput,
    sign_in: BindingInput | None,
    folder: Path,
    loop: Callable[[], asyncio.AbstractEventLoop],
    ways: Sequence[Way],
) -> list[Any]:
    here = {name: {"A": ["127.0.0.1"]} for name in (row.host, SIGN_IN_HOST)}
    zone: Zone = {**here, **ZONE}

    async def go() -> list[Any]:
        system = SystemClock()
        clock = LoopClock(system.now()) if row.slow else system
        with name_server(zone) as names:
            look_up = look_up_at(names.port)
            async with installation(folder, clock, look_up, row.environ, sign_in) as portal:
                if row.slow:
                    return await asyncio.gather(*(way(portal, settings, row.to) for way in ways))
                return [await way(portal, settings, row.to) for way in ways]

    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(go())


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(
            row,
            id=row.name,
            marks=pytest.mark.needs(
                *row.server.programs, *(_OWN_NETWORK if row.apart is not None else ())
            ),
        )
        for row in TABLE
    ],
)
def test_a_broken_set_up_has_one_code_and_one_text_whichever_way_it_is_met(
    row: BrokenSetUp,
    authority: trustme.CA,
    one_postfix: Callable[[], Postfix],
    prepared: Path,
    tmp_path: Path,
) -> None:
    folder = shutil.copytree(prepared, tmp_path / "data")
    world = World(authority=authority, host=row.host, postfix=one_postfix)
    work = partial(run, row, world, folder)
    told = work() if row.apart is None else apart(work, *row.apart)

    if row.found is Found.WARNED:
        assert (told.checked.ok, told.tested, told.sent) == (True, None, None)
        check_told(row, next(one for one in told.checked.warnings if one.code is row.code))
        return
    assert told.checked.ok is (told.checked.failure is None)
    assert told.tested is not None
    assert told.sent == told.tested
    assert told.checked.failure == (None if row.found is Found.AT_DATA else told.tested)
    check_told(row, told.tested)


def check_told(row: BrokenSetUp, failure: Failure) -> None:
    found = (failure.step, failure.code, failure.permanent, failure.fields)
    assert found == (row.step, row.code, row.permanent, row.fields), failure.text
    for words in row.says:
        assert words.casefold() in failure.text.casefold()
    assert PASSWORD not in failure.text
