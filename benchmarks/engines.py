"""The two engines as a benchmark sees them: where installations are made, and what they cost.

SQLite is a part of the service's own processes. PostgreSQL is a server that the benchmark starts,
with its files on the disk and with the settings that it has by itself: each commit is flushed
before it is confirmed, as the service asks for.
"""

import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import apsw

from benchmarks.installation import Installation
from benchmarks.process_tree import cpu_seconds, proportional_memory
from servers.postgresql import USER, Server, find_binaries

_NOT_SENT = "SELECT count(*) FROM recipients WHERE state <> 'sent'"
_MESSAGES = "SELECT count(*) FROM messages"
_CONTENT = b"x" * 200
_PAGES = """
SELECT sum(iif(s.tbl_name = 'message_bodies', d.pgsize, 0)),
       sum(iif(s.tbl_name = 'message_bodies', 0, d.pgsize))
FROM dbstat d JOIN sqlite_schema s USING (name)"""
_SIZES = """
SELECT CAST(sum(CASE WHEN relname = 'message_bodies' THEN octets ELSE 0 END) AS BIGINT),
       CAST(sum(CASE WHEN relname = 'message_bodies' THEN 0 ELSE octets END) AS BIGINT)
FROM (SELECT relname, pg_total_relation_size(oid) AS octets FROM pg_class
      WHERE relkind = 'r' AND relnamespace = to_regnamespace('public')) sizes"""
_CONNECTIONS = """
SELECT count(*) - 1 FROM pg_stat_activity
WHERE backend_type = 'client backend' AND datname = current_database()"""
# From PostgreSQL 18 on the flushes are counted elsewhere.
_LOG = """
SELECT CAST(pg_current_wal_insert_lsn() - '0/0' AS BIGINT),
       CAST(coalesce(to_jsonb(w) ->> 'wal_sync', '0') AS BIGINT)
FROM pg_stat_wal w"""


class Disk(NamedTuple):
    """Octets that an installation's tables and indexes take."""

    records: int
    contents: int


class Log(NamedTuple):
    """What the server's write-ahead log has taken since its beginning."""

    octets: int
    flushes: int


class Engine(ABC):
    """Makes installations and looks at them from outside."""

    name: str
    is_shared: bool
    """Whether several nodes may work with it."""
    at_once: Sequence[int] = (1,)
    """How many connections commit at the same time, for bare commits."""

    @abstractmethod
    def installation(self, name: str) -> Installation:
        """Return where a new one is to be made."""

    @abstractmethod
    def commits(self, at_once: int, seconds: int) -> float:
        """Insert rows of 200 octets, each in a transaction; return how many a second."""

    @abstractmethod
    def rows(self, installation: Installation, sql: str) -> Sequence[Sequence[Any]]:
        """Run a statement beside the service."""

    @abstractmethod
    def disk(self, installation: Installation) -> Disk:
        """Return what is taken on the disk, free pages not counted on SQLite."""

    @abstractmethod
    def tidy(self, installation: Installation) -> None:
        """Do what autovacuum would have done by then."""

    def cpu(self) -> float:
        """Return the seconds of CPU of the server, 0 where there is none."""
        return 0.0

    def memory(self) -> float:
        """Return MiB of the server, 0 where there is none."""
        return 0.0

    def connections(self, installation: Installation) -> int:  # noqa: ARG002 - SQLite has none
        """Return how many connections the server has for an installation."""
        return 0

    def log(self) -> Log:
        """Return what the server has logged, nothing where there is none."""
        return Log(octets=0, flushes=0)

    def not_sent(self, installation: Installation) -> int:
        """Return how many recipients have not got their mail."""
        return int(self.rows(installation, _NOT_SENT)[0][0])

    def messages(self, installation: Installation) -> int:
        """Return how many messages there are."""
        return int(self.rows(installation, _MESSAGES)[0][0])


class _Sqlite(Engine):
    """Files of this machine."""

    name = "SQLite"
    is_shared = False

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def installation(self, name: str) -> Installation:
        return Installation(folder=self._folder / f"sqlite-{name}")

    def commits(self, at_once: int, seconds: int) -> float:  # noqa: ARG002 - one can write
        with closing(apsw.Connection(str(self._folder / "commits.db"))) as store:
            store.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
            store.execute("CREATE TABLE IF NOT EXISTS bare (content BLOB)")
            began, done = time.monotonic(), 0
            while time.monotonic() - began < seconds:
                store.execute("INSERT INTO bare VALUES (?)", (_CONTENT,))
                done += 1
            return done / (time.monotonic() - began)

    def rows(self, installation: Installation, sql: str) -> Sequence[Sequence[Any]]:
        with closing(apsw.Connection(str(installation.folder / "smarthost.db"))) as store:
            store.set_busy_timeout(30_000)
            return store.execute(sql).fetchall()

    def disk(self, installation: Installation) -> Disk:
        contents, records = self.rows(installation, _PAGES)[0]
        return Disk(records=records, contents=contents)

    def tidy(self, installation: Installation) -> None:
        self.rows(installation, "ANALYZE")


class Distant(Engine):
    """One that may be further away than it is."""

    @property
    @abstractmethod
    def socket(self) -> Path:
        """Its server's own."""

    @abstractmethod
    def at(self, port: int) -> "Distant":
        """Return the same server behind a port of 127.0.0.1, which leads to its socket."""


class _Postgresql(Distant):
    """A server of this machine, over its socket or by way of a port."""

    name = "PostgreSQL"
    is_shared = True
    at_once = (1, 4, 16)

    def __init__(self, folder: Path, server: Server, port: int | None = None) -> None:
        self._folder = folder
        self._server = server
        self._port = port

    @property
    def socket(self) -> Path:
        return self._server.folder / ".s.PGSQL.5432"

    def at(self, port: int) -> "Distant":
        return _Postgresql(self._folder, self._server, port)

    def installation(self, name: str) -> Installation:
        database = name if self._port is None else f"{name}_{self._port}"
        self._server.run_sql(f"CREATE DATABASE {database}")
        folder = self._folder / f"postgresql-{database}"
        url = self._server.url(database)
        if self._port is not None:
            url = f"postgresql://{USER}@127.0.0.1:{self._port}/{database}?sslmode=disable"
        return Installation(folder=folder, url=url)

    def commits(self, at_once: int, seconds: int) -> float:
        self._server.run_sql("CREATE TABLE IF NOT EXISTS bare (content BYTEA)")
        insert = f"INSERT INTO bare VALUES ('\\x{_CONTENT.hex()}');"
        binaries = find_binaries()
        assert binaries is not None
        to = ("-h", self._server.folder, "-U", USER, "postgres")
        words = (f"-c{at_once}", f"-T{seconds}", "-n", "-Mprepared", "-f-")
        done = subprocess.run(
            [binaries / "pgbench", *words, *to],
            input=insert,
            capture_output=True,
            text=True,
            check=True,
            timeout=seconds + 60,
        )
        return float(done.stdout.rpartition("tps = ")[2].split()[0])

    def rows(self, installation: Installation, sql: str) -> Sequence[Sequence[Any]]:
        return self._server.run_sql(sql, database=_database(installation))

    def disk(self, installation: Installation) -> Disk:
        contents, records = self.rows(
            installation,
            _SIZES,
        )[0]
        return Disk(records=records, contents=contents)

    def tidy(self, installation: Installation) -> None:
        self.rows(installation, "VACUUM ANALYZE")

    def cpu(self) -> float:
        return cpu_seconds(self._server.pid)

    def memory(self) -> float:
        return proportional_memory(self._server.pid)

    def connections(self, installation: Installation) -> int:
        # Who asks is one of them.
        found = self.rows(
            installation,
            _CONNECTIONS,
        )
        return int(found[0][0])

    def log(self) -> Log:
        octets, flushes = self._server.run_sql(_LOG)[0]
        return Log(octets=octets, flushes=flushes)


def _database(installation: Installation) -> str:
    assert installation.url is not None
    return urlsplit(installation.url).path.removeprefix("/")


def need_postgresql() -> None:
    """End the program where PostgreSQL is not installed."""
    if find_binaries() is None:
        sys.exit("This benchmark needs PostgreSQL. Debian has it: apt-get install postgresql")


@contextmanager
def engines(folder: Path) -> Iterator[tuple[Engine, Distant]]:
    """Give both engines, with their files in `folder` or beside it."""
    # Apart, since the server's user has to come through.
    place = Path(tempfile.mkdtemp(prefix="smarthost-benchmark-postgresql-"))
    server = Server(place, {})
    try:
        yield _Sqlite(folder), _Postgresql(folder, server)
    finally:
        server.remove()
