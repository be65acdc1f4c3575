"""Snippets are code: what is put in is harmless in each of their languages, or is not put in."""

from pathlib import Path

import pytest

from smarthost.web.pages.snippets import PLACEHOLDER, Ready, SubmissionDoor, Tls, snippets
from smarthost.web.proxies import Client

KEY = "sh_01a20468-4c81-7568-b9c7-f3a45b943b40_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
BY_HTTP = ["curl", "resend"]
PHP = """\
<?php
use PHPMailer\\PHPMailer\\PHPMailer;

require 'vendor/autoload.php';

$mail = new PHPMailer(true);
$mail->isSMTP();
$mail->Host = 'mail.example.com';
$mail->Port = 465;
$mail->SMTPSecure = PHPMailer::ENCRYPTION_SMTPS;
$mail->SMTPAuth = true;
$mail->Username = 'app';
$mail->Password = '{key}';
$mail->setFrom('shop@example.com');
$mail->addAddress('jane@example.com');
$mail->Subject = 'Hello';
$mail->Body = 'It works.';
$mail->send();"""


def made(
    host: str = "mail.example.com:8443",
    door: SubmissionDoor | None = None,
    *,
    sender: str | None = "shop@example.com",
    to: str = "jane@example.com",
) -> Ready:
    client = Client(address="192.0.2.1", scheme="https", host=host)
    return snippets(client, door, key=KEY, sender=sender, to=to)


def text(ready: Ready, name: str) -> str:
    return next(one.text for one in ready.snippets if one.name == name)


def door(tls: Tls, host: str | None = None) -> SubmissionDoor:
    return SubmissionDoor(host=host, port=465 if tls is Tls.IMPLICIT else 587, tls=tls)


def test_without_submission_there_is_what_speaks_http() -> None:
    assert [one.name for one in made().snippets] == BY_HTTP


def test_each_file_is_a_snippet() -> None:
    folder = Path(__file__).parents[3] / "src/smarthost/web/pages/templates/snippets"
    names = {path.stem for path in folder.iterdir()}
    assert {one.name for one in made(door=door(Tls.NONE)).snippets} == names


def test_the_address_is_the_one_that_the_browser_came_by() -> None:
    ready = made(door=door(Tls.STARTTLS))
    assert "curl https://mail.example.com:8443/emails " in text(ready, "curl")
    assert 'EMAIL_HOST = "mail.example.com"\nEMAIL_PORT = 587\n' in text(ready, "django")


def test_a_door_with_a_host_of_its_own_is_named_by_it() -> None:
    ready = made(door=door(Tls.NONE, "127.0.0.1"))
    assert 'smtplib.SMTP("127.0.0.1", 587)' in text(ready, "smtplib")


def test_an_address_of_ipv6_is_in_brackets_where_it_is_part_of_a_url() -> None:
    ready = made("[2001:db8::1]:8443", door(Tls.IMPLICIT))
    assert f"smtps://app:{KEY}@[2001:db8::1]:465" in text(ready, "symfony")
    assert 'host: "2001:db8::1",' in text(ready, "nodemailer")


@pytest.mark.parametrize(
    ("tls", "said"),
    [
        (Tls.NONE, ("", "", "", "smtp:", "tls off")),
        (Tls.STARTTLS, ("USE_TLS", "requireTLS: true", "ENCRYPTION_STARTTLS", "smtp:", "tls on")),
        (Tls.IMPLICIT, ("USE_SSL", "secure: true", "ENCRYPTION_SMTPS", "smtps:", "tls_starttls")),
    ],
)
def test_each_program_is_told_when_tls_begins(tls: Tls, said: tuple[str, ...]) -> None:
    ready = made(door=door(tls))
    names = ("django", "nodemailer", "phpmailer", "symfony", "msmtp")
    for name, words in zip(names, said, strict=True):
        assert words in text(ready, name)
    if tls is Tls.NONE:
        everything = "".join(one.text for one in ready.snippets)
        assert not any(word in everything for word in ("USE_", "TLS:", "secure", "ENCRYPTION"))


def test_what_php_gets() -> None:
    ready = made(door=door(Tls.IMPLICIT))
    assert text(ready, "phpmailer") == PHP.replace("{key}", KEY)
    assert text(ready, "symfony") == f"MAILER_DSN=smtps://app:{KEY}@mail.example.com:465"


@pytest.mark.parametrize(
    "address",
    [
        "o'brien@example.com",
        '"a b"@example.com',
        "a\\@example.com",
        "$(id)@example.com",
        "`id`@example.com",
        "-f@example.com",
        "a@example.com\nb",
        "a@[192.0.2.1]",
        "gr\u00fc\u00dfe@example.com",
        "{{7*7}}@example.com",
        "",
    ],
)
def test_an_address_that_could_be_code_gives_way_to_an_example(address: str) -> None:
    ready = made(door=door(Tls.NONE), sender=address, to=address)
    assert ready.placeholder == PLACEHOLDER
    for one in ready.snippets:
        assert not address or address not in one.text


def test_a_sender_that_is_not_known_gives_way_to_an_example() -> None:
    assert made(sender=None).placeholder == PLACEHOLDER
    assert PLACEHOLDER in text(made(sender=None), "resend")
    assert made().placeholder is None
