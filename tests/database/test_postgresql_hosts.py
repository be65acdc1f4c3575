"""Which servers a URL names, and by which names they are told."""

import pytest

from smarthost.database.postgresql_hosts import Host, hosts_of, names_of
from smarthost.secret import Secret


@pytest.mark.parametrize(
    ("place", "hosts", "names"),
    [
        ("one/mail", [("one", None)], "one"),
        ("me:c4n4ry@one:5433/mail", [("one", 5433)], "one:5433"),
        ("one,two:5433/mail", [("one", None), ("two", 5433)], "one,two:5433"),
        (
            "me@[::1]:5433,[fe80::2]/mail",
            [("::1", 5433), ("fe80::2", None)],
            "[::1]:5433,[fe80::2]",
        ),
        ("one/mail?host=two&port=7", [("one", None)], "one"),
        ("%2Frun%2Fa/mail", [("/run/a", None)], "this machine"),
        ("/mail", [("", None)], "this machine"),
        ("/mail?host=/run/a&port=5433", [("/run/a", 5433)], "this machine"),
        ("/mail?host=/run/a,/run/b", [("/run/a", None), ("/run/b", None)], "/run/a,/run/b"),
        ("/mail?host=one,two&port=7", [("one", 7), ("two", 7)], "one:7,two:7"),
        ("me@/mail?host=one,two&port=7,8", [("one", 7), ("two", 8)], "one:7,two:8"),
    ],
)
def test_every_server_of_a_url_is_known(
    place: str, hosts: list[tuple[str, int | None]], names: str
) -> None:
    found = hosts_of(Secret(f"postgresql://{place}"))
    assert found == tuple(Host(*one) for one in hosts)
    assert names_of(found) == names
