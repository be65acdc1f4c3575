"""The real program tells the service manager that its environment names, as systemd's does."""

import socket
from pathlib import Path

from tests.cli.program import Program
from tests.journeys.served import PATIENCE, serving


def test_the_manager_hears_of_start_life_and_stop(program: Program, key: str) -> None:
    address = Path(program.folder, "n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(address))
        manager.settimeout(PATIENCE)
        with serving(program, NOTIFY_SOCKET=str(address), WATCHDOG_USEC="60000000") as service:
            url = service.wait_for("serving")["url"]
            heard = [manager.recv(4096).decode() for _ in range(2)]
            assert heard == [f"READY=1\nSTATUS=Serving at {url}", "WATCHDOG=1"]
            service.stop()
        assert manager.recv(4096) == b"STOPPING=1\nSTATUS=Stopping"
