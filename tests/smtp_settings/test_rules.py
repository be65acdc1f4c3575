import itertools
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.secret import Secret
from smarthost.smtp_settings.model import (
    Draft,
    InvalidSettingsError,
    SettingsInput,
    SmtpSettings,
)
from smarthost.smtp_settings.rules import NOTHING_STORED, check, same_destination
from tests.smtp_settings.relays import CANARY, OPEN_RELAY, RELAY, checked, relay, typed

CONTROLS = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)]
DIRECTIONAL = list("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def faults(asked: SettingsInput, stored: SmtpSettings | None = None) -> dict[str, list[str]]:
    with pytest.raises(InvalidSettingsError) as caught:
        check(asked, stored)
    assert CANARY not in f"{caught.value!r} {caught.value.faults}"
    return caught.value.faults


def asking(**changes: Any) -> SettingsInput:
    """A login with the password typed, with other values."""
    return msgspec.structs.replace(typed(RELAY, CANARY), **changes)


def test_what_is_right_is_kept_as_it_is() -> None:
    assert check(asking(), None) == Draft(settings=RELAY, password=Secret(CANARY))


def test_the_least_that_may_be_typed_gets_the_defaults() -> None:
    got = check(SettingsInput(host="mail.example.com", sender_address="a@example.com"), None)
    assert got == Draft(
        settings=SmtpSettings(
            host="mail.example.com",
            port=25,
            sender_address="a@example.com",
            sender_display_name=None,
            user_name=None,
            enable_ssl=False,
            enable_auth=False,
            use_ntlm=False,
        ),
        password=None,
    )


@pytest.mark.parametrize(
    ("field", "given_value", "stored"),
    [
        ("host", " Mail.Example.COM. ", "mail.example.com"),
        ("host", "bücher.example", "xn--bcher-kva.example"),
        ("host", "[2001:DB8::0:1]", "2001:db8::1"),
        ("host", "192.0.2.25", "192.0.2.25"),
        ("host", ".".join(["a" * 49] * 5), ".".join(["a" * 49] * 5)),
        ("port", None, 25),
        ("port", 1, 1),
        ("port", 65535, 65535),
        ("sender_address", " notify@EXAMPLE.com ", "notify@example.com"),
        ("sender_address", "jürgen@bücher.example", "jürgen@xn--bcher-kva.example"),
        ("sender_display_name", None, None),
        ("sender_display_name", "", None),
        ("sender_display_name", "   ", None),
        ("sender_display_name", "  Post man ", "Post man"),
        ("sender_display_name", 'Größe, "Dr." <x> \U0001f4e7', 'Größe, "Dr." <x> \U0001f4e7'),
        (
            "sender_display_name",
            "\u0645\u0631\u062d\u0628\u0627",
            "\u0645\u0631\u062d\u0628\u0627",
        ),
        ("sender_display_name", "x" * 255, "x" * 255),
        ("user_name", " DOMAIN\\user ", "DOMAIN\\user"),
        ("user_name", "ü" * 255, "ü" * 255),
        ("enable_ssl", False, False),
        ("use_ntlm", True, True),
    ],
)
def test_a_field_is_stored_in_its_one_form(field: str, given_value: Any, stored: Any) -> None:
    got = check(asking(**{field: given_value}), None)
    assert got.settings == relay(**{field: stored})


@pytest.mark.parametrize(
    ("field", "given_value", "says"),
    [
        *(("host", text, "host name is needed") for text in (None, "", "   ", "\u3000", "\t")),
        ("host", "x" * 256, "at most 255 characters"),
        ("host", "x" * 10_000_000, "at most 255 characters"),
        ("host", "smtp://mail.example.com", "mail.example.com"),
        ("host", "mail.example.com:587", "587"),
        ("host", "two words", "blank"),
        ("host", "mail\n.example.com", ""),
        *(("port", port, "from 1 to 65535") for port in (0, -1, 65536, 2**31, -(2**63))),
        *(("sender_address", text, "address is needed") for text in (None, "", "  ")),
        ("sender_address", "x" * 256, "at most 255 characters"),
        ("sender_address", "no-at-sign", "no @"),
        ("sender_address", "Postman <notify@example.com>", "display name"),
        ("sender_address", "a@example.com, b@example.com", "one"),
        ("sender_display_name", "x" * 256, "at most 255 characters"),
        ("sender_display_name", "x" * 10_000_000, "at most 255 characters"),
        ("sender_display_name", "lone \ud800", "U+D800"),
        ("user_name", None, "needed to log in"),
        ("user_name", "", "needed to log in"),
        ("user_name", "  ", "needed to log in"),
        ("user_name", "x" * 256, "at most 255 characters"),
        ("user_name", "lone \udfff", "U+DFFF"),
        *(("sender_display_name", f"a{c}b", f"U+{ord(c):04X}") for c in CONTROLS + DIRECTIONAL),
        *(("user_name", f"a{c}b", f"U+{ord(c):04X}") for c in CONTROLS + DIRECTIONAL),
        *(("user_name", f"ab{c}", f"U+{ord(c):04X}") for c in "\r\n\t\0"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(
    field: str, given_value: Any, says: str
) -> None:
    started = time.monotonic()
    told = faults(asking(**{field: given_value}))
    assert time.monotonic() - started < 1
    assert list(told) == [field]
    assert says in told[field][0]
    assert all(len(message) < 300 and message.isprintable() for message in told[field])


@pytest.mark.parametrize(
    "password", [" ", "pass word", "x" * 1000, "ü" * 500, "\u2028", "\u200b", "\U0001f511" * 250]
)
def test_a_password_is_taken_as_it_is(password: str) -> None:
    assert check(asking(password=Secret(password)), None).password == Secret(password)


@pytest.mark.parametrize(
    ("password", "says"),
    [
        ("x" * 1001, "at most 1000 octets"),
        ("ü" * 501, "at most 1000 octets"),
        ("x" * 10_000_000, "at most 1000 octets"),
        *((f"a{chr(code)}b", "control character") for code in (*range(0x20), *range(0x7F, 0xA0))),
        ("lone \ud800 surrogate", "control character"),
        ("\udcff", "control character"),
        ("\n", "control character"),
    ],
)
def test_a_password_that_no_relay_can_be_told_is_refused(password: str, says: str) -> None:
    for enable_auth in (True, False):
        told = faults(asking(password=Secret(password), enable_auth=enable_auth))
        assert list(told) == ["password"]
        assert says in told["password"][0]
        assert password not in told["password"][0]


def test_all_faults_are_told_at_once() -> None:
    told = faults(
        SettingsInput(
            host="",
            port=0,
            sender_address="nobody",
            sender_display_name="a\nb",
            user_name="a\tb",
            password=Secret("x" * 1001),
            enable_auth=True,
        )
    )
    assert set(told) == {
        *("host", "port", "sender_address", "sender_display_name", "user_name", "password"),
    }
    assert all(len(messages) == 1 for messages in told.values())


def test_nothing_typed_gets_what_is_needed() -> None:
    assert set(faults(SettingsInput())) == {"host", "sender_address"}
    assert set(faults(SettingsInput(enable_auth=True))) == {
        *("host", "sender_address", "user_name", "password"),
    }


def test_without_a_login_user_name_and_password_are_not_kept() -> None:
    got = check(asking(enable_auth=False), RELAY)
    assert got == Draft(settings=OPEN_RELAY, password=None)
    assert not got.keeps_password


@pytest.mark.parametrize("password", [None, ""])
@pytest.mark.parametrize("stored", [None, OPEN_RELAY])
def test_where_no_password_is_stored_it_is_needed(
    password: str | None, stored: SmtpSettings | None
) -> None:
    told = faults(typed(RELAY, password), stored)
    assert told == {"password": [NOTHING_STORED]}


@pytest.mark.parametrize("password", [None, ""])
def test_the_stored_password_stays_for_the_same_destination(password: str | None) -> None:
    got = checked(relay(sender_display_name="Another", sender_address="b@x.org"), RELAY, password)
    assert got.keeps_password
    assert got.password is None


OTHERS: dict[str, Any] = {
    "host": "mail.example.org",
    "port": 588,
    "enable_ssl": False,
    "use_ntlm": True,
    "user_name": "Notify",
}


@pytest.mark.parametrize("field", OTHERS)
def test_it_does_not_stay_when_one_part_of_the_destination_changes(field: str) -> None:
    other = relay(**{field: OTHERS[field]})
    assert faults(typed(other, None), RELAY) == {"password": [NOTHING_STORED]}
    assert not same_destination(RELAY, other)
    assert checked(other, RELAY, "new").password == Secret("new")


def test_every_field_but_the_sender_is_a_part_of_the_destination() -> None:
    compared = set(SmtpSettings.__struct_fields__) - {
        "sender_address",
        "sender_display_name",
        "oauth2",  # which no save changes but by another secret
    }
    assert compared == {*OTHERS, "enable_auth"}
    assert not same_destination(OPEN_RELAY, RELAY)
    assert not same_destination(None, RELAY)


@pytest.mark.parametrize(
    ("field", "wrong"), [("host", "a:b:c"), ("port", 0), ("user_name", "a\nb"), ("user_name", "")]
)
def test_a_wrong_field_does_not_also_ask_for_the_password(field: str, wrong: Any) -> None:
    asked = msgspec.structs.replace(typed(RELAY, None), **{field: wrong})
    assert list(faults(asked, RELAY)) == [field]


def test_a_wrong_field_beside_a_changed_one_asks_for_the_password_as_well() -> None:
    asked = msgspec.structs.replace(typed(relay(port=588), None), host="a:b:c")
    assert set(faults(asked, RELAY)) == {"host", "password"}


WORDS = st.one_of(
    st.none(),
    st.text(max_size=300),
    st.text(st.characters(exclude_categories=()), max_size=20),
    st.sampled_from(
        ["mail.example.com", "192.0.2.1", "[2001:db8::1]", "a@example.com", "bücher.example"]
    ),
)
INPUTS = st.builds(
    SettingsInput,
    host=WORDS,
    port=st.one_of(st.none(), st.integers(), st.integers(1, 65535)),
    sender_address=WORDS,
    sender_display_name=WORDS,
    user_name=WORDS,
    password=st.one_of(st.none(), WORDS.map(lambda text: Secret(text or ""))),
    enable_ssl=st.booleans(),
    enable_auth=st.booleans(),
    use_ntlm=st.booleans(),
)
STORED = st.sampled_from([None, RELAY, OPEN_RELAY])
PLAIN = st.text(
    st.characters(categories=["L", "N", "P", "S", "Zs"], exclude_characters="\u3000"), max_size=255
)
GOOD_INPUTS = st.builds(
    SettingsInput,
    host=st.sampled_from(["Mail.Example.com.", "192.0.2.1", "[2001:DB8::1]", "bücher.example"]),
    port=st.one_of(st.none(), st.integers(1, 65535)),
    sender_address=st.sampled_from([" a@EXAMPLE.com", '"a b"@x.example', "jürgen@bücher.example"]),
    sender_display_name=PLAIN,
    user_name=PLAIN.map(lambda text: f"u{text}"[:255]),
    password=PLAIN.map(lambda text: Secret(f"p{text}"[:200])),
    enable_ssl=st.booleans(),
    enable_auth=st.booleans(),
    use_ntlm=st.booleans(),
)


@given(INPUTS, STORED)
def test_whatever_is_typed_is_taken_or_its_faults_are_told(
    asked: SettingsInput, stored: SmtpSettings | None
) -> None:
    try:
        check(asked, stored)
    except InvalidSettingsError as error:
        assert error.faults  # noqa: PT017
        assert set(error.faults) <= set(SettingsInput.__struct_fields__)  # noqa: PT017
        for message in itertools.chain(*error.faults.values()):
            assert message.isprintable()
            assert len(message) < 300


@given(GOOD_INPUTS)
def test_what_was_stored_passes_the_rules_again_unchanged(asked: SettingsInput) -> None:
    first = check(asked, None)
    password = first.password.reveal() if first.password else None
    assert checked(first.settings, None, password) == first
    if first.settings.enable_auth:
        kept = checked(first.settings, first.settings, None)
        assert kept.keeps_password
        assert kept.settings == first.settings
