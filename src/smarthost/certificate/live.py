"""Keeps the certificate in force the one that is in the files.

The files are looked at every few seconds, since whoever renews certificates tells nobody. A pair
that cannot be used changes nothing: the one before stays in force, one line of the log says why,
and the files are read again at each look, since the reason may pass without any change of theirs.
"""

import asyncio
import ssl
from datetime import datetime
from pathlib import Path

import structlog

from smarthost.certificate.pair import CertificateError, read_pair
from smarthost.clock import Clock, moment

log = structlog.get_logger("smarthost.certificate")

LOOK_SECONDS = 5.0
"""How often the files are looked at."""

_Stamp = tuple[tuple[int, ...] | None, ...]


class LiveCertificate:
    """A certificate in two files, and the contexts that new connections take it from."""

    def __init__(self, certificate: Path, key: Path, clock: Clock) -> None:
        """Read the files. Raises `CertificateError`."""
        self._files = (certificate, key)
        self._clock = clock
        self._asked = asyncio.Event()
        # Before they are read: what changes meanwhile is seen at the next look.
        self._stamp = _stamp(self._files)
        self._pair = read_pair(certificate, key)
        self.up_to_date = True
        """False while the files hold something that cannot be used."""
        self._reason = ""
        self._tell()

    @property
    def not_after(self) -> datetime:
        """When the certificate in force expires."""
        return self._pair.not_after

    def http_context(self) -> ssl.SSLContext:
        """Return what a new HTTP connection is to use: TLS 1.2 or newer, ALPN `http/1.1`."""
        return self._pair.http

    def smtp_context(self) -> ssl.SSLContext:
        """Return what a new SMTP session is to use: TLS 1.2 or newer, no ALPN."""
        return self._pair.smtp

    def read_again(self) -> None:
        """Have the files read now, changed or not, if `watch` runs."""
        self._asked.set()

    async def watch(self) -> None:
        """Follow the files until cancelled."""
        while True:
            await self._rest()
            stamp = await asyncio.to_thread(_stamp, self._files)
            news = self._asked.is_set() or stamp != self._stamp
            if news or not self.up_to_date:
                self._asked.clear()
                self._stamp = stamp
                await self._read(news=news)

    async def _read(self, *, news: bool) -> None:
        try:
            # Off the loop: the files may be on a disk that does not answer.
            self._pair = await asyncio.to_thread(read_pair, *self._files)
        except CertificateError as error:
            self.up_to_date = False
            if news or str(error) != self._reason:
                self._reason = str(error)
                # No traceback: the reason says it all.
                log.error("certificate not taken; the one before stays", reason=self._reason)  # noqa: TRY400
        else:
            self.up_to_date = True
            self._tell()

    def _tell(self) -> None:
        pair = self._pair
        log.info("certificate read", names=pair.names, not_after=pair.not_after.isoformat())
        for warning in pair.warnings(moment(self._clock.now())):
            log.warning("certificate", reason=warning)

    async def _rest(self) -> None:
        waits = (
            asyncio.ensure_future(self._asked.wait()),
            asyncio.ensure_future(self._clock.sleep(LOOK_SECONDS)),
        )
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()


def _stamp(files: tuple[Path, ...]) -> _Stamp:
    """Return something that is another when a file, or a link on the way to it, was changed."""
    return tuple(map(_stamp_of, files))


def _stamp_of(file: Path) -> tuple[int, ...] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    # The time of the change counts too: what was unreadable may just have got another mode.
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
