"""What is fuzzed: octets in, and an oracle that says what must hold whatever they are.

An oracle raises `AssertionError` where a promise is broken; every other exception is a finding
too, since the documented ones are caught here. The oracles need no fuzzer, so that an input that
was found once is tried again by hand and on any machine.
"""

import base64
import re
from collections.abc import Sequence

from smarthost.mail.address import AddressError, parse_address
from smarthost.mail.header_reader import (
    LONGEST_LINE,
    HeaderError,
    ReadHeader,
    is_header_name,
    read_headers,
)
from smarthost.mail.host import parse_host
from smarthost.relay_check.suggestions.autoconfig_reader import (
    MOST_SERVERS,
    NoConfigError,
    read_autoconfig,
)
from smarthost.relay_check.suggestions.model import LONGEST_TEXT, Confidence
from smarthost.secret import Secret
from smarthost.smtp import commands
from smarthost.smtp.authentication import ROUNDS_LIMIT, Authentication
from smarthost.smtp.data import Content
from smarthost.smtp.errors import ProtocolError
from smarthost.smtp.extensions import Extensions
from smarthost.smtp.replies import LINE_LIMIT, REPLY_LIMIT, REPLY_LINES_LIMIT, ReplyReader
from smarthost.smtp.reply import TEXT_LIMIT, Reply
from smarthost.smtp.sasl import Exchange, SaslError, Scram, choose
from tests.fuzz.submission import SUBMISSION_TARGETS
from tests.fuzz.target import GROWS, Target, at, cut

PASSWORD = Secret("Correct-Horse-7")
USER_NAME = "user"
NONCE = b"{nonce}"
"""In a challenge it stands for the nonce that was sent, which nobody can guess."""


# Replies.


def _replies(pieces: Sequence[bytes]) -> tuple[list[Reply], str]:
    """Return the replies and how the stream ended."""
    reader, replies = ReplyReader(), list[Reply]()
    try:
        for piece in pieces:
            for reply in reader.feed(piece):
                replies.append(reply)
    except ProtocolError as error:
        return replies, error.reason
    return replies, "rest" if reader.has_rest else "whole"


def check_replies(data: bytes) -> None:
    stream, pieces = cut(data)
    replies, ended = _replies([stream])
    assert _replies(pieces) == (replies, ended)
    for reply in replies:
        _check_reply(reply)
    if ended in {"rest", "whole"}:
        *lines, rest = stream.split(b"\r\n")
        assert not any(b"\r" in line or b"\n" in line for line in lines)
        assert b"\n" not in rest
        read = sum(len(reply.lines) for reply in replies)
        assert (ended == "whole") == (read == len(lines) and not rest)
        # What is kept of a reply whose end has not come is bounded.
        assert len(b"\r\n".join(lines[read:])) <= REPLY_LIMIT
        assert len(rest) < LINE_LIMIT


def _check_reply(reply: Reply) -> None:
    assert 200 <= reply.code <= 559
    assert reply.code // 10 % 10 <= 5
    assert 1 <= len(reply.lines) <= REPLY_LINES_LIMIT
    # Code and CRLF have five octets; a character has at least one.
    assert sum(len(line) + 5 for line in reply.lines) <= REPLY_LIMIT
    assert all(line.isprintable() and len(line) <= LINE_LIMIT for line in reply.lines)
    assert reply.text.isprintable()
    assert len(reply.text) <= TEXT_LIMIT
    if reply.enhanced is not None:
        assert re.fullmatch(r"[245](\.[0-9]{1,3}){2}", reply.enhanced)
        assert reply.enhanced[0] == str(reply.code)[0]


# EHLO.


def check_ehlo(data: bytes) -> None:
    stream, pieces = cut(data)
    lines = b"".join(b"250-" + line + b"\r\n" for line in stream.split(b"\r\n"))
    answers = [lines + b"250 HELP\r\n"]
    for replies, _ in (_replies(answers), _replies(pieces), _replies([stream])):
        for reply in replies:
            _check_extensions(Extensions.of(reply))
    assert _offered(pieces) == _offered([stream])


def _offered(pieces: Sequence[bytes]) -> list[Extensions]:
    return [Extensions.of(reply) for reply in _replies(pieces)[0]]


def _check_extensions(found: Extensions) -> None:
    assert found.size is None or 0 < found.size < 10**20
    assert len(set(found.auth)) == len(found.auth)
    for name in found.auth:
        assert re.fullmatch(r"[A-Z0-9_-]{1,20}", name, re.ASCII)
        assert commands.auth(name).endswith(name.encode() + b"\r\n")


# The login. The first octet chooses the mechanism.

_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?", re.ASCII)
_MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256", "SCRAM-SHA-1", "NTLM")


def _exchange(choice: int) -> Exchange:
    mechanism = _MECHANISMS[choice % len(_MECHANISMS)]
    found = choose(
        [mechanism],
        user_name=USER_NAME,
        password=PASSWORD,
        use_ntlm=mechanism == "NTLM",
        tls_verified=True,
    )
    assert found is not None
    return found


def _shape(exchange: Exchange, replies: Sequence[Reply]) -> list[object]:
    """Lead a dialogue; what comes of it, without what is drawn by lot."""
    dialogue = Authentication(exchange)
    shape: list[object] = [_check_line(dialogue.begin())]
    try:
        for reply in replies:
            line = dialogue.answer(reply)
            shape.append(None if line is None else _check_line(line))
            assert line is None or _BASE64.fullmatch("\n".join(reply.lines))
            cleaned = dialogue.cleaned(reply)
            assert PASSWORD.reveal() not in cleaned.text
    except SaslError:
        shape.append("refused")
    assert sum(isinstance(part, int) for part in shape) <= 1 + ROUNDS_LIMIT
    try:
        exchange.check_done()
    except SaslError:
        shape.append("not proved")
    return shape


def _check_line(line: bytes) -> int:
    """Return the length of a line; it is AUTH, or base64 alone."""
    command, space, said = line.removesuffix(b"\r\n").rpartition(b" ")
    assert re.fullmatch(rb"AUTH [A-Z0-9-]{1,20}|AUTH|", command)
    if not space or b" " in command:
        base64.b64decode(said if said != b"=" else b"", validate=True)
    assert line.endswith(b"\r\n")
    assert PASSWORD.reveal().encode() not in line
    return len(line)


def check_login(data: bytes) -> None:
    """Feed a stream of replies, such as 334 lines."""
    choice, (stream, pieces) = data[:1], cut(data[1:])
    kind = choice[0] if choice else 0
    whole = _shape(_exchange(kind), _replies([stream])[0])
    assert _shape(_exchange(kind), _replies(pieces)[0]) == whole


def check_challenges(data: bytes) -> None:
    """Feed challenges, one a line and not in base64, so that more of them mean something."""
    exchange = _exchange(data[0] if data else 0)
    first = exchange.initial() or b""
    said = first.rpartition(b"r=")[2] if isinstance(exchange, Scram) else b""
    proved = False
    try:
        for challenge in data[1:].split(b"\n")[: ROUNDS_LIMIT + 1]:
            response = exchange.respond(challenge.replace(NONCE, said))
            assert isinstance(response, bytes)
        exchange.check_done()
        proved = True
    except SaslError:
        pass
    # Nobody here knows the password, so nobody can have proved it.
    assert not (proved and isinstance(exchange, Scram))


# The message.


def check_dot_stuffing(data: bytes) -> None:
    content = Content(data)
    wire = content.dot_stuffed()
    expected = _normalised(data)
    assert _unstuffed(wire) == expected
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", wire)
    assert (b"\r\n" + wire).find(b"\r\n.\r\n") == len(wire) - 3
    lines = content.lines
    assert Content(lines).lines == lines
    assert expected in (lines, lines + b"\r\n")


def _normalised(data: bytes) -> bytes:
    """End each line in CRLF, the last one too, octet by octet."""
    out = bytearray()
    previous = 0
    for octet in data:
        if octet == 10 and previous == 13:
            pass
        elif octet in (10, 13):
            out += b"\r\n"
        else:
            out.append(octet)
        previous = octet
    if out and not out.endswith(b"\r\n"):
        out += b"\r\n"
    return bytes(out)


def _unstuffed(wire: bytes) -> bytes:
    """Read as a server does: line by line until a dot alone (RFC 5321, section 4.5.2)."""
    out = bytearray()
    lines = wire.split(b"\r\n")
    assert lines.pop() == b""
    for index, line in enumerate(lines):
        if line == b".":
            assert index == len(lines) - 1
            return bytes(out)
        out += (line[1:] if line.startswith(b".") else line) + b"\r\n"
    raise AssertionError("The message has no end.")


# Addresses.


def check_address(data: bytes) -> None:
    # Octets that are no UTF-8 come as they do in the arguments of a command.
    text = data.decode("utf-8", "surrogateescape")
    try:
        address = parse_address(text)
    except AddressError:
        return
    wire = str(address)
    assert parse_address(wire) == address
    assert parse_address(f"  {text} ") == address
    assert len(address.local_part.encode()) <= 64
    assert address.domain.isascii()
    assert address.domain == address.domain.lower() or address.domain.startswith("[IPv6:")
    assert wire.isprintable()
    assert not set("<>\r\n\0") & set(wire)
    for line in (
        commands.rcpt_to(wire, utf8=True),
        commands.mail_from(wire, utf8=not wire.isascii()),
    ):
        assert line.count(b"\r") == line.count(b"\n") == 1
        assert line.count(b"<") == line.count(b">") == 1


# Header blocks.


def check_headers(data: bytes) -> None:
    block, pieces = cut(data)
    whole = _headers(block)
    if whole is not None:
        _check_headers(block, whole)
    first, second = map(_headers, pieces)
    # Two blocks that stand for themselves are one that has the headers of both.
    if first is not None and second is not None:
        assert whole == first + second


def _headers(block: bytes) -> list[ReadHeader] | None:
    try:
        return read_headers(block)
    except HeaderError:
        return None


def _check_headers(block: bytes, headers: list[ReadHeader]) -> None:
    assert all(len(line) <= LONGEST_LINE for line in block.split(b"\r\n"))
    for name, value in headers:
        assert is_header_name(name)
        assert name.isascii()
        assert not set("\r\n\0") & set(value)
        line = f"{name}: {value}\r\n".encode()
        if len(line) <= LONGEST_LINE + 2:
            assert read_headers(line) == [ReadHeader(name, value)]


_SCRAM_FIRST = b"r={nonce}abc,s=" + base64.b64encode(b"salt" * 4) + b",i=4096"
# CHALLENGE_MESSAGE of MS-NLMP, section 2.2.1.2: no target name, one AV pair that ends the list.
_NTLM_CHALLENGE = bytes.fromhex(
    "4e544c4d53535000 02000000 00000000 38000000 33828ae2 0123456789abcdef"
    "0000000000000000 0400 0400 38000000 0a00614a0000000f 00000000"
)


# What a domain's web server says of its mail servers.


def check_autoconfig(data: bytes) -> None:
    try:
        found = read_autoconfig(data, "example.com", Confidence.MEDIUM)
    except NoConfigError:
        return
    assert len(found) <= MOST_SERVERS
    for one in found:
        assert parse_host(one.host) == one.host
        assert 1 <= one.port <= 65535
        assert (one.confidence is Confidence.LOW) == (not one.enable_ssl)
        name = one.user_name
        assert name is None or (name.isprintable() and 0 < len(name) <= LONGEST_TEXT)


_AUTOCONFIG = (
    b'<clientConfig><emailProvider><outgoingServer type="smtp"><hostname>mail.%EMAILDOMAIN%'
    b"</hostname><port>465</port><socketType>SSL</socketType><username>%EMAILADDRESS%</username>"
    b"<authentication>OAuth2</authentication><authentication>plain</authentication>"
    b"</outgoingServer></emailProvider></clientConfig>"
)
_ENDS = (b"\r\n", b"\r", b"\n", b"\0")


TARGETS = {
    "replies": Target(
        check=check_replies,
        seeds=(
            at(5, b"250-mail.example.com\r\n250 SIZE 1000\r\n"),
            at(9, b"535-5.7.8 No\r\n535 5.7.8 Never\r\n250 Ok\r\n"),
            at(82, b"220 \xfe\xff\r\n"),
            at(99, b"250-\xfe\xff\r\n" * 7 + b"250 \xfe\xff\r\n"),
            at(99, b"250-\xfe\xff\r\n" * 8 + b"250 \xfe\xff\r\n"),
            at(257, b"250-x\r\n" * 99 + b"250 x\r\n"),
            at(10, b"250 caf\xc3\xa9 \x1b[31m\xff\r\n"),
        ),
        words=(b"250-", b"250 ", b"5.7.1 ", b"250-\xfe\xff\r\n", b"\xef\xbc\x95", *_ENDS),
    ),
    "ehlo": Target(
        check=check_ehlo,
        seeds=(
            at(7, b"250-a\r\n250-SIZE 35882577\r\n250-AUTH PLAIN LOGIN\r\n250 8BITMIME\r\n"),
            at(0, b"mail.example.com\r\nSTARTTLS\r\nSIZE 0\r\nAUTH PLAIN plain X_-9"),
        ),
        words=(b"SIZE ", b"AUTH ", b"STARTTLS", b"8BITMIME", b"250-", b"99999999999999999999"),
    ),
    "login": Target(
        check=check_login,
        seeds=(
            b"\x00" + at(3, b"235 2.7.0 Ok\r\n"),
            b"\x01" + at(7, b"334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n235 Ok\r\n"),
            b"\x02" + at(9, b"334 PDEuMkByZWxheT4=\r\n535 5.7.8 No\r\n"),
            b"\x03" + at(9, b"334 cj1hLHM9YWJjLGk9NDA5Ng==\r\n"),
            b"\x05" + at(9, b"334 " + base64.b64encode(_NTLM_CHALLENGE) + b"\r\n235 Ok\r\n"),
            b"\x01" + at(9, b"334 \r\n334 \r\n334 \r\n334 \r\n"),
        ),
        words=(b"334 ", b"235 ", b"535 ", b"334-", b"=", *_ENDS),
        runs=4_000,
    ),
    "challenges": Target(
        check=check_challenges,
        seeds=(
            b"\x00",
            b"\x01Username:\nPassword:",
            b"\x02<1.2@relay.example.com>",
            b"\x03" + _SCRAM_FIRST + b"\nv=" + base64.b64encode(b"v" * 32),
            b"\x04" + _SCRAM_FIRST + b"\ne=other-error",
            b"\x05" + _NTLM_CHALLENGE,
        ),
        words=(NONCE, b"r=", b",s=", b",i=", b"\nv=", b"\ne=", b"m=x,", b"NTLMSSP\x00", b"\n"),
        runs=3_000,
    ),
    "dot-stuffing": Target(
        check=check_dot_stuffing,
        seeds=(b"", b".\r\n..\r\n", b"a\n.\nb\r.\r", b"a\r\n.\r\nMAIL FROM:<>\r\n", b"\0.\n\0"),
        words=(b".", b"\r\n.\r\n", b"\n.\n", b"\r.\r", *_ENDS),
    ),
    "address": Target(
        check=check_address,
        seeds=(
            b"name@example.com",
            b'"a b\\"c"@example.com',
            "jörg@bücher.example".encode(),
            b"a@[192.0.2.1]",
            b"a@[IPv6:2001:db8::1]",
            b"Name <name@example.com>",
            b"mailto:a@xn--bcher-kva.example",
            b"a@\xff.example",
        ),
        words=(b"@", b'"', b"\\", b"xn--", b"[IPv6:", b"]", b"::", b"\xe2\x80\x8b", b"\xcd\xbe"),
        longest=700,
    ),
    "headers": Target(
        check=check_headers,
        seeds=(
            at(6, b"A: b\r\nC: d\r\n"),
            at(6, b"A: b\r\n c\r\n\td\r\n"),
            at(0, "To: jörg@example.com\r\n".encode()),
            at(0, b"A: bbb\xfe\x7c\r\n"),
        ),
        words=(b": ", GROWS + b"\x7c", b"\r\n ", b"\r\n\t", b"\r\n\r\n", *_ENDS),
    ),
    "autoconfig": Target(
        check=check_autoconfig,
        seeds=(
            _AUTOCONFIG,
            b'<?xml version="1.0" encoding="ISO-8859-1"?>' + _AUTOCONFIG,
            b'<!DOCTYPE a [<!ENTITY b "c">]>' + _AUTOCONFIG,
            _AUTOCONFIG.decode().encode("utf-16"),
        ),
        words=(b"<outgoingServer", b"</", b"<!DOCTYPE", b"<!ENTITY", b"&#x202e;", b"<![CDATA["),
        runs=5_000,
    ),
    **SUBMISSION_TARGETS,
}
"""Every target by its name."""
