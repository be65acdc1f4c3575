"""What was typed behind `send`, with the files it names and standard input, as one e-mail.

Nothing here knows the rules of mail: what is read is handed on as it is, and the rules' answers
come back in the words of the command line.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import typer

from smarthost.cli.exit_codes import RefusedError, UsageError
from smarthost.mail_queue.accepted.model import LARGEST_MESSAGE
from smarthost.sending.model import AttachmentInput, EmailInput, Fault, FaultKind, Refused

STDIN = Path("-")
"""Stands for standard input, as everywhere."""

_FIELD = re.compile(r"(\w+)(?:\[(\d+)\])?(?:\.(.*))?", re.DOTALL)
_OPTIONS = {
    "from": "--from",
    "to": "--to",
    "cc": "--cc",
    "bcc": "--bcc",
    "reply_to": "--reply-to",
    "subject": "--subject",
    "text": "--text",
    "html": "--html-file",
    "headers": "--header",
    "attachments": "--attach",
    "scheduled_at": "--at",
    "raw": "The message on standard input",
}
"""The fields of `EmailInput` by what gives them."""


@dataclass(frozen=True, kw_only=True)
class Typed:
    """The options of `send` that make the e-mail; what is not given is None or empty."""

    sender: str | None
    to: tuple[str, ...]
    cc: tuple[str, ...]
    bcc: tuple[str, ...]
    reply_to: tuple[str, ...]
    subject: str | None
    text: str | None
    text_file: Path | None
    html_file: Path | None
    attach: tuple[Path, ...]
    header: tuple[str, ...]
    at: str | None


def email_of(typed: Typed) -> EmailInput:
    """Read the files, and the text from standard input where nothing else gives one.

    Raises `UsageError` with every fault.
    """
    _check_text(typed)
    reading = _Reading()
    html = None if typed.html_file is None else reading.text("--html-file", typed.html_file)
    email = EmailInput(
        from_=typed.sender,
        to=typed.to,
        cc=typed.cc,
        bcc=typed.bcc,
        reply_to=typed.reply_to,
        subject=typed.subject or "",
        text=_text(typed, reading),
        html=html,
        headers=reading.headers(typed.header),
        attachments=tuple(map(reading.attachment, typed.attach)),
        scheduled_at=typed.at,
    )
    reading.refuse_faults()
    return email


def whole_email_of(typed: Typed, *, read_recipients: bool) -> EmailInput:
    """Read a message of MIME from standard input, which goes to `to`, `cc` and `bcc`.

    With `read_recipients` it goes to those of its header instead. Its `from_` is left out. Raises
    `UsageError` with every fault.
    """
    _check_text(typed)
    recipients = (*typed.to, *typed.cc, *typed.bcc)
    faults = [f"{option}: A whole message has its own." for option in _of_the_header(typed)]
    if read_recipients and recipients:
        faults.append("Give recipients, or -t to take them from the message, not both.")
    if not read_recipients and not recipients:
        faults.append("Name the recipients, or take them from the message with -t.")
    if faults:
        raise UsageError("\n".join(faults))
    reading = _Reading()
    raw = reading.stdin("Standard input")
    reading.refuse_faults()
    return EmailInput(to=typed.to, cc=typed.cc, bcc=typed.bcc, scheduled_at=typed.at, raw=raw)


def refusal(refused: Refused, typed: Typed) -> Exception:
    """Return the error for an e-mail that cannot be sent, one line for each fault.

    A value that is a good one and may not be used here is a no; anything else was typed wrongly.
    """
    lines = "\n".join(_line(fault, typed) for fault in refused.faults)
    if all(fault.kind is FaultKind.NOT_ALLOWED for fault in refused.faults):
        return RefusedError(lines)
    return UsageError(lines)


class _Reading:
    """Reads what is named, and keeps what is wrong with it until all was looked at."""

    def __init__(self) -> None:
        self._faults: list[str] = []

    def refuse_faults(self) -> None:
        if self._faults:
            raise UsageError("\n".join(self._faults))

    def text(self, option: str, path: Path) -> str:
        octets = self.stdin(option) if path == STDIN else self._file(option, path)
        try:
            return octets.decode("utf-8")
        except UnicodeDecodeError:
            self._faults.append(f"{option}: This is not UTF-8 text.")
            return ""

    def stdin(self, option: str) -> bytes:
        if sys.stdin.isatty():
            typer.echo("Type the message; Ctrl-D at the beginning of a line ends it.", err=True)
        return self._bounded(option, sys.stdin.buffer)

    def attachment(self, path: Path) -> AttachmentInput:
        return AttachmentInput(filename=path.name, content=self._file("--attach", path))

    def headers(self, typed: tuple[str, ...]) -> dict[str, str]:
        headers: dict[str, str] = {}
        for text in typed:
            name, colon, value = text.partition(":")
            if not colon:
                self._faults.append(f"--header: Write it as 'Name: value', not as {text!r}.")
            elif name.lower() in map(str.lower, headers):
                self._faults.append(f"--header: {name} is there twice. Give it once.")
            headers[name] = value.strip(" ")
        return headers

    def _file(self, option: str, path: Path) -> bytes:
        try:
            with path.open("rb") as opened:
                return self._bounded(f"{option} {path}", opened)
        except OSError as error:
            self._faults.append(f"{option}: {path} cannot be read: {error.strerror}.")
            return b""

    def _bounded(self, what: str, source: BinaryIO) -> bytes:
        content = source.read(LARGEST_MESSAGE + 1)
        if len(content) > LARGEST_MESSAGE:
            most = LARGEST_MESSAGE >> 20
            self._faults.append(f"{what}: This is too large: a message has at most {most} MiB.")
        return content


def _text(typed: Typed, reading: _Reading) -> str | None:
    if typed.text is not None:
        if typed.text_file is not None:
            raise UsageError("Give --text or --text-file, not both.")
        return typed.text
    if typed.text_file is not None:
        return reading.text("--text-file", typed.text_file)
    return None if typed.html_file is not None else reading.text("Standard input", STDIN)


def _of_the_header(typed: Typed) -> Iterator[str]:
    """Give the options that a whole message leaves no room for, as far as they were typed."""
    given = {
        "--reply-to": typed.reply_to,
        "--subject": typed.subject,
        "--text": typed.text,
        "--text-file": typed.text_file,
        "--html-file": typed.html_file,
        "--attach": typed.attach,
        "--header": typed.header,
    }
    return (option for option, value in given.items() if value not in (None, ()))


def _check_text(typed: Typed) -> None:
    """Refuse arguments whose octets are no text: the shell hands on any."""
    for name, value in vars(typed).items():
        for text in value if isinstance(value, tuple) else (value,):
            if isinstance(text, str) and not _is_text(text):
                raise UsageError(f"{_OPTIONS.get(name, f'--{name}')}: This is not UTF-8 text.")


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _line(fault: Fault, typed: Typed) -> str:
    if fault.kind is FaultKind.NOT_ALLOWED:
        return fault.message
    found = _FIELD.fullmatch(fault.field)
    if found is None:
        return f"{fault.field}: {fault.message}"
    field, at, below = found.groups()
    told = _OPTIONS.get(field, f"--{field.replace('_', '-')}")
    if at is not None:
        values = {"attachments": typed.attach}.get(field) or getattr(typed, field)
        told += f" {values[int(at)]}"
    elif below:
        told += f" {below}"
    return f"{told}: {fault.message}"
