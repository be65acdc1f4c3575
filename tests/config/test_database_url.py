"""Where the store is, as an operator writes it: a file, or a server."""

from pathlib import Path

import pytest

from smarthost.config.database_url import parse_database
from smarthost.config.faults import InvalidValueError
from smarthost.secret import Secret


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("sqlite:///mail.db", "mail.db"),
        ("sqlite:///data/mail.db", "data/mail.db"),
        ("sqlite:////srv/mail.db", "/srv/mail.db"),
        ("SQLite:////srv/my%20mail%3f.db", "/srv/my mail?.db"),
    ],
)
def test_a_database_url_names_an_sqlite_file(text: str, path: str) -> None:
    assert parse_database(text) == Path(path)


@pytest.mark.parametrize(
    "text",
    [
        "mail.db",
        "/srv/mail.db",
        "sqlite:mail.db",
        "sqlite://",
        "sqlite:///",
        "sqlite:////",
        "sqlite://host/c4n4ry.db",
        "sqlite:///:memory:",
        "sqlite:///c4n4ry/",
        "sqlite:///c4n4ry.db?mode=ro",
        "sqlite:///c4n4ry.db#x",
        "sqlite:///c4n4ry%00.db",
        "sqlite:///c4n4ry%ff.db",
        "mysql://user:c4n4ry@host/db",
    ],
)
def test_anything_else_is_no_database_url_and_is_not_repeated(text: str) -> None:
    with pytest.raises(InvalidValueError, match="is not the URL of an SQLite file") as caught:
        parse_database(text)
    assert "c4n4ry" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://host/smarthost",
        "postgres://user@host:5433/smarthost",
        "PostgreSQL://user:p%40ss@[::1]:5432/smarthost?sslmode=verify-full",
        "postgresql://user:c4n4ry@one,two:5433/mail?target_session_attrs=primary",
        "postgresql://one,two,three/mail",
        "postgresql://one,[::1]:5433/mail?target_session_attrs=read-write",
        "postgresql:///smarthost?host=/run/postgresql",
        "postgresql:///smarthost?host=one,two&port=5433",
        "postgresql://user:c4n4ry@/smarthost?host=one,two&port=5433",
        "postgresql:///smarthost?host=one,two&port=5433,5434&target_session_attrs=any",
    ],
)
def test_a_database_url_names_a_server_and_stays_a_secret(text: str) -> None:
    parsed = parse_database(text)
    assert isinstance(parsed, Secret)
    assert parsed.reveal() == text
    assert "c4n4ry" not in repr(parsed)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("postgresql://user:c4n4ry@host", "name of one database"),
        ("postgresql://user:c4n4ry@host/a/b", "name of one database"),
        ("postgresql://user:c4n4ry#1@host/db", "a # or a %"),
        ("postgresql://user:c4n4ry%@host/db", "a # or a %"),
        ("postgresql://user:c4n4ry@2@host/db", "an @ too many"),
        ("postgresql://user:c4n4ry?1@host/db", "is not the URL|name of one database"),
        ("postgresql://user:c4n4ry@host/db?c4n4ry=1&ssl=on", "2 of its options are none of"),
        ("postgresql://user:c4n4ry/1@host/db", "an @ too many"),
        ("postgresql://user:c4n4ry/1@host", "an @ too many"),
        ("postgresql://user:1234/c4n4ry@host", "an @ too many"),
        ("postgresql://user:c4n4ry/db", "is no port"),
        ("postgresql://host,other:c4n4ry/db", "is no port"),
        ("postgresql://host,other,/c4n4ry", "a comma too many"),
        ("postgresql:///c4n4ry?host=one,,two", "a comma too many"),
        ("postgresql:///c4n4ry?host=one,two&port=1,2,3", "port is one number"),
        ("postgresql:///db?host=one&port=c4n4ry", "port is one number"),
        ("postgresql://one,two/db?port=5433,5434", "write host:port there"),
        ("postgresql://one,two/db?port=5433", "write host:port there"),
        ("postgresql://user:c4n4ry@one:5433/db?port=5434", "write host:port there"),
        ("postgresql://user:c4n4ry@localhost/db?host=/run/mail", "write host:port there"),
        ("postgresql://one,two/db?target_session_attrs=c4n4ry", "the server that takes changes"),
        ("postgresql://one,two/db?target_session_attrs=standby", "the server that takes changes"),
        ("postgresql://[user:c4n4ry@host/db", "is not the URL of a server"),
        ("postgresql+asyncpg://user:c4n4ry@host/db", "starts with postgresql://"),
        ("postgresql:c4n4ry", "starts with postgresql://"),
    ],
)
def test_what_is_wrong_with_the_url_of_a_server_is_told_without_its_password(
    text: str, said: str
) -> None:
    with pytest.raises(InvalidValueError, match=said) as caught:
        parse_database(text)
    assert "c4n4ry" not in str(caught.value)
