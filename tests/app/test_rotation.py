"""A rotation of the key ring: stored secrets open at every moment, at the end with the new key."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from smarthost.app.parts import Parts, open_parts
from smarthost.app.relays import Relays
from smarthost.app.rotation import Rotated, rotate
from smarthost.config import Config
from smarthost.portals.model import Portal
from smarthost.secret import Secret
from smarthost.smtp_settings.binding.tokens.store import Fetched
from smarthost.smtp_settings.key_ring_file import KeyRingBusyError, KeyRingError, only_rotation
from smarthost.smtp_settings.sealing import key_of
from smarthost.smtp_settings.store import keys_in_use
from tests.app.test_relays import BY, installation
from tests.engines import executing
from tests.processes import injecting, need_tracing, run_python, start_python
from tests.smtp_settings.binding.bindings import REFRESHED
from tests.smtp_settings.relays import CANARY, draft, relay
from tests.webhooks.told import URL

REVISIONS = 120
OPEN = """
import asyncio, sys
from pathlib import Path
from smarthost.app.logs import configure_logs
from smarthost.app.parts import open_parts
from smarthost.app.rotation import rotate
from smarthost.config import load_config
from tests.app.test_relays import BY
from tests.smtp_settings.relays import draft, relay

configure_logs("console", "error")
environ = {"SMARTHOST_DATA_DIR": sys.argv[1], "SMARTHOST_HELO_NAME": "a.example.com"}
config = load_config(environ, working_directory=Path(sys.argv[1]), machine_name=str,
                     stderr_is_terminal=False)

async def main():
    async with open_parts(config, create=False) as parts:
        await work(parts)
"""
ROTATE = (
    OPEN
    + """
async def work(parts):
    await rotate(parts, config.keyring_file, lambda share: None)

asyncio.run(main())
"""
)
# Saves, and opens what it has saved and what the other one has sealed anew.
SAVE = (
    OPEN
    + """
async def work(parts):
    (portal,) = await parts.portals.portals()
    number, opened = 0, 0
    loop = asyncio.get_running_loop()
    stopped = loop.run_in_executor(None, sys.stdin.readline)
    while not stopped.done():
        number += 1
        password = f"secret {number}"
        saved = await parts.settings.save(portal.id, draft(relay(port=number), password), BY)
        for revision in (saved, await parts.settings.revision(portal.id, 1 + number // 2)):
            destination = revision.settings.destination(portal.id)
            secret = parts.key_ring.open(revision.sealed_password, destination)
            assert revision is not saved or secret.reveal() == password
        if number == 5:
            print("saving", flush=True)
    print(number, flush=True)

asyncio.run(main())
"""
)
BLOBS = """
SELECT sealed_password FROM smtp_settings_revisions WHERE sealed_password IS NOT NULL
UNION ALL SELECT sealed_refresh_token FROM oauth2_tokens WHERE sealed_refresh_token IS NOT NULL
UNION ALL SELECT sealed_secret FROM webhooks"""
SEALED = """
SELECT t.name, c.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c
WHERE t.type = 'table' AND c.name LIKE 'sealed%'"""


@asynccontextmanager
async def filled(folder: Path) -> AsyncIterator[tuple[Config, Parts, Portal]]:
    """An installation with a history of passwords and a webhook."""
    async with installation(folder) as (config, parts, portal):
        for number in range(1, REVISIONS + 1):
            await parts.settings.save(portal.id, draft(relay(port=number), CANARY), BY)
        await parts.webhooks.put(portal.id, URL, BY, renew_secret=False)
        yield config, parts, portal


async def rotated(config: Config) -> Rotated:
    """Rotate as another process would."""
    async with open_parts(config, create=False) as parts:
        return await rotate(parts, config.keyring_file, lambda _share: None)


async def assert_all_open(parts: Parts, portal: Portal) -> None:
    for number in range(1, (await parts.settings.current(portal.id)).number + 1):
        revision = await parts.settings.revision(portal.id, number)
        assert revision.settings is not None
        assert revision.sealed_password is not None
        destination = revision.settings.destination(portal.id)
        assert parts.key_ring.open(revision.sealed_password, destination)
    target = await parts.webhook_events.target(portal.id)
    assert target is not None
    assert target.secret is not None


async def keys_of_blobs(parts: Parts) -> set[str]:
    return {key_of(row[0]) for row in await parts.database.fetch(BLOBS)}


async def test_everything_is_under_the_new_key_and_a_running_process_goes_on(
    tmp_path: Path,
) -> None:
    async with filled(tmp_path) as (config, parts, portal):
        before = parts.key_ring.active
        done = await rotated(config)
        assert (done.sealed, done.unreadable) == (REVISIONS + 1, 0)
        assert parts.key_ring.active == done.key_id != before
        assert parts.key_ring.key_ids == {before, done.key_id}
        assert await keys_of_blobs(parts) == {done.key_id}
        assert await keys_in_use(parts.database) == {done.key_id}
        await assert_all_open(parts, portal)
        assert (await rotated(config)).sealed == REVISIONS + 1, "each time with a new key"
        await assert_all_open(parts, portal)


async def test_oauth2_goes_on_under_the_new_key(tmp_path: Path) -> None:
    async with installation(tmp_path) as (config, parts, portal):
        await parts.settings.save(portal.id, draft(), BY)
        await parts.bindings.bind(portal.id, REFRESHED, BY)
        newest = Secret("c4nary-refresh-1")
        await parts.tokens.keep(portal.id, 2, Fetched(at=1, refresh=newest))
        done = await rotated(config)
        assert (done.sealed, done.unreadable) == (3, 0)
        assert await keys_of_blobs(parts) == {done.key_id} == await keys_in_use(parts.database)
        relay = await Relays(parts.settings, parts.tokens, parts.key_ring, config).of(portal.id)
        assert relay.oauth2 is not None
        assert relay.oauth2.secrets.refresh_token == newest


async def test_every_place_that_secrets_are_stored_in_is_known(tmp_path: Path) -> None:
    """A table that is added later, and forgotten here, is found."""
    async with installation(tmp_path) as (_, parts, _portal):
        assert set(await parts.database.fetch(SEALED)) == {
            ("smtp_settings_revisions", "sealed_password"),
            ("oauth2_tokens", "sealed_refresh_token"),
            ("oauth2_authorizations", "sealed_verifier"),
            ("webhooks", "sealed_secret"),
        }


async def test_what_does_not_open_stays_and_its_key_stays_known(tmp_path: Path) -> None:
    async with filled(tmp_path) as (config, parts, _portal):
        before = parts.key_ring.active
        await parts.database.transact(executing("UPDATE webhooks SET url = 'https://b.test/'"))
        done = await rotated(config)
        assert (done.sealed, done.unreadable) == (REVISIONS, 1)
        assert await keys_in_use(parts.database) == {before, done.key_id}
        assert await keys_of_blobs(parts) == {before, done.key_id}


async def test_passwords_are_saved_and_open_while_another_process_rotates(tmp_path: Path) -> None:
    async with filled(tmp_path) as (config, parts, portal):
        saving = [start_python(SAVE, config.data_dir) for _ in range(2)]
        for process in saving:
            assert process.stdout is not None
            assert await asyncio.to_thread(process.stdout.readline) == "saving\n"
        for _ in range(3):
            done = await rotated(config)
        ends = [await asyncio.to_thread(one.communicate, "stop\n", timeout=60) for one in saving]
        assert [errors for _, errors in ends] == ["", ""]
        assert sum(int(output) for output, _ in ends) > 20, "it was a load"
        await assert_all_open(parts, portal)
        assert await keys_of_blobs(parts) <= await keys_in_use(parts.database)
        assert (await parts.settings.current(portal.id)).sealed_password is not None
        last = await parts.database.fetch(
            "SELECT sealed_password FROM smtp_settings_revisions ORDER BY revision DESC LIMIT 1"
        )
        assert key_of(last[0][0]) == done.key_id


@pytest.mark.needs("strace")
@pytest.mark.parametrize(
    "call",
    [
        *("rename:when=1", "fsync:when=2", "fdatasync:when=1", "fdatasync:when=2"),
        *("pwrite64:when=3", "pwrite64:when=12", "pwrite64:when=25"),
    ],
)
async def test_a_kill_anywhere_leaves_every_secret_readable(tmp_path: Path, call: str) -> None:
    need_tracing()
    async with filled(tmp_path) as (config, parts, portal):
        under = injecting(f"{call}:signal=KILL")
        ended = await asyncio.to_thread(run_python, ROTATE, config.data_dir, under=under)
        assert ended.status == -signal.SIGKILL, ended.errors
        await assert_all_open(parts, portal)
        assert await keys_of_blobs(parts) <= await keys_in_use(parts.database)
        done = await rotated(config)
        assert await keys_of_blobs(parts) == await keys_in_use(parts.database) == {done.key_id}
        await assert_all_open(parts, portal)
    left = {path.name for path in (tmp_path / "data").iterdir()}
    assert left <= {"smarthost.db", "keyring.json", "delivery.lock"}


async def test_a_ring_that_cannot_be_changed_changes_nothing(tmp_path: Path) -> None:
    async with filled(tmp_path) as (config, parts, _portal):
        before = await parts.database.fetch(BLOBS)
        with only_rotation(config.keyring_file), pytest.raises(KeyRingBusyError):
            await rotate(parts, config.keyring_file, lambda _share: None)
        ring = config.keyring_file.read_bytes()
        config.keyring_file.write_bytes(b"{}")
        with pytest.raises(KeyRingError, match="damaged"):
            await rotate(parts, config.keyring_file, lambda _share: None)
        config.keyring_file.write_bytes(ring)
        assert await parts.database.fetch(BLOBS) == before


async def test_a_password_is_in_no_file_after_a_rotation(tmp_path: Path) -> None:
    async with filled(tmp_path) as (config, parts, portal):
        await rotated(config)
        webhook = await parts.webhook_events.target(portal.id)
    assert webhook is not None
    assert webhook.secret is not None
    for path in config.data_dir.iterdir():
        content = path.read_bytes()
        assert CANARY.encode() not in content
        assert webhook.secret.reveal().encode() not in content


async def test_without_a_key_mail_stops_and_with_it_all_goes_on(tmp_path: Path) -> None:
    async with filled(tmp_path) as (config, parts, portal):
        older = config.keyring_file.read_bytes()
        await rotated(config)
        newest = config.keyring_file.read_bytes()
        await assert_all_open(parts, portal)
        config.keyring_file.write_bytes(older)
        with pytest.raises(KeyRingError, match="belongs to another installation"):
            async with open_parts(config, create=False):
                pytest.fail("it does not start")
        config.keyring_file.write_bytes(newest)
        async with open_parts(config, create=False) as again:
            await assert_all_open(again, portal)
