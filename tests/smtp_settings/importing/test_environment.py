"""The files of programs, as their own examples have them."""

import pytest

from smarthost.secret import Secret
from smarthost.smtp_settings.importing.dialects import DIALECTS
from smarthost.smtp_settings.importing.model import Given, Left
from smarthost.smtp_settings.model import SettingsInput
from tests.smtp_settings.importing.files import imported, notes, refusal

LARAVEL = """
APP_NAME="My Shop"
DB_HOST=127.0.0.1
MAIL_MAILER=smtp
MAIL_SCHEME=null
MAIL_HOST=mail.example.com
MAIL_PORT=587
MAIL_USERNAME=notify
MAIL_PASSWORD='p#1'
MAIL_ENCRYPTION=tls
MAIL_FROM_ADDRESS="notify@example.com"
MAIL_FROM_NAME="${APP_NAME}"
"""
DJANGO = """
EMAIL_BACKEND=django.core.mail.backends.smtp.EmailBackend
EMAIL_HOST=mail.example.com
EMAIL_PORT=587
EMAIL_HOST_USER=notify
EMAIL_HOST_PASSWORD=p#1
EMAIL_USE_TLS=True
DEFAULT_FROM_EMAIL=My Shop <notify@example.com>
"""
MASTODON = """
SMTP_SERVER=mail.example.com
SMTP_PORT=587
SMTP_LOGIN=notify
SMTP_PASSWORD=p#1
SMTP_ENABLE_STARTTLS=always
SMTP_AUTH_METHOD=plain
SMTP_FROM_ADDRESS='My Shop <notify@example.com>'
"""
VAULTWARDEN = """
SMTP_HOST=mail.example.com
SMTP_FROM=notify@example.com
SMTP_FROM_NAME=My Shop
SMTP_USERNAME=notify
SMTP_PASSWORD=p#1
SMTP_SECURITY=starttls
SMTP_PORT=587
"""
NEXTCLOUD = """
SMTP_HOST=mail.example.com
SMTP_SECURE=tls
SMTP_PORT=587
SMTP_AUTHTYPE=LOGIN
SMTP_NAME=notify
SMTP_PASSWORD=p#1
MAIL_FROM_ADDRESS=notify
MAIL_DOMAIN=example.com
SMTP_FROM_NAME=My Shop
"""
DISCOURSE = """
DISCOURSE_SMTP_ADDRESS=mail.example.com
DISCOURSE_SMTP_PORT=465
DISCOURSE_SMTP_USER_NAME=notify
DISCOURSE_SMTP_PASSWORD="p#1"
DISCOURSE_SMTP_FORCE_TLS=true
DISCOURSE_NOTIFICATION_EMAIL=notify@example.com
"""
GHOST = """
mail__transport=SMTP
mail__from='My Shop <notify@example.com>'
mail__options__host=mail.example.com
mail__options__port=465
mail__options__secure=true
mail__options__auth__user=notify
mail__options__auth__pass=p#1
"""
FORGEJO = """
FORGEJO__mailer__ENABLED=true
FORGEJO__mailer__PROTOCOL=smtp+starttls
FORGEJO__mailer__SMTP_ADDR=mail.example.com
FORGEJO__mailer__SMTP_PORT=587
FORGEJO__mailer__FROM=My Shop <notify@example.com>
FORGEJO__mailer__USER=notify
FORGEJO__mailer__PASSWD=p#1
"""
SYMFONY = """
APP_ENV=prod
MAILER_DSN=smtp://notify:p%231@mail.example.com:587?require_tls=true&verify_peer=1
"""
DJANGO_URL = """
EMAIL_URL=smtp+tls://notify:p%231@mail.example.com:587
DEFAULT_FROM_EMAIL=My Shop <notify@example.com>
"""
DEFAULT_RELAY = (
    "SMARTHOST_DEFAULT_RELAY_URL=smtp://notify:p%231@mail.example.com:587"
    "?sender=notify@example.com&name=My%20Shop&starttls=required"
)
EXPECTED = SettingsInput(
    host="mail.example.com",
    port=587,
    sender_address="notify@example.com",
    sender_display_name="My Shop",
    user_name="notify",
    password=Secret("p#1"),
    enable_ssl=True,
    enable_auth=True,
)


@pytest.mark.parametrize(
    ("text", "recognised", "fields"),
    [
        (LARAVEL, "a file of a Laravel application", {}),
        (DJANGO, "a file of a Django application", {}),
        (MASTODON, "a file of a program with variables SMTP_…", {}),
        (VAULTWARDEN, "a file of a program with variables SMTP_…", {}),
        (NEXTCLOUD, "a file of a program with variables SMTP_…", {}),
        (DISCOURSE, "a file of Discourse", {"port": 465, "sender_display_name": None}),
        (GHOST, "a file of Ghost", {"port": 465}),
        (FORGEJO, "a file of Forgejo", {}),
        (FORGEJO.replace("FORGEJO", "GITEA"), "a file of Gitea", {}),
        (
            SYMFONY,
            "a file of a Symfony application",
            {"sender_address": None, "sender_display_name": None},
        ),
        (DJANGO_URL, "a file of a Django application", {}),
        (DEFAULT_RELAY, "a file of Smarthost", {}),
    ],
)
def test_the_settings_of_a_program_are_found(
    text: str, recognised: str, fields: dict[str, object]
) -> None:
    found = imported(text)
    assert found.recognised == recognised
    expected = {name: getattr(EXPECTED, name) for name in EXPECTED.__struct_fields__}
    assert found.typed == SettingsInput(**{**expected, **fields})
    assert [note for note in found.notes if "Not read" not in note] == []


def test_where_a_value_was_is_told() -> None:
    assert imported(MASTODON).places == {
        "host": "SMTP_SERVER",
        "port": "SMTP_PORT",
        "user_name": "SMTP_LOGIN",
        "password": "SMTP_PASSWORD",
        "sender_address": "SMTP_FROM_ADDRESS",
    }


def test_the_words_for_nothing_are_nothing() -> None:
    text = "MAIL_HOST=mailpit\nMAIL_PORT=1025\nMAIL_USERNAME=null\nMAIL_PASSWORD=null\n"
    typed = imported(f"{text}MAIL_ENCRYPTION=null\n").typed
    assert (typed.user_name, typed.password, typed.enable_auth) == (None, None, False)
    assert (typed.port, typed.enable_ssl) == (1025, False)
    assert imported("SMTP_HOST=a.test\nSMTP_USER=null\n").typed.user_name == "null"


@pytest.mark.parametrize(
    ("line", "enable_ssl"),
    [
        ("SMTP_SECURITY=force_tls", True),
        ("SMTP_SECURITY=off", False),
        ("SMTP_SECURE=true", True),
        ("SMTP_SECURE=false", False),
        ("SMTP_TLS=true\nSMTP_ENABLE_STARTTLS_AUTO=false", True),
        ("SMTP_ENABLE_STARTTLS=auto", False),
        ("SMTP_ENABLE_STARTTLS=never", False),
        ("SMTP_PORT=465", True),
        ("SMTP_PORT=2465\nSMTP_ENABLE_STARTTLS=auto", True),
        ("", False),
    ],
)
def test_tls_is_required_where_it_was(line: str, enable_ssl: bool) -> None:
    text = f"SMTP_HOST=a.test\n{line}\n"
    assert imported(text).typed.enable_ssl is enable_ssl
    assert ("give --ssl" in notes(text)) is not enable_ssl


def test_a_port_that_begins_tls_in_another_way_is_told() -> None:
    text = "SMTP_HOST=a.test\nSMTP_PORT={}\nSMTP_SECURITY={}"
    assert "from the first octet on ports 465" in notes(text.format(8465, "force_tls"))
    assert "wants STARTTLS" in notes(text.format(465, "starttls"))
    assert notes(text.format(465, "force_tls")) == ""
    assert "so it is 465" in notes("SMTP_HOST=a.test\nSMTP_SECURITY=force_tls")


@pytest.mark.parametrize(
    ("line", "note"),
    [
        ("SMTP_OPENSSL_VERIFY_MODE=none", "SMTP_OPENSSL_VERIFY_MODE was left out: it lets a"),
        ("SMTP_ACCEPT_INVALID_CERTS=true", "SMTP_ACCEPT_INVALID_CERTS was left out"),
        ("SMTP_REPLY_TO=a@b.test", f"SMTP_REPLY_TO was left out: {Left.REPLY_TO}"),
        ("SMTP_CA_FILE=/etc/ca.pem", f"SMTP_CA_FILE was left out: {Left.AUTHORITY}"),
        ("SMTP_DELIVERY_METHOD=sendmail", "does not go out by SMTP there"),
        ("SMTP_PASSWORD_FILE=/run/secrets/smtp", "names another file"),
        ("SMTP_PASSWORD=x", "there is no user name"),
        ("SMTP_USER=u\nSMTP_PASSWORD=********", "SMTP_PASSWORD holds no password"),
        ("SMTP_USER=u\nSMTP_PASSWORD=${SECRET}", "SMTP_PASSWORD holds no password"),
        ("SMTP_USER=u\nSMTP_AUTHENTICATION=xoauth2", "settings oauth2 set"),
        ("SMTP_USER=u\nSMTP_AUTH_METHOD=none", "nobody logs in"),
        ("SMTP_DEBUG=1\nSMTP_COLOR=red", "Not read: SMTP_DEBUG, SMTP_COLOR."),
    ],
)
def test_what_is_left_out_is_told(line: str, note: str) -> None:
    assert note in notes(f"SMTP_HOST=a.test\nSMTP_TLS=1\nSMTP_PORT=587\n{line}\n")


def test_what_changes_nothing_is_not_told() -> None:
    safe = "SMTP_OPENSSL_VERIFY_MODE=peer\nSMTP_ACCEPT_INVALID_CERTS=false\nSMTP_REPLY_TO=\n"
    assert notes(f"SMTP_HOST=a.test\nSMTP_TLS=1\nSMTP_PORT=587\n{safe}") == ""


def test_oauth2_and_a_masked_password_leave_no_password_behind() -> None:
    text = "SMTP_HOST=a.test\nSMTP_USER=u\nSMTP_PASSWORD=***\n"
    assert (imported(text).typed.enable_auth, imported(text).typed.password) == (True, None)
    typed = imported(f"{text}SMTP_AUTH_METHOD=XOAUTH2\n").typed
    assert (typed.enable_auth, typed.user_name) == (False, None)


def test_ntlm_is_kept() -> None:
    text = "SMTP_HOST=a.test\nSMTP_NAME=u\nSMTP_PASSWORD=p\nSMTP_AUTHTYPE=NTLM"
    assert imported(text).typed.use_ntlm is True


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("SMTP_HOST=a.test\nSMTP_SERVER=b.test", "SMTP_HOST and SMTP_SERVER: these say different"),
        ("SMTP_HOST=a.test\nMAIL_HOST=b.test", "MAIL_HOST and SMTP_HOST: these say different"),
        ("MAILER_DSN=smtp://a.test:25\nEMAIL_HOST=a.test\nEMAIL_PORT=26", "EMAIL_PORT: these say"),
        ("SMTP_HOST=a.test\nSMTP_USER=u\nSMTP_LOGIN=U", "SMTP_USER and SMTP_LOGIN: these say"),
        ("SMTP_HOST=a.test\nSMTP_HOST=b.test", "SMTP_HOST: it is there twice"),
        ("SMTP_HOST=a.test\nSMTP_PORT=smtp", "SMTP_PORT: the port is a number"),
        ("SMTP_HOST=a.test\nSMTP_PORT=٢٥", "SMTP_PORT: the port is a number"),
        ("SMTP_HOST=${RELAY}", "SMTP_HOST: this refers to a value that the file does not have"),
        ("SMTP_HOST=a.test\nSMTP_TLS=maybe", "SMTP_TLS: write true or false"),
        ("SMTP_HOST=a.test\nSMTP_SECURITY=much", "SMTP_SECURITY: known are ssl, smtps"),
        ("SMTP_HOST=a.test\nSMTP_FROM=A, B <a@b.test>", "SMTP_FROM: The name before the address"),
        ("SMTP_HOST=a.test\nSMTP_PASSWORD='x", "SMTP_PASSWORD: its quotation mark has no second"),
        ("MAILER_DSN=null://null", "MAILER_DSN: the URL starts with smtp://"),
        ("MAILER_DSN=gmail+smtp://u:p@default", "MAILER_DSN: the URL starts with smtp://"),
        ("MAILER_DSN=smtp://u:p@default", "MAILER_DSN: it names no mail server"),
    ],
)
def test_what_cannot_be_is_a_fault(text: str, fault: str) -> None:
    assert fault in refusal(text)


def test_all_faults_are_told_at_once() -> None:
    text = "SMTP_HOST=${A}\nSMTP_PORT=x\nSMTP_TLS=x\nSMTP_FROM=a b <c>\n"
    assert len(refusal(text).splitlines()) == 4


def test_what_several_programs_say_alike_is_no_contradiction() -> None:
    found = imported("SMTP_HOST=A.test\nSMTP_PORT=25\nMAILER_DSN=smtp://a.test:25\n")
    assert found.recognised == (
        "a file of a Symfony application and a program with variables SMTP_…"
    )
    assert found.typed.port == 25


def test_what_is_given_counts_before_the_file() -> None:
    text = "SMTP_HOST=a.test\nSMTP_PORT=587\nSMTP_FROM=x y <z>\nSMTP_USER=u\nSMTP_PASSWORD=***\n"
    given = Given(
        sender_address="a@b.test", sender_display_name="", password=Secret("p"), enable_ssl=True
    )
    found = imported(text, given)
    assert (found.typed.sender_address, found.typed.sender_display_name) == ("a@b.test", "")
    assert (found.typed.password, found.typed.enable_ssl) == (Secret("p"), True)
    assert found.notes == ()
    assert (
        imported("SMTP_HOST=a.test\nSMTP_TLS=1", Given(enable_ssl=False)).typed.enable_ssl is False
    )


def test_every_mark_of_a_program_is_one_of_its_variables_but_a_name_of_a_provider() -> None:
    for dialect in DIALECTS:
        assert {*dialect.marks} - {*dialect.meanings} <= {"mail__options__service"}
        assert all(name == name.lower() for name in dialect.meanings)
