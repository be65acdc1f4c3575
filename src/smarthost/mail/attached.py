"""A file as a part of a message: base64, its type, and its name in any script (RFC 2183).

The type is what the application says, else what the name's ending suggests by a table that is the
same on every machine, so that the same parts give the same octets everywhere.
"""

import mimetypes
import re
from pathlib import PurePath

from smarthost.mail.body import in_base64
from smarthost.mail.draft import Attachment
from smarthost.mail.header_reader import HeaderError
from smarthost.mail.headers import Header, PlainHeader
from smarthost.mail.parameters import with_parameters
from smarthost.mail.part import Part

_ANY = "application/octet-stream"
_OFFICE = "application/vnd.openxmlformats-officedocument."
_OPEN_DOCUMENT = "application/vnd.oasis.opendocument."
# Python's own table, without the files of the machine, and what it lacks.
_TYPES = mimetypes.MimeTypes().types_map[True] | {
    ".7z": "application/x-7z-compressed",
    ".docx": f"{_OFFICE}wordprocessingml.document",
    ".epub": "application/epub+zip",
    ".gz": "application/gzip",
    ".ics": "text/calendar",
    ".log": "text/plain",
    ".md": "text/markdown",
    ".odp": f"{_OPEN_DOCUMENT}presentation",
    ".ods": f"{_OPEN_DOCUMENT}spreadsheet",
    ".odt": f"{_OPEN_DOCUMENT}text",
    ".pptx": f"{_OFFICE}presentationml.presentation",
    ".rar": "application/vnd.rar",
    ".rtf": "application/rtf",
    ".webp": "image/webp",
    ".xlsx": f"{_OFFICE}spreadsheetml.sheet",
}
# RFC 2045, section 5.1, and RFC 6838, section 4.2, for the names.
_NAME = r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}"
_TOKEN = r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]+"  # noqa: S105 - the grammar's word
_CONTENT_TYPE = re.compile(
    rf'{_NAME}/{_NAME}(?: *; *{_TOKEN}=(?:{_TOKEN}|"(?:[ !#-\[\]-~]|\\[ -~])*"))*'
)
_LONGEST_TYPE = 500
# The word of RFC 2392's cid: URLs, in the characters that need no thought there.
_CONTENT_ID = re.compile(r"[A-Za-z0-9!#$&'*+./=?^_`{|}~@-]{1,200}")


def attached(attachment: Attachment) -> Part:
    """Give the part of one attachment.

    Raises `HeaderError` on a name, type or content id that cannot stand in a header.
    """
    encoding, body = in_base64(attachment.content)
    headers: list[Header] = [
        PlainHeader(name="Content-Type", value=_content_type(attachment)),
        PlainHeader(name="Content-Transfer-Encoding", value=encoding),
        PlainHeader(name="Content-Disposition", value=_disposition(attachment)),
    ]
    if attachment.content_id:
        value = f"<{_content_id(attachment.content_id)}>"
        headers.append(PlainHeader(name="Content-ID", value=value))
    return Part(tuple(headers), body)


def _content_type(attachment: Attachment) -> str:
    given = attachment.content_type
    if given is None:
        return _guessed(attachment)
    if len(given) > _LONGEST_TYPE or not _CONTENT_TYPE.fullmatch(given):
        raise HeaderError(
            f"The content type of {_named(attachment)} is not of the form type/subtype, "
            "like application/pdf."
        )
    # What is itself a message may not be in base64 (RFC 2046, section 5.2), and would not be
    # the very file any more.
    return _ANY if given.lower().startswith(("message/", "multipart/")) else given


def _guessed(attachment: Attachment) -> str:
    media_type = _TYPES.get(PurePath(attachment.filename).suffix.lower(), _ANY)
    if media_type.startswith("message/"):
        return _ANY
    if media_type.startswith("text/") and _is_utf8(attachment.content):
        return with_parameters(media_type, charset="utf-8")
    return media_type


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _disposition(attachment: Attachment) -> str:
    disposition = "inline" if attachment.content_id else "attachment"
    return with_parameters(disposition, filename=attachment.filename)


def _content_id(text: str) -> str:
    text = text.removeprefix("<").removesuffix(">")
    if not _CONTENT_ID.fullmatch(text):
        raise HeaderError(
            "A content id has 1 to 200 ASCII letters, digits and signs, without blanks: logo@acme"
        )
    return text


def _named(attachment: Attachment) -> str:
    return f"the attachment {attachment.filename[:60]!a}"
