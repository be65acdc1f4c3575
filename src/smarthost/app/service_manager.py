"""Tells the service manager how far the service is, in the words of sd_notify(3).

systemd then starts what comes after Smarthost once it really serves, shows its address in
`systemctl status`, and starts it anew when its event loop, on which all of it runs, no longer
turns. Where no manager has named a socket, nothing is sent.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from smarthost.clock import MICROSECONDS, Clock

log = structlog.get_logger("smarthost.app")

# A manager that does not read for so long is not waited for.
_PATIENCE_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceManager:
    """Who has started this process, as far as it wants to be told.

    `address` is its datagram socket: a path, or a name in the abstract space behind an `@`; None
    for nobody. `watchdog_seconds` is how long it waits for the next sign of life, None for ever.
    """

    address: str | None = None
    watchdog_seconds: float | None = None

    @asynccontextmanager
    async def following(
        self, url: str, stopped: asyncio.Event, clock: Clock
    ) -> AsyncIterator[None]:
        """Tell that `url` is served, that the loop still turns, and the stop once it is asked."""
        self.tell_serving(url)
        tasks = [asyncio.create_task(self._tell_of_the_stop(stopped))]
        if self.watchdog_seconds is not None:
            tasks.append(asyncio.create_task(self._give_signs(self.watchdog_seconds, clock)))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    def tell_serving(self, url: str) -> None:
        """Tell that `url` is served."""
        self._tell("READY=1", f"STATUS=Serving at {url}")

    def tell_stopping(self) -> None:
        """Tell that the stop was asked for."""
        self._tell("STOPPING=1", "STATUS=Stopping")

    def tell_alive(self) -> None:
        """Give a sign of life."""
        self._tell("WATCHDOG=1")

    async def _tell_of_the_stop(self, stopped: asyncio.Event) -> None:
        await stopped.wait()
        self.tell_stopping()

    async def _give_signs(self, within: float, clock: Clock) -> None:
        # Half of the time, as sd_watchdog_enabled(3) recommends.
        while True:
            self.tell_alive()
            await clock.sleep(within / 2)

    def _tell(self, *assignments: str) -> None:
        if self.address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as telling:
                telling.settimeout(_PATIENCE_SECONDS)
                telling.connect(self._socket_address(self.address))
                telling.send("\n".join(assignments).encode())
        except OSError as error:
            log.warning("service manager not told", what=assignments[0], reason=error.strerror)

    @staticmethod
    def _socket_address(address: str) -> str:
        """Return what the kernel takes: a NUL begins a name in the abstract space (unix(7))."""
        return f"\0{address[1:]}" if address.startswith("@") else address


def manager_of(environ: Mapping[str, str], pid: int) -> ServiceManager:
    """Return the manager that the environment of the process `pid` names.

    The variables are systemd's (sd_notify(3), sd_watchdog_enabled(3)), so they are no settings of
    ours; a watchdog that is meant for another process, or is no number, counts as none.
    """
    microseconds = environ.get("WATCHDOG_USEC", "")
    meant = environ.get("WATCHDOG_PID", str(pid)) == str(pid)
    watched = meant and microseconds.isdecimal() and int(microseconds) > 0
    return ServiceManager(
        address=environ.get("NOTIFY_SOCKET") or None,
        watchdog_seconds=int(microseconds) / MICROSECONDS if watched else None,
    )
