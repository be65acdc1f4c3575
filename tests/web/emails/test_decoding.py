import contextlib
import json
import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.web.emails.decoding import Received, decoder
from smarthost.web.emails.errors import EmailsError
from smarthost.web.emails.request import MOST_IN_A_BATCH, Batch, EmailDto

single, batch = decoder(EmailDto), decoder(Batch)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
FIELDS = [
    "from", "to", "cc", "reply_to", "replyTo", "subject", "headers", "attachments", "tags", "raw",
    "at_most_once", "template", "contentType",
]  # fmt: skip


def faults(received: Received[Any]) -> dict[str, str]:
    return {fault.field: fault.message for part in received.parts for fault in part.faults}


def test_a_right_e_mail_is_read_straight() -> None:
    body = b'{"to":["a@example.net"],"subject":"Hello","attachments":[{"filename":"a"}]}'
    received = single(body)
    (part,) = received.parts

    assert (received.octets, part.faults) == (body, ())
    assert (part.value.to, part.value.subject) == (["a@example.net"], "Hello")


def test_every_wrong_field_is_named_and_the_others_are_kept() -> None:
    received = single(
        b'{"to":5,"subject":"Hello","foo":1,"bar":null,"at_most_once":"yes",'
        b'"attachments":[{"filename":"a","content":[256],"size":1},"b"],"tags":{}}'
    )

    assert faults(received) == {
        "to": "This must be an address as text, or a list of addresses.",
        "foo": "There is no such field.",
        "at_most_once": "This must be true or false.",
        "attachments[0].content": "This must be base64, a list of numbers from 0 to 255, or a "
        "Buffer of Node.js.",
        "attachments[0].size": "There is no such field.",
        "attachments[1]": "This must be a JSON object.",
        "tags": "This must be a list of at most 1000 objects.",
    }
    assert received.parts[0].value.subject == "Hello"
    assert received.parts[0].value.attachments[0].filename == "a"


@pytest.mark.parametrize(
    ("name", "known"),
    [("replyTo", "reply_to"), ("scheduledAt", "scheduled_at"), ("atMostOnce", "at_most_once")],
)
def test_names_in_camel_case_are_known(name: str, known: str) -> None:
    value = True if known == "at_most_once" else "a"
    received = single(json.dumps({name: value}).encode())

    assert faults(received) == {}
    assert getattr(received.parts[0].value, known) == value


def test_an_inline_picture_s_id_has_two_names() -> None:
    for name in ("content_id", "contentId", "inline_content_id", "inlineContentId"):
        received = single(json.dumps({"attachments": [{name: "logo"}]}).encode())
        assert faults(received) == {}
        assert received.parts[0].value.attachments[0].content_id == "logo"


@pytest.mark.parametrize("field", ["template", "topic_id", "react"])
def test_what_other_services_have_is_refused_with_what_to_do(field: str) -> None:
    told = faults(single(json.dumps({field: {"id": "a"}}).encode()))

    assert told.keys() == {field}
    assert told[field] != "There is no such field."
    assert faults(single(json.dumps({field: None}).encode())) == {}


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[1", b'{"to":}', b"{'to':1}", b'{"to":"\xff"}', b'{"to":"\\ud800"}',
        b'{"to":"a"} {}', b'{"foo":NaN}', b'{"foo":"\\ud800"}', b'{"foo":1',
        b'{"to":' + b"[" * 100_000, b'{"foo":' + b'{"a":' * 100_000, b"[" * 100_000,
    ],
)  # fmt: skip
@pytest.mark.parametrize("decode", [single, batch])
def test_what_is_no_json_is_refused(decode: Any, body: bytes) -> None:
    try:
        received = decode(body)
    except EmailsError as error:
        # What does not even begin as it should is not read on.
        assert error.status in (400, 413, 422)  # noqa: PT017
    else:
        assert faults(received) == {"body": "This must be a JSON object."}
        assert body.startswith(b"[")


@pytest.mark.parametrize(
    "unit", [b'{"":""}', b'"a"', b'{"name":"a"}', b'{"\\\\":"\\\\"}', b"{}", b"[]", b"null"]
)
@pytest.mark.parametrize("place", [b'{"to":[%b]}', b'{"tags":[%b]}', b'{"attachments":[%b]}',
                                   b'{"x":[%b]}', b'{"headers":[%b]}', b"[%b]"])  # fmt: skip
def test_small_things_in_great_number_do_not_fill_the_memory(unit: bytes, place: bytes) -> None:
    body = place % b",".join([unit] * 200_000)
    for decode in (single, batch):
        tracemalloc.start()
        try:
            with contextlib.suppress(EmailsError):
                decode(body)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 4 * len(body) + 1_000_000


def test_a_field_of_a_very_long_name_is_told_in_short_and_at_once() -> None:
    begin = time.process_time()
    received = single(b'{"' + b"aB" * 5_000_000 + b'":1}')

    assert faults(received) == {"aB" * 30 + "…": "There is no such field."}
    assert time.process_time() - begin < 0.1


def test_a_file_in_millions_of_numbers_is_refused_before_it_is_read() -> None:
    body = b'{"attachments":[{"filename":"a","content":[%b0]}]}'
    received = single(body % (b"0," * 5_000_000))
    content = received.parts[0].value.attachments[0].content

    assert len(content) == 5_000_001
    with pytest.raises(EmailsError) as caught:
        single(body % (b"0," * 11_000_000))
    assert caught.value.status == 413


def test_a_large_e_mail_of_html_is_no_great_number() -> None:
    html = '<a href="https://example.net/" style="color: red">Hello</a>\n' * 30_000
    received = single(json.dumps({"to": "a@example.net", "html": html}).encode())

    assert received.parts[0].value.html == html


def test_a_batch_keeps_its_order_and_its_faults_apart() -> None:
    received = batch(b'[{"to":"a"},{"to":5},{"to":"b","foo":1},null]')

    assert [part.value.to for part in received.parts] == ["a", None, "b", None]
    assert [[fault.field for fault in part.faults] for part in received.parts] == [
        [], ["to"], ["foo"], ["body"],
    ]  # fmt: skip


@pytest.mark.parametrize("body", [b"[]", b"{}", b"null", b'"a"', b"5"])
def test_a_batch_is_a_list_with_something_in_it(body: bytes) -> None:
    with pytest.raises(EmailsError) as caught:
        batch(body)
    assert caught.value.status == 422


@pytest.mark.parametrize("part", [b"{}", b'{"to":"a"}', b"[]", b"0"])
def test_a_batch_that_is_too_long_is_not_read_to_its_end(part: bytes) -> None:
    fits = b"[" + b",".join([part] * MOST_IN_A_BATCH) + b"]"
    assert len(batch(fits).parts) == MOST_IN_A_BATCH
    endless = b"[" + b",".join([part] * 1_000_000) + b"]"
    tracemalloc.start()
    try:
        with pytest.raises(EmailsError, match=r"at most 100|too many fields"):
            batch(endless)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100_000


@given(st.dictionaries(st.sampled_from(FIELDS) | st.text(), JSON))
def test_any_object_is_read_or_its_faults_are_named(sent: dict[str, Any]) -> None:
    received = single(json.dumps(sent).encode("utf-8", "replace"))

    assert isinstance(received.parts[0].value, EmailDto)
    for field, message in faults(received).items():
        assert field.isprintable()
        assert message
    email, unread = received.parts[0].value.typed()
    assert all(fault.message for fault in unread)
    assert isinstance(email.to, tuple)


@given(st.binary())
def test_any_octets_are_read_or_refused(body: bytes) -> None:
    for decode in (single, batch):
        try:
            decode(body)
        except EmailsError as error:
            assert error.status in (400, 422)  # noqa: PT017
