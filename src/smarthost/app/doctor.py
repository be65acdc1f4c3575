"""Looks an installation over and says what is wrong with it and what to do, changing nothing.

One function a check, each of which gives findings and raises nothing that can be expected. What
depends on something broken is left out: a missing database has one finding, not five.
"""

import os
from collections.abc import Callable

from smarthost.app.doctor_file import check_database, check_disk
from smarthost.app.doctor_network import check_network
from smarthost.app.doctor_server import check_server, check_server_database, check_use
from smarthost.app.finding import Finding, bad, good
from smarthost.app.identity import issuer_client
from smarthost.app.opening import open_database
from smarthost.app.restored import CANCEL, RELEASE
from smarthost.audit.reading.store import AuditReader
from smarthost.clock import MICROSECONDS, Clock, moment
from smarthost.config import Config, ConfigError
from smarthost.database.backup_mark import marked_at
from smarthost.database.engine import Database, StoreUnavailableError
from smarthost.identity.key_cache import fetch_keys
from smarthost.identity.keys import BadIssuerError
from smarthost.mail_queue.overview.store import Overview
from smarthost.smtp.egress import SystemResolver
from smarthost.smtp_settings.binding.sealing import opened
from smarthost.smtp_settings.key_ring_file import KeyRingError, load_key_ring
from smarthost.smtp_settings.overview.store import in_force
from smarthost.smtp_settings.sealing import KeyRing, SealBrokenError
from smarthost.smtp_settings.store import keys_in_use

_FIRST_RELEASE = 1_793_491_200 * MICROSECONDS
"""2026-11-01; a clock before this was never set."""


async def examine(read_config: Callable[[], Config], clock: Clock) -> list[Finding]:
    """Return the findings of all checks; without a valid configuration only its faults."""
    try:
        config = read_config()
    except ConfigError as error:
        return [bad("configuration", str(fault)) for fault in error.faults]
    return [
        good("configuration", "Every setting is valid."),
        check_data_directory(config),
        *(check_disk(config.database_file) if config.database_url is None else ()),
        *await check_store(config, clock),
        check_helo_name(config),
        *await check_network(config, clock),
        *await check_issuer(config),
    ]


def check_data_directory(config: Config) -> Finding:
    """Look whether the directory is there, ours to write, and nobody else's."""
    folder = config.data_dir
    try:
        # `.` is found only by who may enter the folder.
        mode = os.stat(os.path.join(folder, os.curdir)).st_mode  # noqa: PTH116, PTH118
    except (FileNotFoundError, NotADirectoryError):
        return bad("data directory", f"{folder} is missing. `smarthost init` makes it.")
    except OSError as error:
        message = f"{folder} cannot be entered: {error.strerror}."
        return bad("data directory", f"{message} Run this as the user that runs Smarthost.")
    if not os.access(folder, os.W_OK | os.X_OK):
        message = f"{folder} cannot be written. Give the user that runs Smarthost write access."
        return bad("data directory", message)
    if mode & 0o022:
        message = f"Other users can replace what is in {folder}. Type: chmod go-w '{folder}'"
        return bad("data directory", message)
    return good("data directory", f"{folder} is there and can be written.")


async def check_store(config: Config, clock: Clock) -> list[Finding]:
    """Open the database as it is, and look at what it holds."""
    path = config.database_file
    try:
        if config.database_url is None and not path.exists():
            return [bad("database", f"There is no database {path}. `smarthost init` makes it.")]
        database, _ = open_database(config)
    except OSError as error:
        return [bad("database", f"{path} is out of reach: {error.strerror}.")]
    except StoreUnavailableError as error:
        return [bad("database", str(error))]
    try:
        if config.database_url is None:
            findings = [await check_database(database, path)]
        else:
            findings = [
                await check_server_database(database),
                *await check_server(database, config.database_url, clock),
            ]
        if findings[0].ok:
            if config.database_url is not None:
                findings += await check_use(database)
            findings.append(await check_restored_mail(database))
            findings += await check_key_ring(config, database)
            findings.append(await check_clock(database, clock))
    except StoreUnavailableError as error:
        return [bad("database", str(error))]
    finally:
        await database.close()
    return findings


async def check_restored_mail(database: Database) -> Finding:
    """Look whether the database is a back-up, or mail waits for a person since it was one."""
    taken_at = await marked_at(database)
    if taken_at is not None:
        return good(
            "restored mail",
            f"This is a back-up of {moment(taken_at):%Y-%m-%d %H:%M} UTC, not opened yet: the "
            "first start holds all mail that waited then.",
        )
    held = sum((await Overview(database).restored()).values())
    if held:
        return bad(
            "restored mail",
            f"Held since it comes out of a back-up, and may have been sent since: mail for {held} "
            f"recipients. Type: {RELEASE}, or to forget it: {CANCEL}",
        )
    return good("restored mail", "No mail is held that comes out of a back-up.")


async def check_key_ring(config: Config, database: Database) -> list[Finding]:
    """Look whether the ring loads, has every key that was used, and opens every password."""
    path = config.keyring_file
    try:
        ring = load_key_ring(path)
    except KeyRingError as error:
        return [bad("key ring", f"{error} Set SMARTHOST_KEYRING_FILE, or restore it.")]
    if missing := sorted(await keys_in_use(database) - ring.key_ids):
        words = f"{path} lacks keys that this database needs: {', '.join(missing)}."
        return [bad("key ring", f"{words} Restore the file that has them.")]
    return [
        good("key ring", f"{path} has every key that this database needs."),
        await check_stored_passwords(database, ring),
    ]


async def check_stored_passwords(database: Database, ring: KeyRing) -> Finding:
    """Open the password of every portal's settings in force."""
    whole, broken = 0, []
    async for one in in_force(database):
        revision = one.revision
        if revision.settings is None or revision.sealed_password is None:
            continue
        try:
            opened(ring, revision.sealed_password, revision.settings, revision.portal_id)
            whole += 1
        except SealBrokenError:
            broken.append(one.portal_name)
    if broken:
        words = f"{len(broken)} of {whole + len(broken)} stored passwords do not open"
        return bad(
            "stored passwords",
            f"{words} (the first: portal {min(broken)}). Save those portals' passwords again.",
        )
    return good("stored passwords", f"All that are in force open: {whole}.")


async def check_issuer(config: Config) -> list[Finding]:
    """Look whether the OpenID Connect issuer, if there is one, publishes keys that can be used."""
    if config.open_id_connect is None:
        return []
    url = config.open_id_connect.issuer
    try:
        keys = await fetch_keys(url, issuer_client(SystemResolver()))
    except BadIssuerError as error:
        words = f"{url} has no keys for us: {error} Nobody new can sign in with its tokens."
        return [bad("OpenID Connect", words)]
    return [good("OpenID Connect", f"{url} describes itself and has keys for us: {len(keys)}.")]


async def check_clock(database: Database, clock: Clock) -> Finding:
    """Look whether the clock was ever set, and whether it has gone back since the last change."""
    now = clock.now()
    if now < _FIRST_RELEASE:
        return bad("clock", "The machine's clock was never set. Set it, or start its NTP client.")
    last = await AuditReader(database).last_at()
    behind = 0 if last is None else last - now
    if behind > 0:
        return bad(
            "clock",
            f"The last change was recorded {behind // MICROSECONDS} seconds in the future. Set "
            "the machine's clock, or start its NTP client.",
        )
    return good("clock", "The machine's clock is not behind any recorded change.")


def check_helo_name(config: Config) -> Finding:
    """Look whether there is a name to give to relays in EHLO (RFC 5321, section 4.1.1.1)."""
    if config.helo_name is None:
        return bad(
            "EHLO name",
            "This machine has no full domain name. Set SMARTHOST_HELO_NAME to the one that the "
            "DNS has for its address, or relays may refuse its mail.",
        )
    return good("EHLO name", f"Relays are told {config.helo_name}.")
