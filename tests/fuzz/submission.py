"""What an SMTP client sends, fuzzed: command lines, messages, whole sessions."""

from collections.abc import Sequence

from smarthost.smtp.command_parser import CommandError, Mail, Rcpt, parse_command
from smarthost.smtp.command_reader import AUTH_LIMIT, CommandReader, LineError
from smarthost.smtp.data_reader import SWALLOWED, DataEnd, DataReader
from smarthost.submission.limits import Limits
from tests.fuzz.target import GROWS, Target, at, cut
from tests.submission.led import Led, led, logged_in, plain

_LIMIT = 1_000
_ENDS = (b"\r\n", b"\r", b"\n", b"\0", b".", b"\r\n.\r\n", b"\r\n..")


# Command lines.


def _lines(pieces: Sequence[bytes]) -> tuple[list[bytes], object]:
    reader, lines = CommandReader(), list[bytes]()
    try:
        for piece in pieces:
            reader.feed(piece)
            while (line := reader.line()) is not None:
                lines.append(line)
    except LineError as error:
        return lines, error.fault
    return lines, reader.rest()


def check_commands(data: bytes) -> None:
    stream, pieces = cut(data)
    lines, end = _lines([stream])
    assert _lines(pieces) == (lines, end)
    assert stream.startswith(b"".join(line + b"\r\n" for line in lines))
    assert not isinstance(end, bytes) or len(end) < AUTH_LIMIT
    for line in lines:
        assert not set(b"\r\n\0") & set(line)
        for smtputf8 in (False, True):
            _check_command(line, smtputf8=smtputf8)


def _check_command(line: bytes, *, smtputf8: bool) -> None:
    try:
        command = parse_command(line, smtputf8=smtputf8)
    except CommandError as error:
        _check_words(error.words)
        return
    _check_words([repr(command)])
    if isinstance(command, Mail):
        smtputf8 = command.parameters.smtputf8
    if isinstance(command, Mail | Rcpt) and command.path is not None:
        path = str(command.path)
        assert not set("<> ") & set(path) or path.startswith('"')
        assert smtputf8 or path.isascii()


def _check_words(words: Sequence[str]) -> None:
    assert all(word.isprintable() for word in words)


# Messages.


def _message(pieces: Sequence[bytes]) -> tuple[object, bytes]:
    reader = DataReader(_LIMIT)
    for piece in pieces:
        if reader.feed(piece) is not None:
            break
    return reader.ended, reader.content if reader.ended is DataEnd.WHOLE else b""


def check_data(data: bytes) -> None:
    stream, pieces = cut(data)
    ended, content = _message([stream])
    assert _message(pieces) == (ended, content)
    if ended is None:
        assert b"\r\n.\r\n" not in b"\r\n" + stream
        assert len(stream) < _LIMIT + SWALLOWED
    if ended is DataEnd.WHOLE:
        wire, _, _ = (b"\r\n" + stream).partition(b"\r\n.\r\n")
        lines = (wire + b"\r\n")[2:].split(b"\r\n")[:-1]
        assert content == b"".join(line.removeprefix(b".") + b"\r\n" for line in lines)
        assert len(content) <= _LIMIT
        assert content.count(b"\r") == content.count(b"\n") == len(lines)


# Sessions. The first octet says whether somebody has logged in already.


def check_session(data: bytes) -> None:
    _, pieces = cut(data[1:])
    limits = Limits(message_octets=_LIMIT, recipients=3)
    session: Led = logged_in(limits=limits) if data[:1] > b"\x7f" else led(limits=limits)
    for piece in pieces:
        session.feed(piece)
    stream = b"".join(pieces)
    # Every answer was asked for, and none but the last one ends the session.
    assert len(session.said) <= stream.count(b"\n") + 1
    assert not any(reply.ends for reply in session.said[:-1])
    assert len(session.messages) <= stream.count(b"\r\n.\r\n") + (b"DATA" in stream.upper())
    if session.session.submitter is None:
        assert not session.messages
    assert session.octets.isascii()


_SESSION = (
    b"EHLO a\r\n" + plain() + b"MAIL FROM:<a@example.com> SIZE=3\r\nRCPT TO:<b@example.net>\r\n"
    b"DATA\r\n"
)
_WORDS = (
    b"EHLO a\r\n", b"MAIL FROM:<a@example.com>", b"RCPT TO:<b@example.net>", b"DATA\r\n",
    b"RSET\r\n", b"AUTH LOGIN\r\n", plain(), b"STARTTLS\r\n", b" SMTPUTF8", b" SIZE=", b" RET=",
    b" NOTIFY=", b" ORCPT=rfc822;", b" ENVID=", b"+41", b"\xc3\xa4", *_ENDS,
)  # fmt: skip

SUBMISSION_TARGETS = {
    "commands": Target(
        check=check_commands,
        seeds=(
            at(7, _SESSION),
            at(0, "MAIL FROM:<jörg@bücher.example> SMTPUTF8 BODY=8BITMIME\r\n".encode()),
            at(9, b"RCPT TO:<b@example.net> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;b+40c\r\n"),
            at(3, b"AUTH PLAIN " + GROWS + b"\xff" * 6 + b"\r\nQUIT\n"),
        ),
        words=_WORDS,
        runs=2_000,
    ),
    "data": Target(
        check=check_data,
        seeds=(
            at(3, b"A: b\r\n\r\n..\r\n.x\r\n.\r\nQUIT\r\n"),
            at(2, b".\r\n"),
            at(5, b"a\r\n.\n"),
            at(9, GROWS + b"\x7d" + b"\r\n.\r\n"),
        ),
        words=(GROWS + b"\x7d", *_ENDS),
        runs=8_000,
    ),
    "session": Target(
        check=check_session,
        seeds=(
            b"\0" + at(len(_SESSION), _SESSION + b"A: b\r\n\r\n.\r\nQUIT\r\n"),
            b"\xff" + at(60, _SESSION[-60:] + b"A: b\r\n\r\n.\r\nQUIT\r\n"),
            b"\0" + at(4, b"EHLO a\r\nAUTH LOGIN\r\nYQ==\r\n*\r\nSTARTTLS\r\n"),
        ),
        words=_WORDS,
        runs=1_500,
    ),
}
