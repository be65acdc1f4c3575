"""`init` and `serve` on an empty data directory: what is made, and where the key goes."""

import json
import re
import shlex
import signal
import subprocess
import urllib.error
import urllib.request
from typing import Any

import pytest

from tests.cli.program import ADMIN, Program
from tests.journeys.served import serving

SETTINGS = "/api/2.0/smtpsettings/smtp"


def get(url: str, key: str) -> Any:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)["response"]


def test_init_answers_the_first_key_as_json_alone(program: Program) -> None:
    ended = program("init", "--admin-email", ADMIN, "--json")
    assert ended.code == 0
    assert ended.err == ""
    made = ended.json()
    assert list(made) == ["portal", "url", "adminEmail", "key"]
    assert (made["portal"], made["adminEmail"]) == ("default", ADMIN)
    assert not (program.data_dir / "first-key").exists()


def test_init_again_changes_nothing_and_exits_with_4(installed: Program) -> None:
    before = installed("key", "list").out
    ended = installed("init", "--admin-email", "other@example.com")
    assert (ended.code, ended.out) == (4, "")
    assert ended.err.startswith("smarthost: There is an installation already")
    assert installed("key", "list").out == before


def test_init_without_a_terminal_writes_the_key_to_a_file_of_its_owner(program: Program) -> None:
    ended = program("init", "--admin-email", ADMIN)
    path = program.data_dir / "first-key"
    key = path.read_text().strip()
    assert str(path) in ended.out
    assert key.startswith("sh_")
    assert key not in ended.out + ended.err
    assert path.stat().st_mode & 0o777 == 0o600


def test_init_at_a_terminal_shows_the_key_and_keeps_it_nowhere(program: Program) -> None:
    ended = program.at_terminal("init", "--admin-email", ADMIN)
    assert ended.code == 0
    assert "API key:       sh_" in ended.out
    assert not (program.data_dir / "first-key").exists()


@pytest.mark.parametrize("command", ["init", "serve"])
def test_a_key_left_from_earlier_stops_the_first_start_before_anything_is_made(
    program: Program, command: str
) -> None:
    program.data_dir.mkdir()
    (program.data_dir / "first-key").write_text("old\n")
    ended = program(command, SMARTHOST_ADMIN_EMAIL=ADMIN)
    assert ended.code == 4
    assert "first-key" in ended.err
    assert [path.name for path in program.data_dir.iterdir()] == ["first-key"]


def test_init_takes_the_administrator_from_the_environment(program: Program) -> None:
    ended = program("init", "--json", SMARTHOST_ADMIN_EMAIL="other@example.com")
    assert ended.json()["adminEmail"] == "other@example.com"


def test_init_without_an_administrator_says_what_to_type(program: Program) -> None:
    ended = program("init")
    assert ended.code == 2
    assert "smarthost init --admin-email" in ended.err
    assert not program.data_dir.exists()


def test_serve_on_an_empty_folder_gives_the_init_line_and_makes_nothing(program: Program) -> None:
    ended = program("serve")
    assert (ended.code, ended.out) == (3, "")
    assert "smarthost init --admin-email" in ended.err
    assert not program.data_dir.exists()


@pytest.mark.needs("curl", "sh")
@pytest.mark.parametrize("environ", [{}, {"SMARTHOST_BASE_DOMAIN": "portals.test"}])
def test_the_lines_of_the_first_start_save_settings_and_test_them_as_they_are(
    program: Program, environ: dict[str, str]
) -> None:
    with serving(program, SMARTHOST_ADMIN_EMAIL=ADMIN, **environ) as service:
        lines = service.wait_printed("  curl ")
        assert lines[0].startswith("Smarthost is at http://")
        curls = [line.strip() for line in lines if line.strip().startswith("curl ")]
        saved, started, watched = (run(program, line) for line in curls)
        assert "sh_" not in "".join(curls)
        shown = program("settings", "show", "--json", **environ).json()
        assert saved["response"] == shown
        assert started["response"]["status"] == "Create mime message"
        assert watched["response"]["id"] == started["response"]["id"]


def run(program: Program, line: str) -> Any:
    ended = subprocess.run(
        ["sh", "-c", line], capture_output=True, timeout=30, check=True, cwd=program.folder
    )
    return json.loads(ended.stdout)


def test_serve_at_a_later_start_tells_the_address_and_how_to_get_a_key(
    installed: Program,
) -> None:
    with serving(installed) as service:
        lines = service.wait_printed("smarthost user link")
        assert lines[0].startswith("Smarthost is at http://127.0.0.1:")
        assert re.fullmatch(
            r"SMTP: 127\.0\.0\.1:\d+, any user name, password: an API key", lines[1]
        )
        assert "smarthost key create" in lines[2]
        assert lines[3].endswith(f": smarthost user link {ADMIN}")
    assert len(service.printed) == 4


def test_the_commands_work_while_the_service_runs_and_count_at_once(program: Program) -> None:
    with serving(program, "--json", SMARTHOST_ADMIN_EMAIL=ADMIN) as service:
        made = json.loads(service.wait_printed("url")[0])
        url = made["url"] + SETTINGS
        assert get(url, made["key"])["isDefaultSettings"] is True
        ended = program("settings", "save", "--host", "a.test", "--sender-address", ADMIN)
        assert ended.code == 0
        assert get(url, made["key"])["host"] == "a.test"
        key = program("key", "create", "--name", "x", "--permission", "read").out.strip()
        assert get(url, key) == program("settings", "show", "--json").json()
        assert program("key", "revoke", key.split("_")[1]).code == 0
        with pytest.raises(urllib.error.HTTPError, match="401"):
            get(url, key)


def test_ctrl_c_stops_the_service_in_order(installed: Program) -> None:
    process = subprocess.Popen(
        installed.command("serve"),
        env=installed.environment({}),
        cwd=installed.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, log = process.communicate(timeout=30)
    assert process.returncode == 0
    assert b"Traceback" not in log


def test_paths_that_a_shell_would_read_otherwise_are_quoted(program: Program) -> None:
    folder = program.folder / "it's here"
    ended = program("init", "--admin-email", ADMIN, SMARTHOST_DATA_DIR=str(folder))
    assert shlex.quote(str(folder / "first-key")) in ended.out
