"""What the page of API keys gives out to be copied works as it is: each snippet sends an e-mail.

The key is made on the page, the text is taken out of it, and the program that it is for runs it.
The mail arrives behind a real Postfix. Nothing is added but whom to trust, since the authority of
a test is none of the machine's, and what uses a configuration.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from email import message_from_bytes
from email.policy import SMTP
from pathlib import Path
from urllib.parse import urlencode

import pytest

from smarthost.web.auth import COOKIE
from tests.authority import Authority
from tests.cli.program import ADMIN
from tests.contract.service import AUTHENTICATION
from tests.journeys.mail_clients import Tls
from tests.journeys.postfix import DOMAIN, Postfix, folder_for_postfix, postfix, without_trace
from tests.journeys.served import Served, serving
from tests.journeys.sink import PATIENCE
from tests.journeys.submission import House, opened
from tests.web.pages.visitor import text_by_id

pytestmark = pytest.mark.needs("postfix", "saslpasswd2")

SENDER = f"shop@{DOMAIN}"
PASSWORD = "correct horse battery staple"
NODEMAILER = Path(__file__).parent / "nodemailer"
LETTER = f"From: {SENDER}\nTo: {ADMIN}\nSubject: Hello\n\nIt works.\n"
DJANGO = f"""
import django.conf, django.core.mail
names = [name for name in globals() if name.isupper()]
django.conf.settings.configure(**{{name: globals()[name] for name in names}})
django.core.mail.send_mail("Hello", "It works.", None, ["{ADMIN}"])
"""
DEBIANS_PHPMAILER = "<?php require '/usr/share/php/libphp-phpmailer/autoload.php';"
SYMFONY = f"""<?php
require '/usr/share/php/Symfony/Component/Mailer/autoload.php';
$dsn = parse_ini_file('.env', false, INI_SCANNER_RAW)['MAILER_DSN'];
$mail = (new Symfony\\Component\\Mime\\Email())
  ->from('{SENDER}')->to('{ADMIN}')->subject('Hello')->text('It works.');
Symfony\\Component\\Mailer\\Transport::fromDsn($dsn)->send($mail);
"""


@dataclass(frozen=True, kw_only=True)
class Desk:
    relay: Postfix
    snippets: dict[Tls, dict[str, str]]
    ca_file: Path


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One installation with a service for each kind of TLS, and what their pages give out."""
    authority = Authority(folder=tmp_path_factory.mktemp("tls"))
    authority.issue()
    starttls = {"SMARTHOST_HTTP_TLS": "off", **authority.settings()}
    implicit = {"SMARTHOST_SUBMISSION_TLS_LISTEN": "127.0.0.1:0", **starttls}
    with ExitStack() as stack:
        folder = stack.enter_context(folder_for_postfix())
        relay = stack.enter_context(postfix(folder, "127.0.0.1", {"relay": {}}))
        house = stack.enter_context(opened(tmp_path_factory.mktemp("smarthost")))
        house.application.save(relay.services["relay"][1], SENDER)
        others = [
            stack.enter_context(serving(house.program, **environ))
            for environ in (starttls, implicit)
        ]
        session = sign_in(house)
        snippets = {
            tls: given_out(service, session, tls)
            for tls, service in zip(Tls, [house.service, *others], strict=True)
        }
        yield Desk(relay=relay, snippets=snippets, ca_file=authority.ca_file)


def sign_in(house: House) -> str:
    line = ("user", "password", ADMIN, "--password-stdin")
    assert house.program(*line, typed=f"{PASSWORD}\n").code == 0
    body = {"userName": ADMIN, "password": PASSWORD}
    answer = house.application.ask("POST", AUTHENTICATION, body)
    return str(answer.json()["response"]["token"])


def given_out(service: Served, session: str, tls: Tls) -> dict[str, str]:
    """Make a key on the page; return the text of each snippet."""
    made = service.client(key="").ask(
        "POST",
        "/keys",
        urlencode({"name": tls.name, "permission": "send", "after": ""}).encode(),
        # As a browser names the service that is on its own machine.
        Host=f"localhost:{service.port}",
        Cookie=f"{COOKIE}={session}",
        Content_Type="application/x-www-form-urlencoded",
        Sec_Fetch_Site="same-origin",
    )
    assert made.status == 200, made.body
    texts = text_by_id(made.body).items()
    return {
        name.removeprefix("snippet-"): text for name, text in texts if name.startswith("snippet-")
    }


def curl(_folder: Path, text: str, _ca_file: Path) -> list[str]:
    return ["sh", "-c", f"set -e\n{text}"]


def python(_folder: Path, text: str, _ca_file: Path) -> list[str]:
    return [sys.executable, "-W", "error", "-c", text]


def django(folder: Path, text: str, ca_file: Path) -> list[str]:
    return python(folder, text + DJANGO, ca_file)


def nodemailer(folder: Path, text: str, _ca_file: Path) -> list[str]:
    modules = NODEMAILER / "node_modules"
    if not modules.exists():
        pytest.skip("needs Nodemailer, which scripts/test installs")
    (folder / "node_modules").symlink_to(modules)
    (folder / "send.mjs").write_text(text, encoding="utf-8")
    return ["node", "send.mjs"]


def phpmailer(folder: Path, text: str, ca_file: Path) -> list[str]:
    (folder / "vendor").mkdir()
    (folder / "vendor/autoload.php").write_text(DEBIANS_PHPMAILER, encoding="utf-8")
    (folder / "send.php").write_text(text, encoding="utf-8")
    return php(ca_file, "send.php")


def symfony(folder: Path, text: str, ca_file: Path) -> list[str]:
    (folder / ".env").write_text(text, encoding="utf-8")
    (folder / "send.php").write_text(SYMFONY, encoding="utf-8")
    return php(ca_file, "send.php")


def php(ca_file: Path, program: str) -> list[str]:
    # Its own libraries say that they are of an older PHP.
    return ["php", "-d", f"openssl.cafile={ca_file}", "-d", "error_reporting=8191", program]


def msmtp(folder: Path, text: str, ca_file: Path) -> list[str]:
    settings = folder / ".msmtprc"
    settings.write_text(
        text.replace("tls on\n", f"tls on\ntls_trust_file {ca_file}\n"), encoding="utf-8"
    )
    settings.chmod(0o600)
    return ["msmtp", "--read-recipients"]


RUN: dict[str, Callable[[Path, str, Path], list[str]]] = {
    "curl": curl,
    "resend": python,
    "smtplib": python,
    "django": django,
    "nodemailer": nodemailer,
    "phpmailer": phpmailer,
    "symfony": symfony,
    "msmtp": msmtp,
}
BY_HTTP = ("curl", "resend")
PROGRAMS = {
    "curl": "curl",
    "nodemailer": "node",
    "phpmailer": "php",
    "symfony": "php",
    "msmtp": "msmtp",
}
CASES = [
    pytest.param(name, tls, marks=[pytest.mark.needs(PROGRAMS[name])] if name in PROGRAMS else [])
    for name in RUN
    for tls in ([Tls.NONE] if name in BY_HTTP else Tls)
]


@pytest.mark.parametrize(("name", "tls"), CASES)
def test_a_snippet_sends_as_it_is(desk: Desk, tmp_path: Path, name: str, tls: Tls) -> None:
    desk.relay.forget()
    done = subprocess.run(
        RUN[name](tmp_path, desk.snippets[tls][name], desk.ca_file),
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "LANG": "C.UTF-8",
            "SSL_CERT_FILE": str(desk.ca_file),
            "NODE_EXTRA_CA_CERTS": str(desk.ca_file),
        },
        cwd=tmp_path,
        input=LETTER.encode(),
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode() + done.stdout.decode()

    arrived = desk.relay.delivered_to(ADMIN)[ADMIN]
    message = message_from_bytes(without_trace(arrived), policy=SMTP)
    assert (message["Subject"], message["From"], message["To"]) == ("Hello", SENDER, ADMIN)
    if name not in BY_HTTP:
        protocol = b"ESMTPA" if tls is Tls.NONE else b"ESMTPSA"
        assert b"by smarthost.example.com with %s " % protocol in arrived


def test_there_is_a_test_of_each_snippet(desk: Desk) -> None:
    for given in desk.snippets.values():
        assert set(given) == set(RUN)
