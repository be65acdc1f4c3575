"""Renewed files take effect, bad ones do not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from structlog.testing import capture_logs

from smarthost.certificate.live import LiveCertificate
from tests.authority import Authority
from tests.clocks import FakeClock
from tests.open_files import no_more_files

_PATIENCE = 10.0


class ByHand(FakeClock):
    """Who sleeps is woken by hand."""

    def __init__(self) -> None:
        super().__init__()
        self._wake = asyncio.Event()
        self._asleep = asyncio.Event()

    async def sleep(self, _seconds: float) -> None:
        self._asleep.set()
        await self._wake.wait()
        self._wake.clear()

    async def look(self) -> None:
        """Have the files looked at once; return when that is over."""
        self._wake.set()
        await self.rest()

    async def rest(self) -> None:
        """Return when everybody sleeps again."""
        self._asleep.clear()
        async with asyncio.timeout(_PATIENCE):
            await self._asleep.wait()


@asynccontextmanager
async def watched(authority: Authority) -> AsyncIterator[tuple[LiveCertificate, ByHand]]:
    clock = ByHand()
    live = LiveCertificate(authority.certificate, authority.key, clock)
    watching = asyncio.create_task(live.watch())
    await clock.rest()
    try:
        yield live, clock
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


async def test_a_renewed_certificate_is_taken_at_the_next_look(authority: Authority) -> None:
    authority.issue()
    async with watched(authority) as (live, clock):
        before = live.http_context()
        with capture_logs() as logs:
            authority.issue("renewed.test")
            await clock.look()
        assert [(line["event"], line["names"]) for line in logs] == [
            ("certificate read", ("renewed.test",))
        ]
        assert live.http_context() is not before


async def test_files_that_did_not_change_are_not_read_again(authority: Authority) -> None:
    authority.issue()
    async with watched(authority) as (live, clock):
        context = live.smtp_context()
        await clock.look()
        await clock.look()
        assert live.smtp_context() is context


async def test_a_bad_pair_changes_nothing_and_is_tried_again_when_it_changes(
    authority: Authority,
) -> None:
    authority.issue()
    async with watched(authority) as (live, clock):
        before = live.http_context()
        with capture_logs() as logs:
            authority.ca.issue_cert("x.test").private_key_pem.write_to_path(authority.key)
            await clock.look()
            await clock.look()
        (line,) = logs  # said once, not at every look
        assert "does not belong" in line["reason"]
        assert (live.http_context(), live.up_to_date) == (before, False)
        authority.issue("renewed.test")
        await clock.look()
        assert live.up_to_date
        assert live.http_context() is not before


async def test_a_file_that_becomes_readable_is_read(authority: Authority) -> None:
    authority.issue()
    async with watched(authority) as (live, clock):
        hidden = authority.key.rename(authority.folder / "hidden")
        await clock.look()
        assert not live.up_to_date
        hidden.rename(authority.key)
        await clock.look()
        assert live.up_to_date


async def test_files_that_could_not_be_read_for_a_moment_are_read_later(
    authority: Authority,
) -> None:
    authority.issue()
    async with watched(authority) as (live, clock):
        authority.issue("renewed.test")
        with capture_logs() as logs, no_more_files():
            await clock.look()
            await clock.look()
        assert not live.up_to_date
        assert len(logs) == 1
        with capture_logs() as logs:
            await clock.look()
        assert logs[0]["names"] == ("renewed.test",)
        assert live.up_to_date


async def test_asked_to_it_reads_at_once_and_unchanged_files_too(authority: Authority) -> None:
    authority.issue()
    async with watched(authority) as (live, clock):
        before = live.http_context()
        live.read_again()
        await clock.rest()
        assert live.http_context() is not before


async def test_a_link_that_points_elsewhere_is_a_change(
    authority: Authority, tmp_path: Path
) -> None:
    """As Kubernetes and certbot replace certificates: the files stay, a link on the way moves."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        Authority(folder=tmp_path / name, ca=authority.ca).issue(f"{name}.test")
    linked = tmp_path / "data"
    linked.symlink_to("first")
    async with watched(Authority(folder=linked, ca=authority.ca)) as (_, clock):
        with capture_logs() as logs:
            newer = tmp_path / "newer"
            newer.symlink_to("second")
            newer.replace(linked)
            await clock.look()
    assert logs[0]["names"] == ("second.test",)


def test_what_is_to_be_mended_is_a_warning_in_the_log(authority: Authority) -> None:
    authority.issue()
    authority.key.chmod(0o644)
    with capture_logs() as logs:
        LiveCertificate(authority.certificate, authority.key, FakeClock())
    assert [line["log_level"] for line in logs] == ["info", "warning"]
