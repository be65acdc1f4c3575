"""The service as a process of its own, for what a test does to a whole process.

Its memory can be measured, and its disk taken away.
"""

import contextlib
import re
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

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
