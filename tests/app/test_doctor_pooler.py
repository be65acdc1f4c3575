"""What becomes of PostgreSQL's sessions behind a real PgBouncer, and what `doctor` says of it."""

import contextlib
import os
import pwd
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from smarthost.app.doctor_session import check_session
from smarthost.database.engine import StoreUnavailableError
from smarthost.database.postgresql import PostgresqlDatabase
from smarthost.secret import Secret
from tests.engines import make_database, server
from tests.journeys.proxy import free_port

pytestmark = pytest.mark.needs("postgres", "pgbouncer")

DOCUMENT = Path(__file__).parents[2] / "docs" / "postgresql.md"
PATIENCE = 20.0


def documented(name: str) -> str:
    """Return what the guide says of one of PgBouncer's settings."""
    (value,) = re.findall(rf"^{name} = (.*)$", DOCUMENT.read_text(), re.MULTILINE)
    return str(value)


@contextlib.contextmanager
def pgbouncer(url: str, **settings: str) -> Iterator[str]:
    """Run PgBouncer in front of a database; give the URL that leads through it."""
    parts = urlsplit(url)
    name, port = parts.path.strip("/"), free_port()
    with tempfile.TemporaryDirectory() as folder:
        users, file = Path(folder, "users"), Path(folder, "pgbouncer.ini")
        users.write_text('"smarthost" ""\n')
        lines = {
            "listen_addr": "127.0.0.1",
            "listen_port": port,
            "unix_socket_dir": "",
            "auth_type": "any",
            "auth_file": users,
            **settings,
        }
        where = f"host={parse_qs(parts.query)['host'][0]} user=smarthost"
        text = "\n".join(f"{key} = {value}" for key, value in lines.items())
        file.write_text(f"[databases]\n{name} = {where}\n[pgbouncer]\n{text}\n")
        Path(folder).chmod(0o755)
        under = []
        if os.geteuid() == 0:  # which it refuses to be
            nobody = pwd.getpwnam("nobody")
            ids = (f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups")
            under = [shutil.which("setpriv") or "setpriv", *ids]
        with subprocess.Popen([*under, "pgbouncer", "--quiet", str(file)]) as process:
            try:
                _wait_until_taken(port, process)
                yield f"postgresql://smarthost@127.0.0.1:{port}/{name}"
            finally:
                process.kill()


def _wait_until_taken(port: int, process: "subprocess.Popen[bytes]") -> None:
    stop_at = time.monotonic() + PATIENCE
    while time.monotonic() < stop_at:
        assert process.poll() is None
        with contextlib.suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.02)
    raise AssertionError("PgBouncer takes no connections")


async def said(url: str) -> str:
    """Return what is said of the pooler, or why nothing could be asked."""
    database = PostgresqlDatabase(Secret(url))
    try:
        (_, pooler) = await check_session(database, Secret(url))
    except StoreUnavailableError as error:
        return str(error)
    finally:
        await database.close()
    return f"{'good' if pooler.ok else 'bad'}: {pooler.message}"


async def test_as_it_comes_it_refuses_the_settings_of_sessions(tmp_path: Path) -> None:
    with pgbouncer(make_database(tmp_path), pool_mode="session") as url:
        assert "refuses a session's settings. Of PgBouncer, ask for pool_mode" in await said(url)


async def test_limits_that_it_drops_are_missed_until_the_user_has_them(tmp_path: Path) -> None:
    ignored = documented("ignore_startup_parameters")
    direct = make_database(tmp_path)
    given = {"pool_mode": documented("pool_mode"), "ignore_startup_parameters": ignored}
    with pgbouncer(direct, **given) as url:
        assert "statement_timeout is 0" in await said(url)
    database = urlsplit(direct).path.strip("/")
    settings = re.findall(
        r"^ALTER ROLE smarthost (SET .*);$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE
    )
    of_this = f"ALTER ROLE smarthost IN DATABASE {database}"
    try:
        server().run_sql(*(f"{of_this} {setting}" for setting in settings))
        with pgbouncer(direct, **given) as url:
            assert (await said(url)).startswith("good: ")
    finally:
        server().run_sql(f"{of_this} RESET ALL")


async def test_sessions_that_are_lent_for_a_transaction_are_found(tmp_path: Path) -> None:
    ignored = documented("ignore_startup_parameters")
    with pgbouncer(
        make_database(tmp_path), pool_mode="transaction", ignore_startup_parameters=ignored
    ) as url:
        assert "pool_mode = session" in await said(url)
