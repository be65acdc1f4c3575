"""Parts that are put together."""

from smarthost.mail.headers import PlainHeader, TextHeader
from smarthost.mail.part import Part, multipart


def test_a_multipart_holds_its_parts_between_boundaries() -> None:
    one = Part((PlainHeader(name="Content-Type", value="text/plain; charset=utf-8"),), b"1\r\n")
    whole = multipart("related", [one, one], "=_b", type=one.media_type())
    assert whole.media_type() == "multipart/related"
    assert whole.content() == (
        b'Content-Type: multipart/related; type="text/plain"; boundary="=_b"\r\n'
        b"\r\n"
        b"--=_b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n1\r\n\r\n"
        b"--=_b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n1\r\n\r\n"
        b"--=_b--\r\n"
    )


def test_other_headers_may_stand_before_the_type() -> None:
    part = Part(
        (TextHeader(name="Subject", text="x"), PlainHeader(name="Content-Type", value="a/b")), b""
    )
    assert part.media_type() == "a/b"
