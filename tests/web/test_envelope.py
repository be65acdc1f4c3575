import json
from http import HTTPStatus

import pytest

from smarthost.web.envelope import failure, status_type, success

LINK = '"links":[{"href":"http://a.example/","action":"GET"}],"status":0,"statusCode":200}'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, '{"count":0,'),
        ([], '{"response":[],"count":0,'),
        ([1, 2], '{"response":[1,2],"count":2,'),
        (True, '{"response":true,"count":1,'),
        (False, '{"response":false,"count":1,'),
        ("", '{"response":"","count":1,'),
        ({"a": "\u00e4"}, '{"response":{"a":"\u00e4"},"count":1,'),
    ],
)
def test_a_success_is_this_text(value: object, text: str) -> None:
    assert success(value, href="http://a.example/", action="GET").decode() == text + LINK


def test_a_failure_has_fields_only_where_there_are_some() -> None:
    bare = b'{"error":{"message":"Gone.","type":"notFound"},"status":1,"statusCode":404}'

    assert failure(HTTPStatus.NOT_FOUND, "Gone.") == bare
    assert failure(HTTPStatus.NOT_FOUND, "Gone.", {}) == bare
    told = json.loads(failure(HTTPStatus.BAD_REQUEST, "No.", {"a": ["b", "c"]}))
    assert told["response"] == {"errors": {"a": ["b", "c"]}}


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (400, "badRequest"),
        (401, "unauthorized"),
        (402, "paymentRequired"),
        (403, "forbidden"),
        (404, "notFound"),
        (405, "methodNotAllowed"),
        (406, "notAcceptable"),
        (408, "requestTimeout"),
        (409, "conflict"),
        (412, "preconditionFailed"),
        (413, "contentTooLarge"),
        (415, "unsupportedMediaType"),
        (429, "tooManyRequests"),
        (431, "requestHeaderFieldsTooLarge"),
        (500, "internalServerError"),
        (503, "serviceUnavailable"),
    ],
)
def test_a_status_has_its_name_in_camel_case(status: int, name: str) -> None:
    assert status_type(HTTPStatus(status)) == name
