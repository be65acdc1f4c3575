"""The service as a process of its own, for what a test does to a whole process.

Its memory can be measured, and its disk taken away.
"""

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import IO

from tests.contract.bodies import LOGIN
from tests.contract.service import SETTINGS, Reply

_PATIENCE = 30.0


@dataclass(frozen=True, kw_only=True)
class Process:
    """A service that runs by itself."""

    pid: int
    port: int
    key: str

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Reply:
        """Send a request with the administrator's key; a body is JSON if nothing is said."""
        given = {"Content-Type": "application/json", "Authorization": self.key}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = HTTPConnection("127.0.0.1", self.port, timeout=_PATIENCE)
        with contextlib.closing(connection):
            connection.request(method, path, body, given)
            response = connection.getresponse()
            return Reply(status=response.status, headers=response.msg, body=response.read())

    def post(self, body: bytes, path: str = SETTINGS, **headers: str) -> tuple[int, bytes]:
        """Return the status and the body of the answer to a `POST`."""
        reply = self.ask("POST", path, body, **headers)
        return reply.status, reply.body

    def peak(self) -> int:
        """Return the octets of memory that were used at most since `forget_peak`."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) * 1024

    def forget_peak(self) -> None:
        Path(f"/proc/{self.pid}/clear_refs").write_text("5", encoding="ascii")


@contextlib.contextmanager
def running_process(folder: Path) -> Iterator[Process]:
    """Start the program as people do, with its data in `folder`, warm it up, and stop it."""
    environment = dict(os.environ) | {
        "SMARTHOST_DATA_DIR": str(folder),
        "SMARTHOST_ADMIN_EMAIL": "admin@example.com",
        "SMARTHOST_HTTP_LISTEN": "127.0.0.1:0",
        "SMARTHOST_HELO_NAME": "smarthost.test",
        "SMARTHOST_LOG_LEVEL": "error",
        "SMARTHOST_RATE_LIMITS": "off",
    }
    command = [sys.executable, "-m", "smarthost", "serve"]
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as running:
        try:
            port, key_file = _announced(running.stdout)
            key = key_file.read_text(encoding="ascii").strip()
            service = Process(pid=running.pid, port=port, key=key)
            for _ in range(50):
                assert service.post(json.dumps(LOGIN).encode())[0] == 200
            yield service
        finally:
            running.terminate()
            running.wait(_PATIENCE)


def _announced(output: IO[str] | None) -> tuple[int, Path]:
    """Return the port and the file of the first key, once the program has told both."""
    told = ""
    for line in output or ():
        told += line
        port = re.search(r"http://127\.0\.0\.1:(\d+)", told)
        key = re.search(r"(/\S+/first-key)$", told, re.MULTILINE)
        if port and key:
            return int(port[1]), Path(key[1])
    raise AssertionError(f"the program did not start: {told}")
