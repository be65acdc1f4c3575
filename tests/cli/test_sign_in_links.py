"""Links that sign in once: who gets one, by which command, and where none is printed."""

import asyncio
import re
from datetime import UTC, datetime, timedelta

import pytest

from smarthost.app.parts import open_parts
from smarthost.config import load_config
from smarthost.secret import Secret
from tests.cli.program import ADMIN, Program
from tests.journeys.served import serving

LINK = re.compile(r"(http\S+)/sign-in/link\?token=(sl_[0-9a-f-]{36}_[\w-]{43})(?=\s|$)")
SEVERAL = {"SMARTHOST_BASE_DOMAIN": "portals.test"}
CTRL_C = ("serving", "\x03")


def signs_in(program: Program, told: str) -> str | None:
    """Whom the one link signs in that is in what was told."""
    [(_, token)] = LINK.findall(told)

    async def look() -> str | None:
        config = load_config(
            program.environment({}),
            working_directory=program.folder,
            machine_name=str,
            stderr_is_terminal=False,
        )
        async with open_parts(config, create=False) as parts:
            portal = await parts.portals.portal("default")
            assert portal is not None
            user = await parts.links.look(portal, Secret(token))
            return user.email if user else None

    return asyncio.run(look())


def test_a_link_goes_alone_into_a_pipe_and_with_words_to_a_terminal(installed: Program) -> None:
    piped = installed("user", "link", ADMIN)
    assert (piped.code, piped.err) == (0, "")
    assert LINK.fullmatch(piped.out.strip())
    assert signs_in(installed, piped.out) == ADMIN
    shown = installed.at_terminal("user", "link", ADMIN.upper())
    assert shown.out.endswith(f"\n  (signs in {ADMIN}; good for 15 minutes, once)\n")
    assert signs_in(installed, shown.out) == ADMIN
    assert signs_in(installed, piped.out) is None, "the new one has ended it"


def test_as_json_it_has_its_end_and_begins_with_the_portals_address(installed: Program) -> None:
    before = datetime.now(UTC)
    environ = {"SMARTHOST_HTTP_LISTEN": "127.0.0.1:8025"}
    made = installed("user", "link", ADMIN, "--json", **environ).json()
    assert list(made) == ["url", "expires"]
    assert made["url"].startswith("http://127.0.0.1:8025/sign-in/link?token=sl_")
    left = datetime.fromisoformat(made["expires"]) - before
    assert timedelta(minutes=15) <= left < timedelta(minutes=16)
    named = installed("user", "link", ADMIN, "--portal", "default", **environ, **SEVERAL)
    assert named.out.startswith("http://default.portals.test:8025/sign-in/link?token=sl_")
    typed = installed("user", "link", ADMIN, "--url", "https://mail.example.com/")
    assert typed.out.startswith("https://mail.example.com/sign-in/link?token=sl_")


def test_nobody_unknown_and_nothing_that_is_no_address_gets_a_link(untouched: Program) -> None:
    untouched("user", "link", "nobody@example.com").assert_one_line(1, "smarthost user list")
    for url in ("mail.example.com", "https://mail.example.com/x", "ftp://a.test", "https://a@b"):
        untouched("user", "link", ADMIN, "--url", url).assert_one_line(2, "--url")


def test_a_suspended_portal_gets_no_link_and_says_so(installed: Program) -> None:
    assert installed("portal", "suspend", "default").code == 0
    installed("user", "link", ADMIN).assert_one_line(1, "suspended: nobody gets in")
    started = installed.at_terminal("serve", press=CTRL_C)
    assert started.code == 0
    assert "smarthost user link" not in started.out
    assert not LINK.search(started.out)


def test_at_a_terminal_the_first_and_every_later_start_print_a_link(program: Program) -> None:
    made = program.at_terminal("init", "--admin-email", ADMIN)
    assert f"(good for 15 minutes, once; another one: smarthost user link {ADMIN})" in made.out
    assert signs_in(program, made.out) == ADMIN
    for _ in range(2):
        started = program.at_terminal("serve", press=CTRL_C)
        assert started.code == 0
        [(origin, _)] = LINK.findall(started.out)
        assert f"Smarthost is at {origin}\n" in started.out
        assert signs_in(program, started.out) == ADMIN


def test_without_a_terminal_no_link_is_printed_but_the_line_to_type(program: Program) -> None:
    line = f"For a link to the administrator's page: smarthost user link {ADMIN}"
    made = program("init", "--admin-email", ADMIN)
    assert line in made.out.splitlines()
    with serving(program) as service:
        told = [*made.out.splitlines(), *service.wait_printed("smarthost user link")]
    assert told.count(line) == 2
    assert "sl_" not in "".join((*told, *service.log, made.err))


@pytest.mark.parametrize("command", ["init", "serve"])
def test_as_json_a_first_start_answers_no_link(program: Program, command: str) -> None:
    if command == "init":
        told = program("init", "--admin-email", ADMIN, "--json").out
    else:
        with serving(program, "--json", SMARTHOST_ADMIN_EMAIL=ADMIN) as service:
            told = "".join(service.wait_printed("url"))
    assert "link" not in told


def test_where_portals_have_host_names_a_later_start_makes_no_link(installed: Program) -> None:
    (installed.folder / "smarthost.toml").write_text('base_domain = "portals.test"\n')
    started = installed.at_terminal("serve", press=CTRL_C)
    assert f"smarthost user link {ADMIN} --portal default\n" in started.out
    assert not LINK.search(started.out)
