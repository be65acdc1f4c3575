import contextlib
import json
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.secret import Secret
from smarthost.web.decoding import BodyDecoder, Decoded
from smarthost.web.errors import RequestError


class Body(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    first_name: Annotated[str, msgspec.Meta(max_length=5)]
    count: Annotated[int, msgspec.Meta(ge=1, le=9)] | None = None
    flag: bool = False
    pass_word: Secret | None = None
    items: Annotated[list[str], msgspec.Meta(min_length=1)] | None = None


DECODER = BodyDecoder(Body)

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=10,
)


def decode(value: object) -> Decoded[Body]:
    return DECODER.decode(json.dumps(value).encode())


@given(st.binary())
def test_any_octets_are_an_object_or_400(body: bytes) -> None:
    with contextlib.suppress(RequestError):
        DECODER.decode(body)


@given(ANY_JSON)
def test_any_json_is_an_object_or_400(value: Any) -> None:
    body = json.dumps(value).encode("utf-8", "surrogatepass")
    with contextlib.suppress(RequestError):
        DECODER.decode(body)
        assert isinstance(value, dict)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(
    ("firstName", "FIRSTNAME", "count", "flag", "passWord", "items", "other"), ANY_JSON,
)))  # fmt: skip
def test_each_field_has_its_value_or_its_fault(value: dict[str, Any]) -> None:
    try:
        decoded = decode(value)
    except RequestError:  # a number or a surrogate that is no JSON
        return
    for name in value:
        known = decoded.sent.get(name if name != "FIRSTNAME" else "firstName")
        assert name in decoded.faults or known is not None
    if "other" in value:
        assert "other" in decoded.faults
    if {"firstName", "FIRSTNAME"} <= set(value):
        assert {"firstName", "FIRSTNAME"} & set(decoded.faults)
    if not decoded.faults:
        assert decoded.checked() == decoded.value


def test_names_match_in_any_case_and_faults_keep_the_name_that_was_sent() -> None:
    decoded = decode({"FIRSTname": "too long", "COUNT": 3})

    assert decoded.value.count == 3
    assert list(decoded.faults) == ["FIRSTname"]
    assert decoded.lacks("firstName")
    assert not decoded.lacks("count")
    assert not decoded.lacks("flag")


def test_a_missing_field_has_the_contract_s_name() -> None:
    assert decode({}).faults == {"firstName": ["This is needed: text of 0 to 5 characters."]}


def test_faults_of_the_rules_get_the_name_that_was_sent() -> None:
    decoded = decode({"FirstName": "a", "count": "x", "flag": 1})
    error = decoded.with_faults({"firstName": ["wrong"], "count": ["missing"], "items": ["none"]})

    # What could not be read is not missing too.
    assert error.fields == {
        "FirstName": ["wrong"],
        "count": ["This must be a whole number from 1 to 9."],
        "items": ["none"],
        "flag": ["This must be true or false."],
    }


def test_wrong_values_are_not_repeated() -> None:
    decoded = decode({"firstName": "a", "passWord": ["hunter2"], "count": "hunter2"})

    assert set(decoded.faults) == {"passWord", "count"}
    assert "hunter2" not in str(decoded.faults)
    assert "hunter2" not in repr(decode({"firstName": "a", "passWord": "hunter2"}))


def test_an_object_is_no_list() -> None:
    assert set(decode({"firstName": "a", "items": {"a": "b"}}).faults) == {"items"}
    assert decode({"firstName": "a", "items": []}).faults == {
        "items": ["This must be a list of 1 or more of text."]
    }


@pytest.mark.parametrize("text", ["NaN", "-Infinity", '"\\ud800"', '"\\udc00\\ud800"', "1" * 5000])
def test_what_json_has_not_is_400(text: str) -> None:
    with pytest.raises(RequestError):
        DECODER.decode(b'{"other": %b}' % text.encode())
    with pytest.raises(RequestError):
        DECODER.decode(b'{"other": [{"deep": %b}]}' % text.encode())


def test_a_surrogate_pair_is_a_letter() -> None:
    body = b'{"firstName": "\\ud83d\\ude00"}'

    assert DECODER.decode(body).checked().first_name == "\U0001f600"
