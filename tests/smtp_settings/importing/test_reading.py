"""What is recognised, and that nothing that is not ends in anything but a designed refusal."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from smarthost.smtp_settings.importing.dialects import DIALECTS
from smarthost.smtp_settings.importing.keycloak import KEYCLOAK
from smarthost.smtp_settings.importing.model import Given, NotImportableError
from smarthost.smtp_settings.importing.reading import LARGEST_REALM, LARGEST_TEXT, read_settings
from smarthost.smtp_settings.importing.url import URL_OPTIONS
from smarthost.smtp_settings.model import InvalidSettingsError
from smarthost.smtp_settings.rules import check
from tests.smtp_settings.importing.files import imported, refusal

NAMES = sorted({name for dialect in DIALECTS for name in dialect.meanings})
CANARY = "CANARY-55"
VALUES = st.one_of(
    st.sampled_from(
        ["true", "false", "tls", "none", "587", "465", "a.test", "a@b.test", "${X}", "null", "***"]
    ),
    st.text(max_size=20),
)
LINES = st.lists(st.tuples(st.sampled_from(NAMES), VALUES), max_size=8)


def read(octets: bytes) -> None:
    """Read anything: settings to be checked, or a refusal; no word holds the secret."""
    said: list[str] = []
    try:
        found = read_settings(octets, Given())
        said += [found.recognised, *found.notes, *found.places.values()]
        check(found.typed, None, unread=frozenset({"password"}))
    except NotImportableError as error:
        said += error.faults
    except InvalidSettingsError as error:
        said += error.faults
    assert said
    assert CANARY not in " ".join(said)


@pytest.mark.parametrize(
    "text", ["", "\n", "# nothing", "A=b", "hello", "DB_HOST=a", "MAIL_HOST="]
)
def test_what_nobody_knows_is_refused_with_what_can_be_read(text: str) -> None:
    assert "nothing that can be imported: a URL smtp://…" in refusal(text)


def test_what_is_no_text_is_refused() -> None:
    assert refusal(b"\xff\xfe") == "This is not UTF-8 text."


def test_what_is_too_large_is_refused() -> None:
    assert "may have 64 KiB" in refusal("A=b\n" * (LARGEST_TEXT // 4) + "B")
    assert "may have 4096 KiB" in refusal("[" + " " * LARGEST_REALM)
    users = json.dumps([{"username": "x" * 50}] * 3_000)
    realm = f'{{"users": {users}, "smtpServer": {{"host": "a.test"}}}}'
    assert len(realm) > LARGEST_TEXT
    assert imported(realm).typed.host == "a.test"


@given(st.binary(max_size=200))
def test_any_octets_are_settings_or_a_refusal(octets: bytes) -> None:
    read(octets)


@given(LINES)
def test_any_variables_are_settings_or_a_refusal(lines: list[tuple[str, str]]) -> None:
    text = "".join(f"{name}={value}\n" for name, value in lines)
    read(f"{text}SMTP_PASSWORD={CANARY}\n".encode())


@given(st.text(max_size=20), st.sampled_from(sorted(URL_OPTIONS)), VALUES)
def test_any_url_is_settings_or_a_refusal(rest: str, option: str, value: str) -> None:
    read(f"smtp://u:{CANARY}{rest}@a.test?{option}={value}".encode())


@given(
    st.dictionaries(
        st.sampled_from(sorted(KEYCLOAK)),
        st.one_of(VALUES, st.booleans(), st.none(), st.integers(), st.lists(st.text(max_size=3))),
    ),
    st.booleans(),
)
@example({"host": "a\ud800.test", "user": "\ud800", "from": "\udfff"}, True)
def test_any_realm_is_settings_or_a_refusal(server: dict[str, object], whole: bool) -> None:
    server = {**server, "password": CANARY}
    read(json.dumps({"smtpServer": server} if whole else server).encode())
