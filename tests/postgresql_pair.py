"""A PostgreSQL and its synchronous standby, which may take over, and the other way round."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from servers.postgresql import USER
from tests.journeys.sink import until
from tests.postgresql_server import PostgresqlServer

_WAIT_FOR = "ALTER SYSTEM SET synchronous_standby_names = '{names}'"
_WAITS_FOR = "SELECT current_setting('synchronous_standby_names')"
_RELOAD = "SELECT pg_reload_conf()"
_SYNCHRONOUS = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"


class Pair:
    """A primary and its standby; each has a folder by which it is reached, whichever it is."""

    def __init__(self, folder: Path) -> None:
        self._places = [folder / "a", folder / "b"]
        self.primary = _server(None)
        self._places[0].symlink_to(self.primary.folder)
        self.standby = self._follow()

    def url(self, name: str) -> str:
        """Return the URL of a database, which names both."""
        return f"postgresql://{USER}@/{name}?host={','.join(map(str, self._places))}"

    def _follow(self) -> PostgresqlServer:
        """Make a standby in the free place, for which the primary waits from then on."""
        standby = _server(self.primary)
        (free,) = (place for place in self._places if not place.exists())
        free.unlink(missing_ok=True)
        free.symlink_to(standby.folder)
        # From here on, so that the standby waits for none when it has taken over.
        self.wait_for("*")
        until(lambda: self.primary.run_sql(_SYNCHRONOUS) == [(1,)])
        return standby

    def wait_for(self, names: str) -> None:
        """Have every session of the primary that is made from now on wait for these standbys."""
        self.primary.run_sql(_WAIT_FOR.format(names=names), _RELOAD)
        until(lambda: self.primary.run_sql(_WAITS_FOR) == [(names,)])

    def take_over(self) -> None:
        """Have the standby take over; the other one is none from then on."""
        self.standby.promote()
        self.primary, self.standby = self.standby, self.primary

    def renew_standby(self) -> None:
        """Have the one that was replaced follow the one that is the primary now."""
        self.standby.remove()
        self.standby = self._follow()

    def remove(self) -> None:
        self.primary.remove()
        self.standby.remove()


@contextlib.contextmanager
def pair_of_servers() -> Iterator[Pair]:
    """Run both."""
    with tempfile.TemporaryDirectory(prefix="smarthost-pair-") as folder:
        pair = Pair(Path(folder))
        try:
            yield pair
        finally:
            pair.remove()


def _server(standby_of: PostgresqlServer | None) -> PostgresqlServer:
    return PostgresqlServer(
        standby_of=standby_of,
        wal_level="replica",
        max_wal_senders="5",
        # How long a standby without a primary waits before it looks whether it is to take over.
        wal_retrieve_retry_interval="100ms",
    )
