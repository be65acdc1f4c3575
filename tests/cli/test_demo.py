"""`demo`: the real program, from its first line to an empty folder."""

import json
import os
import select
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.cli.program import Program
from tests.cli.test_first_start import SETTINGS, get

PATIENCE = 60.0


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """Return where the demo makes its folder."""
    path = tmp_path / "temporary"
    path.mkdir()
    return path


def test_once_shows_the_message_and_leaves_nothing(program: Program, temporary: Path) -> None:
    ended = program("demo", "--once", TMPDIR=str(temporary))
    assert (ended.code, ended.err) == (0, "")
    assert "\n  From:    notify@demo.localhost\n  To:      admin@demo.localhost\n" in ended.out
    assert "\n  Subject: Test message from default\n" in ended.out
    assert ended.out.endswith("\nThe mail server has taken the test message.\n")
    assert list(temporary.iterdir()) == []
    assert not program.data_dir.exists()


def test_as_json_each_line_is_a_value(program: Program) -> None:
    ended = program("demo", "--once", "--json")
    made, message = map(json.loads, ended.out.splitlines())
    assert list(made) == ["portal", "url", "adminEmail", "key", "smtp", "signIn"]
    assert made["signIn"].startswith(f"{made['url']}/sign-in/link?token=sl_")
    assert list(message) == ["sender", "recipients", "subject", "text"]
    assert message["recipients"] == [made["adminEmail"]]
    assert "Sent through: 127.0.0.1, port " in message["text"]


def test_an_installation_beside_it_is_left_alone(installed: Program) -> None:
    before = installed("settings", "show").out
    ended = installed("demo", "--once", SMARTHOST_BASE_DOMAIN="portals.example.com")
    assert ended.code == 0
    assert installed("settings", "show").out == before


def test_where_the_port_is_taken_another_one_is(program: Program) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = program("demo", "--once", "--json", SMARTHOST_HTTP_LISTEN=f"127.0.0.1:{port}")
    assert ended.code == 0
    assert json.loads(ended.out.splitlines()[0])["url"] != f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_told_to_stop(
    program: Program, temporary: Path, number: signal.Signals
) -> None:
    with subprocess.Popen(
        program.command("demo"),
        env=program.environment({"TMPDIR": str(temporary)}),
        cwd=program.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            told = told_until(process.stdout.fileno(), "Ctrl-C ends the demo")
            lines = [line.strip() for line in told.splitlines()]
            url = told.splitlines()[0].removeprefix("Smarthost is at ")
            [key] = [line.split()[-1] for line in lines if line.startswith("API key:")]
            assert f"SMTP={url}{SETTINGS}" in lines
            assert told.count("/sign-in/link?token=sl_") == 1
            assert f"smarthost user link admin@demo.localhost --url {url}" in lines
            assert get(f"{url}{SETTINGS}", key)["host"] == "127.0.0.1"
            process.send_signal(number)
            assert process.wait(PATIENCE) == 0
            assert process.stderr.read() == b""
        finally:
            process.kill()
    assert list(temporary.iterdir()) == []


def told_until(pipe: int, last: str) -> str:
    """Read what the program prints, until it has printed `last`."""
    told = ""
    while last not in told:
        assert select.select([pipe], [], [], PATIENCE)[0], told
        octets = os.read(pipe, 65_536)
        assert octets, told
        told += octets.decode()
    return told
