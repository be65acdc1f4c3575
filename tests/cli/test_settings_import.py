"""`settings import`: what is shown, asked for and saved. What a file means is tested elsewhere."""

from pathlib import Path

import pytest

from tests.cli.program import ADMIN, Program
from tests.cli.test_settings_check import willing
from tests.contract.relays import running_relay

IMPORT = ("settings", "import")
CANARY = "CANARY-81-password"
LARAVEL = f"""
MAIL_HOST=mail.example.com
MAIL_PORT=587
MAIL_USERNAME=notify
MAIL_PASSWORD="{CANARY}"
MAIL_ENCRYPTION=tls
MAIL_FROM_ADDRESS=notify@example.com
MAIL_FROM_NAME=Shop
MAIL_REPLY_TO_ADDRESS=help@example.com
"""
MASKED = """{"smtpServer": {"host": "mail.example.com", "port": "587", "starttls": "true",
"auth": "true", "user": "notify", "password": "**********", "from": "notify@example.com"}}"""


def written(program: Program, text: str, name: str = ".env") -> str:
    (program.folder / name).write_text(text)
    return name


def test_a_file_is_recognised_shown_and_saved(installed: Program) -> None:
    ended = installed(*IMPORT, written(installed, LARAVEL))
    assert ended.code == 0, ended.err
    assert ended.err.splitlines() == [
        "This is a file of a Laravel application.",
        "- MAIL_REPLY_TO_ADDRESS was left out: each message says by itself where replies go.",
    ]
    assert ended.out.splitlines() == [
        "SETTING\tVALUE",
        "host\tmail.example.com",
        "port\t587",
        "sender address\tnotify@example.com",
        "sender display name\tShop",
        "TLS\trequired",
        "log in\tas notify",
        "password\tknown",
        "Saved as revision 1.",
    ]
    assert CANARY not in ended.out + ended.err
    url = f"smtps://u:{CANARY}@mail.example.com?sender=a@example.com"
    answered = installed(*IMPORT, "-", "--json", typed=url)
    assert answered.json() == installed("settings", "show", "--json").json()
    assert answered.json()["port"] == 465


def test_a_dry_run_needs_no_installation_and_no_password(program: Program) -> None:
    name = written(program, MASKED, "realm.json")
    ended = program(*IMPORT, name, "--dry-run")
    assert (ended.code, "password\tnot known" in ended.out) == (0, True)
    assert "smtpServer.password holds no password" in ended.err
    answer = program(*IMPORT, name, "--dry-run", "--json", "--no-ssl").json()
    assert (answer["host"], answer["enableSSL"]) == ("mail.example.com", False)
    assert not program.data_dir.exists()


def test_a_password_that_is_masked_is_asked_for_and_then_stays(installed: Program) -> None:
    name = written(installed, MASKED, "realm.json")
    refused = installed(*IMPORT, name)
    assert refused.code == 2
    assert "smarthost: smtpServer.password: The password is needed" in refused.err
    ended = installed.at_terminal(*IMPORT, name, answers=(f"{CANARY}\n",))
    assert ended.code == 0, ended.out
    assert ended.out.index("not known") < ended.out.index("Password of notify at mail.example.com")
    assert "Saved as revision 1." in ended.out
    assert CANARY not in ended.out
    assert "Saved as revision 1." in installed(*IMPORT, name).out  # nothing has changed


def test_a_checked_import_is_saved_only_if_it_works(installed: Program) -> None:
    with running_relay(willing) as relay:
        url = f"smtp://u:{CANARY}@127.0.0.1:{relay.port}"
        ended = installed(*IMPORT, "-", "--check", "--sender-address", ADMIN, typed=url)
    assert ended.code == 0, ended.err
    assert "These settings work, and are saved as revision 1." in ended.out
    failed = installed(*IMPORT, "-", "--check", "--sender-address", ADMIN, typed=url)
    assert failed.code == 1
    assert "refused the connection" in failed.out


def test_faults_are_told_by_where_they_are(untouched: Program, tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("EMAIL_HOST=a..b\nEMAIL_PORT=99999\n")
    ended = untouched(*IMPORT, str(file))
    assert (ended.code, ended.out) == (2, "")
    told = [line.split(": ")[1] for line in ended.err.splitlines()[2:]]
    assert told == ["EMAIL_HOST", "EMAIL_PORT", "--sender-address"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((f"smtp://u:{CANARY}@a.test",), "A URL is not typed here"),
        (("-", "--password-stdin"), "give --password-file"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    untouched: Program, arguments: tuple[str, ...], words: str
) -> None:
    ended = untouched(*IMPORT, *arguments, typed="x")
    ended.assert_one_line(2, words)
    assert CANARY not in ended.err


def test_a_file_is_not_typed_where_it_would_be_shown(untouched: Program) -> None:
    ended = untouched.at_terminal(*IMPORT, "-")
    assert ended.code == 2
    assert "would show the password" in ended.out
