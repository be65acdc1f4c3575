"""Mail clients as applications have them, unchanged, set up as their own documentation shows.

Each takes a letter to a door for submission and tells what it made of it, and what it says if it
was refused. A client that a machine does not have is left out by the mark on its test.
"""

import base64
import contextlib
import enum
import json
import os
import smtplib
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.submission import HOST, USER

_HERE = Path(__file__).parent
_NODEMAILER = _HERE / "nodemailer"
_PATIENCE = 60.0


class Tls(enum.Enum):
    """How a client is set up to speak TLS."""

    NONE = "in clear"
    STARTTLS = "STARTTLS"
    IMPLICIT = "TLS from the first octet"


@dataclass(frozen=True, kw_only=True)
class Door:
    """Where a client submits, and what it is given for it."""

    port: int
    tls: Tls
    key: str
    ca_file: Path | None
    """The authority that it trusts besides those of the machine."""

    def trusting(self) -> dict[str, str]:
        """Return what an operator sets for programs that ask OpenSSL or Node.js whom to trust."""
        if self.ca_file is None:
            return {}
        return {"SSL_CERT_FILE": str(self.ca_file), "NODE_EXTRA_CA_CERTS": str(self.ca_file)}


@dataclass(frozen=True, kw_only=True)
class Letter:
    """What an application has to say, before any client has made mail of it."""

    sender: str
    to: Sequence[str]
    cc: Sequence[str] = ()
    bcc: Sequence[str] = ()
    subject: str = "Your order"
    text: str = "It is on its way.\n"
    files: Mapping[str, bytes] = field(default_factory=dict)
    date: str = "Sun, 22 Nov 2026 20:00:00 +0000"
    message_id: str = "<4711@shop.example.com>"

    @property
    def recipients(self) -> list[str]:
        return [*self.to, *self.cc, *self.bcc]

    def message(self) -> EmailMessage:
        """Return it as Python's library makes it, its text in 8 bits."""
        beyond_ascii = not all(map(str.isascii, self.recipients))
        message = EmailMessage(policy=SMTP.clone(utf8=beyond_ascii))
        message["From"] = self.sender
        for name, addresses in (("To", self.to), ("Cc", self.cc), ("Bcc", self.bcc)):
            if addresses:
                message[name] = ", ".join(addresses)
        message["Subject"] = self.subject
        message["Date"] = self.date
        message["Message-ID"] = self.message_id
        message.set_content(self.text, cte="7bit" if self.text.isascii() else "8bit")
        for name, octets in self.files.items():
            message.add_attachment(
                octets, maintype="application", subtype="octet-stream", filename=name
            )
        if self.files:
            message.set_boundary("boundary")
        return message

    def octets(self) -> bytes:
        return self.message().as_bytes()

    def json(self) -> dict[str, object]:
        files = {name: base64.b64encode(one).decode() for name, one in self.files.items()}
        return asdict(self) | {"files": files}


@dataclass(frozen=True, kw_only=True)
class Told:
    """What became of a letter."""

    content: bytes
    """The mail that the client has made of it, perhaps with its `Bcc`."""
    fault: str = ""
    """What the client says, empty if it is satisfied."""


Client = Callable[[Door, Letter], Told]


def submit_with_smtplib(door: Door, letter: Letter) -> Told:
    context = ssl.create_default_context(cafile=door.ca_file)
    try:
        with (
            smtplib.SMTP_SSL(HOST, door.port, timeout=_PATIENCE, context=context)
            if door.tls is Tls.IMPLICIT
            else smtplib.SMTP(HOST, door.port, timeout=_PATIENCE)
        ) as smtp:
            if door.tls is Tls.STARTTLS:
                smtp.starttls(context=context)
            smtp.login(USER, door.key)
            refused = smtp.send_message(letter.message())
    except (smtplib.SMTPException, ssl.SSLError) as error:
        return Told(content=letter.octets(), fault=repr(error))
    return Told(content=letter.octets(), fault=repr(refused) if refused else "")


def submit_with_django(door: Door, letter: Letter) -> Told:
    settings = {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": HOST,
        "EMAIL_PORT": door.port,
        "EMAIL_HOST_USER": USER,
        "EMAIL_HOST_PASSWORD": door.key,
        "EMAIL_USE_TLS": door.tls is Tls.STARTTLS,
        "EMAIL_USE_SSL": door.tls is Tls.IMPLICIT,
    }
    line = (sys.executable, str(_HERE / "submit_with_django.py"))
    return _told({"settings": settings, "letter": letter.json()}, *line, **door.trusting())


def submit_with_nodemailer(door: Door, letter: Letter) -> Told:
    if not (_NODEMAILER / "node_modules").exists():
        pytest.skip("needs Nodemailer, which scripts/test installs")
    transport = {
        "host": HOST,
        "port": door.port,
        "secure": door.tls is Tls.IMPLICIT,
        "requireTLS": door.tls is Tls.STARTTLS,
        "auth": {"user": USER, "pass": door.key},
    }
    line = ("node", str(_NODEMAILER / "submit.mjs"))
    return _told({"transport": transport, "letter": letter.json()}, *line, **door.trusting())


def submit_with_swaks(door: Door, letter: Letter) -> Told:
    line = ["swaks", "--server", HOST, "--port", str(door.port), "--auth-user", USER]
    line += ["--from", letter.sender, "--to", ",".join(letter.recipients), "--data", "-"]
    if door.tls is not Tls.NONE:
        line += ["--tls" if door.tls is Tls.STARTTLS else "--tls-on-connect", "--tls-verify"]
        # Without this it trusts those of the machine.
        line += ["--tls-ca-path", str(door.ca_file)] if door.ca_file else []
    # It ends every mail with a line end of its own.
    given = letter.octets().removesuffix(b"\r\n")
    return _submitted(letter, line, given, SWAKS_OPT_auth_password=door.key)


def submit_with_msmtp(door: Door, letter: Letter) -> Told:
    # In clear it wants the mechanism named, so that nobody shows a password by an oversight.
    tls = {
        Tls.NONE: "tls off\nauth login",
        Tls.STARTTLS: "tls on\nauth on",
        Tls.IMPLICIT: "tls on\ntls_starttls off\nauth on",
    }[door.tls]
    trust = f"tls_trust_file {door.ca_file}" if door.ca_file else ""
    lines = ("defaults", tls, trust, "account default", f"host {HOST}", f"port {door.port}")
    login = (f"from {letter.sender}", f"user {USER}", f"password {door.key}")
    with _file("\n".join((*lines, *login, ""))) as rc:
        # As `sendmail_path` of PHP has it: who gets it is read from the header.
        return _submitted(letter, ["msmtp", "--file", rc, "--read-recipients"])


def submit_with_curl(door: Door, letter: Letter) -> Told:
    scheme = "smtps" if door.tls is Tls.IMPLICIT else "smtp"
    line = ["curl", "--silent", "--show-error", "--url", f"{scheme}://{HOST}:{door.port}"]
    line += ["--mail-from", letter.sender, "--upload-file", "-"]
    for recipient in letter.recipients:
        line += ["--mail-rcpt", recipient]
    if door.tls is not Tls.NONE:
        line += ["--ssl-reqd"]
        line += ["--cacert", str(door.ca_file)] if door.ca_file else []
    with _file(f'user = "{USER}:{door.key}"\n') as login:
        return _submitted(letter, [*line, "--config", login])


CLIENTS: Mapping[str, Client] = {
    "smtplib": submit_with_smtplib,
    "django": submit_with_django,
    "nodemailer": submit_with_nodemailer,
    "swaks": submit_with_swaks,
    "msmtp": submit_with_msmtp,
    "curl": submit_with_curl,
}
_PROGRAMS = {"nodemailer": "node", "swaks": "swaks", "msmtp": "msmtp", "curl": "curl"}


def each_client(*names: str) -> list[Any]:
    """Return parameters for a test of these clients, by default all, with what each needs."""
    return [
        pytest.param(name, marks=[pytest.mark.needs(_PROGRAMS[name])] if name in _PROGRAMS else [])
        for name in names or CLIENTS
    ]


def _submitted(
    letter: Letter, line: Sequence[str], given: bytes | None = None, **environ: str
) -> Told:
    """Run a program that is given the mail as it is to be sent."""
    content = letter.octets()
    done = _run(line, content if given is None else given, **environ)
    fault = (done.stdout + done.stderr).decode(errors="replace") if done.returncode else ""
    assert fault or not done.returncode, f"{line[0]} failed without a word"
    return Told(content=content, fault=fault)


def _told(asked: Mapping[str, object], *line: str, **environ: str) -> Told:
    """Run a program of ours around a library, which tells what it has made of the letter."""
    done = _run(line, json.dumps(asked).encode(), **environ)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    told = json.loads(done.stdout)
    content = base64.b64decode(told["content"])
    # A library may write LF, and put in the CR when it sends.
    return Told(
        content=content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"), fault=told["fault"]
    )


def _run(
    line: Sequence[str], given: bytes, **environ: str
) -> "subprocess.CompletedProcess[bytes]":
    with tempfile.TemporaryDirectory(prefix="smarthost-client-") as home:
        return subprocess.run(
            line,
            env={"PATH": os.environ["PATH"], "HOME": home, "LANG": "C.UTF-8", **environ},
            cwd=home,
            input=given,
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
        )


@contextlib.contextmanager
def _file(text: str) -> Iterator[str]:
    """Give a file that only its owner reads, since a key is in it."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", prefix="smarthost-") as file:
        file.write(text)
        file.flush()
        yield file.name
