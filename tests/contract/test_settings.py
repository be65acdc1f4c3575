"""SmtpSettingsDto, field by field: what is stored, what is answered, what is refused."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.bodies import LOGIN, OPEN, PASSWORD
from tests.contract.service import SETTINGS, Reply, Service

LONG = "x" * 256
NOTHING_OF_ITS_OWN = {
    "port": 25,
    "credentialsUserPassword": "",
    "enableSSL": False,
    "enableAuth": False,
    "useNtlm": False,
    "isDefaultSettings": True,
}

Save = Callable[..., Reply]


@pytest.fixture
def save(service: Service) -> Save:
    """Sends a save, each from the installation's default on."""
    service.ask("DELETE", SETTINGS, key=service.key)

    def send(body: object = None, **changes: object) -> Reply:
        given = {**OPEN, **changes} if body is None else body
        return service.ask("POST", SETTINGS, given, key=service.key)

    return send


def stored(service: Service) -> Any:
    return service.ask("GET", SETTINGS, key=service.key).json()["response"]


def faults(reply: Reply) -> dict[str, list[str]]:
    assert reply.status == 400, reply.body
    found: dict[str, list[str]] = reply.json()["response"]["errors"]
    assert all(messages and all(messages) for messages in found.values())
    return found


def test_without_settings_of_its_own_a_portal_reads_the_empty_object(
    service: Service, save: Save
) -> None:
    assert stored(service) == NOTHING_OF_ITS_OWN


def test_a_save_answers_what_was_stored_and_a_read_answers_the_same(
    service: Service, save: Save
) -> None:
    answered = save(LOGIN).json()["response"]

    assert answered == {**LOGIN, "credentialsUserPassword": "", "isDefaultSettings": False}
    assert stored(service) == answered


def test_the_least_save_leaves_nulls_out_and_keeps_booleans_and_the_empty_password(
    save: Save,
) -> None:
    assert save(OPEN).json()["response"] == {
        **OPEN,
        "port": 25,
        "credentialsUserPassword": "",
        "enableSSL": False,
        "enableAuth": False,
        "useNtlm": False,
        "isDefaultSettings": False,
    }


def test_a_reset_answers_what_is_in_force_now(service: Service, save: Save) -> None:
    save(LOGIN)

    assert service.ask("DELETE", SETTINGS, key=service.key).json()["response"] == (
        NOTHING_OF_ITS_OWN
    )
    assert stored(service) == NOTHING_OF_ITS_OWN


@pytest.mark.parametrize("port", [1, 25, 587, 65535, "1", "25", "00025", "65535"])
def test_a_port_is_a_number_or_one_to_five_digits_of_text(save: Save, port: object) -> None:
    assert save(port=port).json()["response"]["port"] == int(str(port))


@pytest.mark.parametrize(
    "port",
    [0, -1, 65536, 2**31, 10**30, 25.5, True, "0", "65536", "000025", "", " 25", "25\n", "+25",
     "-25", "2_5", "0x19", "25.0", "\u0662\u0665", "\uff12\uff15", [25], {"port": 25}],
)  # fmt: skip
def test_any_other_port_is_refused(service: Service, save: Save, port: object) -> None:
    assert set(faults(save(port=port))) == {"port"}
    assert stored(service)["isDefaultSettings"]


@pytest.mark.parametrize("body", [b"NaN", b"Infinity", b"1e999", b"1" * 5000])
def test_numbers_beyond_json_are_refused(service: Service, body: bytes) -> None:
    text = b'{"host": "h.example", "senderAddress": "a@h.example", "port": ' + body + b"}"
    headers = {"Content-Type": "application/json"}

    assert service.ask("POST", SETTINGS, text, headers=headers, key=service.key).status == 400


@pytest.mark.parametrize("given", [{"port": None}, {}])
def test_a_port_that_is_null_or_absent_is_stored_as_25(save: Save, given: Any) -> None:
    assert save(**given).json()["response"]["port"] == 25


@pytest.mark.parametrize("host", [None, "", " ", "   ", "\u3000"])
def test_a_host_is_needed_whatever_the_other_fields_say(save: Save, host: object) -> None:
    assert set(faults(save({**LOGIN, "host": host}))) == {"host"}


def test_missing_fields_are_named_as_the_contract_names_them(save: Save) -> None:
    assert set(faults(save({}))) == {"host", "senderAddress"}
    assert set(faults(save({"enableAuth": True}))) == {
        "host", "senderAddress", "credentialsUserName", "credentialsUserPassword",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "host"),
    [
        (" Mail.Example.COM. ", "mail.example.com"),
        ("b\u00fccher.example", "xn--bcher-kva.example"),
        ("192.0.2.1", "192.0.2.1"),
        ("[2001:DB8::1]", "2001:db8::1"),
    ],
)
def test_a_host_is_stored_in_its_one_form(save: Save, typed: str, host: str) -> None:
    assert save(host=typed).json()["response"]["host"] == host


@pytest.mark.parametrize("host", ["smtp://h.example", "h.example:587", "a b", "h\x00.example"])
def test_a_host_that_is_none_is_explained(save: Save, host: str) -> None:
    assert set(faults(save(host=host))) == {"host"}


@pytest.mark.parametrize(
    "field", ["host", "senderAddress", "senderDisplayName", "credentialsUserName"]
)
def test_text_has_at_most_255_characters(save: Save, field: str) -> None:
    assert set(faults(save({**LOGIN, field: LONG}))) == {field}


def test_255_characters_of_name_and_user_are_kept(save: Save) -> None:
    name = "\u00e4" * 255
    reply = save({**LOGIN, "senderDisplayName": name, "credentialsUserName": name})

    assert reply.json()["response"]["senderDisplayName"] == name
    assert reply.json()["response"]["credentialsUserName"] == name


@pytest.mark.parametrize("address", ["a", "a@", "A <a@b.example>", "a@b.example, c@d.example", ""])
def test_a_sender_address_is_one_address(save: Save, address: str) -> None:
    assert set(faults(save(senderAddress=address))) == {"senderAddress"}


@pytest.mark.parametrize("name", [None, ""])
def test_a_display_name_of_null_is_none(save: Save, name: object) -> None:
    assert "senderDisplayName" not in save(senderDisplayName=name).json()["response"]


@pytest.mark.parametrize("control", ["\x00", "\t", "\r", "\n", "\x7f", "\x85", "\u2028"])
@pytest.mark.parametrize(
    "field", ["host", "senderAddress", "senderDisplayName", "credentialsUserName"]
)
def test_control_characters_are_refused_everywhere(save: Save, field: str, control: str) -> None:
    value = f"a{control}b"

    assert set(faults(save({**LOGIN, field: value}))) == {field}


@pytest.mark.parametrize("password", ["a\x00", "a\n", "\x7f", "\x85", "\u00e4" * 501, "x" * 1001])
def test_a_password_has_at_most_1000_octets_and_no_control_character(
    save: Save, password: str
) -> None:
    reply = save({**LOGIN, "credentialsUserPassword": password})

    assert set(faults(reply)) == {"credentialsUserPassword"}
    assert password not in reply.body.decode()


@pytest.mark.parametrize("password", ["\u00e4" * 500, "x" * 1000, " blanks ", "\u2028"])
def test_other_passwords_are_taken_as_they_are(save: Save, password: str) -> None:
    assert save({**LOGIN, "credentialsUserPassword": password}).status == 200
    assert save({**LOGIN, "credentialsUserPassword": ""}).status == 200


@pytest.mark.parametrize("name", [None, "", " "])
def test_a_user_name_is_needed_to_log_in(save: Save, name: object) -> None:
    assert set(faults(save({**LOGIN, "credentialsUserName": name}))) == {"credentialsUserName"}


def test_without_a_login_neither_user_name_nor_password_is_stored(
    service: Service, save: Save
) -> None:
    answered = save({**LOGIN, "enableAuth": False}).json()["response"]

    assert "credentialsUserName" not in answered
    assert not answered["enableAuth"]
    revision = service.run(service.parts.settings.current(service.portal.id))
    assert revision.sealed_password is None
    assert set(faults(save({**LOGIN, "credentialsUserPassword": ""}))) == {
        "credentialsUserPassword"
    }


@pytest.mark.parametrize("field", ["enableSSL", "enableAuth", "useNtlm", "isDefaultSettings"])
@pytest.mark.parametrize("value", ["true", "", 1, 0, None, [], {}, 1.0])
def test_only_true_and_false_are_booleans(save: Save, field: str, value: object) -> None:
    assert set(faults(save({**OPEN, field: value}))) == {field}


@pytest.mark.parametrize("field", ["enableSSL", "useNtlm"])
def test_flags_are_stored_as_sent(save: Save, field: str) -> None:
    assert save(**{field: True}).json()["response"][field] is True


@pytest.mark.parametrize("value", [True, False])
def test_is_default_settings_is_ignored_in_a_request(save: Save, value: bool) -> None:
    assert save(isDefaultSettings=value).json()["response"]["isDefaultSettings"] is False


def test_what_was_read_can_be_sent_back(service: Service, save: Save) -> None:
    save(LOGIN)
    read = stored(service)

    assert save(read).json()["response"] == read


@pytest.mark.parametrize("field", [*LOGIN, "isDefaultSettings"])
@pytest.mark.parametrize("value", [[], {}, ["x"], {"a": 1}])
def test_a_value_of_another_type_is_refused_at_its_field(
    save: Save, field: str, value: object
) -> None:
    assert set(faults(save({**LOGIN, "isDefaultSettings": False, field: value}))) == {field}


@pytest.mark.parametrize(
    "field",
    ["host", "senderAddress", "senderDisplayName", "credentialsUserName",
     "credentialsUserPassword"],
)  # fmt: skip
@pytest.mark.parametrize("value", [1, True, 1.5])
def test_text_is_text(save: Save, field: str, value: object) -> None:
    assert set(faults(save({**LOGIN, field: value}))) == {field}


@pytest.mark.parametrize("change", [str.upper, str.lower, str.title, str.swapcase])
def test_names_match_without_regard_to_ascii_case(
    save: Save, change: Callable[[str], str]
) -> None:
    answered = save({change(name): value for name, value in LOGIN.items()}).json()["response"]

    assert answered == {**LOGIN, "credentialsUserPassword": "", "isDefaultSettings": False}


def test_letters_beyond_ascii_do_not_match(save: Save) -> None:
    # U+017F is an s, and U+212A a k, to full case folding.
    assert set(faults(save({**OPEN, "ho\u017ft": "h.example"}))) == {"ho\u017ft"}


@pytest.mark.parametrize(
    "body",
    [
        b'{"host": "a.example", "host": "b.example", "senderAddress": "a@b.example"}',
        b'{"host": "a.example", "host": "a.example", "senderAddress": "a@b.example"}',
        b'{"host": "a.example", "ho\\u0073t": "b.example", "senderAddress": "a@b.example"}',
    ],
)
def test_the_same_name_twice_is_refused(service: Service, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}

    assert set(faults(service.ask("POST", SETTINGS, body, headers=headers, key=service.key))) == {
        "host"
    }


def test_names_that_differ_in_case_alone_are_the_same_name(save: Save) -> None:
    assert set(faults(save({**OPEN, "HOST": "b.example"}))) == {"HOST"}


def test_an_unknown_field_is_named(save: Save) -> None:
    reply = save({**OPEN, "enableTLS": True, "": 1})

    assert set(faults(reply)) == {"enableTLS", ""}
    assert "enableTLS" in reply.json()["error"]["message"]


def test_an_unknown_name_is_shown_short_and_printable(save: Save) -> None:
    (name,) = faults(save({**OPEN, "\x1b[31m" + "n" * 5000: 1}))

    assert len(name) < 70
    assert name.isprintable()


def test_every_fault_is_told_at_once_by_the_name_that_was_sent(save: Save) -> None:
    found = faults(
        save(
            {
                "HOST": "smtp://x",
                "Port": 0,
                "SenderAddress": "x",
                "senderdisplayname": "a\nb",
                "credentialsUserPASSWORD": "a\x00",
                "enableSsl": "yes",
                "enableAuth": True,
                "UseNTLM": 1,
                "isdefaultsettings": "no",
                "more": 1,
            }
        )
    )

    assert set(found) == {
        "HOST", "Port", "SenderAddress", "senderdisplayname", "credentialsUserPASSWORD",
        "enableSsl", "UseNTLM", "isdefaultsettings", "more", "credentialsUserName",
    }  # fmt: skip


def test_a_field_that_cannot_be_read_is_not_also_a_reason_to_ask_for_the_password(
    save: Save,
) -> None:
    save(LOGIN)
    kept = {**LOGIN, "credentialsUserPassword": ""}

    for wrong in ({"port": "587x"}, {"enableSSL": "true"}, {"useNtlm": 1}, {"host": 5}):
        assert set(faults(save({**kept, **wrong}))) == set(wrong)


@pytest.mark.parametrize(
    "body",
    [b"", b" ", b"null", b"[]", b'"text"', b"1", b"{", b"{'host': 1}", b"\xef\xbb\xbf{}",
     b'{"host": "\xff"}', b'{"host": "\\ud800"}',
     b'{"host": "a\nb"}', '{"host": 1}'.encode("utf-16"),
     b'{"host": 1} {}', b"[" * 60_000, b'{"a":' * 10_000],
)  # fmt: skip
def test_a_body_that_is_no_json_object_in_utf_8_is_refused(service: Service, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    reply = service.ask("POST", SETTINGS, body, headers=headers, key=service.key)

    assert reply.status == 400
    assert reply.json()["error"]["type"] == "badRequest"


def test_a_save_equal_to_the_settings_in_force_makes_no_new_revision(
    service: Service, save: Save
) -> None:
    first = save(LOGIN)
    before = service.run(_saves(service))
    second = save(LOGIN)

    assert (second.status, second.headers["ETag"]) == (200, first.headers["ETag"])
    assert service.run(_saves(service)) == before + 1


async def _saves(service: Service) -> int:
    rows = await service.parts.database.fetch(
        "SELECT count(*) FROM audit_events WHERE portal_id = $1 AND action = 'settings.saved'",
        service.portal.id,
    )
    return int(rows[0][0])


# --- an empty password keeps the stored one for the very same destination alone

KEPT = {**LOGIN, "credentialsUserPassword": ""}


@pytest.mark.parametrize("password", ["", None, "absent"])
def test_an_empty_password_keeps_the_stored_one(
    service: Service, save: Save, password: str | None
) -> None:
    save(LOGIN)
    body = {**LOGIN, "credentialsUserPassword": password, "senderDisplayName": "Another"}
    if password == "absent":
        del body["credentialsUserPassword"]

    assert save(body).status == 200
    assert opened(service) == PASSWORD


@pytest.mark.parametrize(
    "change",
    [
        {"host": "mail2.example.com"},
        {"port": 465},
        {"port": None},
        {"enableSSL": False},
        {"useNtlm": True},
        {"credentialsUserName": "Postman"},
    ],
)
def test_a_password_never_goes_along_to_another_destination(
    service: Service, save: Save, change: dict[str, Any]
) -> None:
    tag = save(LOGIN).headers["ETag"]
    before = stored(service)

    reply = save({**KEPT, **change})

    assert set(faults(reply)) == {"credentialsUserPassword"}
    assert PASSWORD not in reply.body.decode()
    after = service.ask("GET", SETTINGS, key=service.key)
    assert (after.json()["response"], after.headers["ETag"]) == (before, tag)
    assert opened(service) == PASSWORD


def test_the_same_destination_written_differently_is_the_same(save: Save) -> None:
    save(LOGIN)

    assert save({**KEPT, "host": " MAIL.example.com. ", "port": "587"}).status == 200


@pytest.mark.parametrize("between", [{"enableAuth": False}, None])
def test_a_password_that_was_given_up_does_not_come_back(
    service: Service, save: Save, between: dict[str, Any] | None
) -> None:
    save(LOGIN)
    if between is None:
        service.ask("DELETE", SETTINGS, key=service.key)
    else:
        save({**LOGIN, **between})

    assert set(faults(save(KEPT))) == {"credentialsUserPassword"}


def opened(service: Service) -> str:
    revision = service.run(service.parts.settings.current(service.portal.id))
    assert revision.settings is not None
    assert revision.sealed_password is not None
    destination = revision.settings.destination(service.portal.id)
    return service.parts.key_ring.open(revision.sealed_password, destination).reveal()
