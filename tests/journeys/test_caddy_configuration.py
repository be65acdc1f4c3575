"""Caddy with the configuration that the deployment guide hands out, in front of the service."""

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.cli.program import Program
from tests.journeys.live import watch_a_check
from tests.journeys.proxy import free_port, rewritten
from tests.journeys.served import PATIENCE, serving

pytestmark = pytest.mark.needs("caddy")

ROOT = Path(__file__).parents[2]
HOST = "smarthost.example.com"
# Without TLS, which Caddy would get a certificate for from outside.
AROUND = "{{\n\tadmin off\n\tauto_https off\n}}\n{site}"


@contextlib.contextmanager
def caddy(folder: Path, service: int) -> Iterator[int]:
    """Run Caddy with nothing of its configuration changed but addresses; gives its port."""
    port = free_port()
    text = (ROOT / "deploy" / "caddy" / "Caddyfile").read_text(encoding="utf-8")
    pairs = (
        (f"\n{HOST} {{", f"\nhttp://127.0.0.1:{port}, http://{HOST}:{port} {{"),
        ("127.0.0.1:8025", f"127.0.0.1:{service}"),
    )
    text = rewritten(text, pairs)
    configuration = folder / "Caddyfile"
    configuration.write_text(AROUND.format(site=text), encoding="utf-8")
    own = {name: str(folder) for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
    command = ["caddy", "run", "--adapter", "caddyfile", "--config", str(configuration)]
    with (
        (folder / "caddy.log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | own) as process,
    ):
        try:
            _wait_until_taken(port, process, folder / "caddy.log")
            yield port
        finally:
            process.kill()


def _wait_until_taken(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.02)
    raise AssertionError("Caddy takes no connections")


def test_a_check_is_watched_live(tmp_path: Path) -> None:
    program = Program(folder=tmp_path / "service")
    program.folder.mkdir()
    key = program.init()
    inside = tmp_path / "caddy"
    inside.mkdir()
    trust = {"SMARTHOST_TRUSTED_NETWORKS": "127.0.0.1/32, ::1/128"}
    with serving(program, **trust) as service, caddy(inside, service.port) as port:
        connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        watch_a_check(connection, {"Host": f"{HOST}:{port}", "Authorization": key})
