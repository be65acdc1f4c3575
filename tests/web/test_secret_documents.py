"""A secret that is sent as a JSON object, or as the text of one."""

import json

import msgspec
import pytest

from smarthost.web.decoding import BodyDecoder, SecretDocument


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    document: SecretDocument | None = None


DECODER = BodyDecoder(Body)


def text_of(body: str) -> str:
    document = DECODER.decode(body.encode()).checked().document
    assert document is not None
    return document.text.reveal()


def test_an_object_becomes_its_text() -> None:
    value = {"a": [1, {"b": None}, 2.5], "\u00e4\n": "\U0001f511", "c": {}}
    assert json.loads(text_of(json.dumps({"document": value}))) == value


def test_text_stays_as_it_is() -> None:
    assert text_of('{"document": " {\\"a\\": 1} "}') == ' {"a": 1} '


@pytest.mark.parametrize(
    "value",
    ["7", "true", "[]", '[{"a":1}]', '{"a":1,"a":2}', '{"a":[{"b":1,"b":1}]}'],
)
def test_anything_else_is_refused_and_not_quoted(value: str) -> None:
    decoded = DECODER.decode(f'{{"document": {value}}}'.encode())
    assert decoded.faults == {"document": ["This must be a JSON object, or its text."]}


@pytest.mark.parametrize("depth", [200, 500, 900])
def test_deep_nesting_is_read_or_refused(depth: int) -> None:
    deep = '{"a":' * depth + "1" + "}" * depth
    decoded = DECODER.decode(f'{{"document": {deep}}}'.encode())
    assert decoded.faults in ({}, {"document": ["This must be a JSON object, or its text."]})


def test_it_does_not_show_itself() -> None:
    document = DECODER.decode(b'{"document": {"key": "c4nary"}}').value.document
    assert "c4nary" not in f"{document!r} {document}"
