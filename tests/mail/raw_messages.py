"""Messages as other programs write them, and what the standard library reads in them."""

import email
from email import policy
from email.message import Message

from hypothesis import strategies as st

CHARSETS = ["utf-8", "iso-8859-1", "windows-1252"]
ENCODINGS = ["", "7bit", "8bit", "8BIT", "binary", "quoted-printable", "base64"]
TYPES = ["text/plain", "text/html", "application/pdf", "image/png", ""]
LINES = st.lists(st.text("aZ .=-\t", max_size=30) | st.text("äß日=. a", max_size=90), max_size=6)


def lines(*texts: str) -> bytes:
    return "".join(f"{text}\r\n" for text in texts).encode()


def decoded_leaves(content: bytes) -> list[tuple[str, str | None, bytes]]:
    """The type, file name and octets of each part, decoded by another reader."""
    message: Message = email.message_from_bytes(content, policy=policy.compat32)
    found = []
    for part in message.walk():
        if not part.is_multipart():
            octets = part.get_payload(decode=True)
            assert isinstance(octets, bytes)
            found.append((part.get_content_type(), part.get_filename(), octets))
    return found


def leaf(media_type: str, encoding: str, body: bytes) -> bytes:
    header = f"Content-Type: {media_type}; charset=utf-8\r\n" if media_type else ""
    if encoding:
        header += f"Content-Transfer-Encoding: {encoding}\r\n"
    return header.encode() + b"\r\n" + body


@st.composite
def leaves(draw: st.DrawFn) -> bytes:
    body = "\r\n".join(draw(LINES)).encode()
    encoding = draw(st.sampled_from(ENCODINGS))
    if encoding == "base64":
        body = b"R3LDvMOfZQ==\r\n"
    if encoding == "quoted-printable":
        body = body.replace(b"=", b"=3D")
    return leaf(draw(st.sampled_from(TYPES)), encoding, body)


def multipart(subtype: str, boundary: str, encoding: str, parts: list[bytes]) -> bytes:
    body = b"".join(f"--{boundary}\r\n".encode() + part + b"\r\n" for part in parts)
    header = f'Content-Type: multipart/{subtype};\r\n\tboundary="{boundary}"\r\n'
    if encoding:
        header += f"Content-Transfer-Encoding: {encoding}\r\n"
    return header.encode() + b"\r\n" + body + f"--{boundary}--".encode()


@st.composite
def parts(draw: st.DrawFn, depth: int = 0) -> bytes:
    if depth >= 3 or draw(st.booleans()):
        return draw(leaves())
    if draw(st.integers(0, 5)) == 0:
        inner = b"Subject: within\r\nMIME-Version: 1.0\r\n" + draw(parts(depth + 1))
        return b"Content-Type: message/rfc822\r\n\r\n" + inner
    children = draw(st.lists(parts(depth + 1), min_size=1, max_size=3))
    # One boundary may be the beginning of another.
    boundary = "b" + "x" * depth + draw(st.sampled_from(["", "1", " (2)"]))
    encoding = draw(st.sampled_from(["", "7bit", "8bit", "binary"]))
    return multipart(draw(st.sampled_from(["mixed", "alternative"])), boundary, encoding, children)


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    header = lines("From: a@x.test", "Subject: Hello", "MIME-Version: 1.0")
    return header + draw(parts()) + b"\r\n"
