"""Content types: what is read, what is answered, and what is neither."""

import gzip
import json
from urllib.parse import urlencode

import pytest

from tests.contract.bodies import OPEN
from tests.contract.service import SETTINGS, Service

BODY = json.dumps(OPEN).encode()

JSON = "application/json"
TEXT_JSON = "text/json; charset=utf-8"
PLAIN = "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        "application/json ; odata=verbose",
        "application/merge-patch+json",
        "application/vnd.api+json; charset=utf-8",
        "text/json",
    ],
)
def test_json_is_read_by_its_names(service: Service, content_type: str) -> None:
    headers = {"Content-Type": content_type}

    assert service.ask("POST", SETTINGS, BODY, headers=headers, key=service.key).status == 200


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "application/jsonp",
        "text/x+json",
        "image/json",
        "json",
        "",
        "application/json; charset=utf-16",
        "application/json; charset=iso-8859-1",
        "x" * 3000,
    ],
)
def test_any_other_type_is_415(service: Service, content_type: str) -> None:
    headers = {"Content-Type": content_type}
    reply = service.ask("POST", SETTINGS, BODY, headers=headers, key=service.key)

    assert reply.status == 415
    assert "application/json" in reply.json()["error"]["message"]


def test_a_body_without_a_type_is_415(service: Service) -> None:
    assert service.ask("POST", SETTINGS, BODY, key=service.key).status == 415


def test_a_chunked_body_without_a_type_is_415(service: Service) -> None:
    headers = {"Transfer-Encoding": "chunked"}
    body = b"0\r\n\r\n"

    assert service.ask("POST", SETTINGS, body, headers=headers, key=service.key).status == 415


def test_a_form_of_another_site_is_never_read(service: Service) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    body = urlencode(OPEN).encode()

    assert service.ask("POST", SETTINGS, body, headers=headers, key=service.key).status == 415


def test_no_body_at_all_is_400(service: Service) -> None:
    for body in (None, b""):
        reply = service.ask("POST", SETTINGS, body, key=service.key)

        assert reply.status == 400
        assert "missing" in reply.json()["error"]["message"]


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "gzip, identity", "x" * 3000])
def test_a_compressed_body_is_415(service: Service, coding: str) -> None:
    headers = {"Content-Type": JSON, "Content-Encoding": coding}
    reply = service.ask("POST", SETTINGS, gzip.compress(BODY), headers=headers, key=service.key)

    assert reply.status == 415


def test_the_identity_coding_is_none(service: Service) -> None:
    headers = {"Content-Type": JSON, "Content-Encoding": "Identity"}

    assert service.ask("POST", SETTINGS, BODY, headers=headers, key=service.key).status == 200


def test_64_kib_are_read_and_an_octet_more_is_413(service: Service) -> None:
    headers = {"Content-Type": JSON}
    most = BODY.ljust(64 * 1024)

    assert service.ask("POST", SETTINGS, most, headers=headers, key=service.key).status == 200
    reply = service.ask("POST", SETTINGS, most + b" ", headers=headers, key=service.key)
    assert (reply.status, reply.json()["error"]["type"]) == (413, "contentTooLarge")


def test_a_chunked_body_is_measured_while_it_arrives(service: Service) -> None:
    headers = {"Content-Type": JSON, "Transfer-Encoding": "chunked"}
    for size, status in ((64 * 1024, 200), (64 * 1024 + 1, 413)):
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (size, BODY.ljust(size))

        reply = service.ask("POST", SETTINGS, body, headers=headers, key=service.key)
        assert reply.status == status


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (None, JSON),
        ("", JSON),
        (" ", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        ("application/json", JSON),
        ("APPLICATION/JSON", JSON),
        ("application/json; charset=utf-8", JSON),
        ("text/json", TEXT_JSON),
        ("text/*", TEXT_JSON),
        ("text/plain", PLAIN),
        # What browsers and HTTP libraries send.
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", JSON),
        ("application/json, text/plain, */*", JSON),
        # Weights: the highest wins, the first among equals.
        ("text/plain, application/json", PLAIN),
        ("application/json;q=0.5, text/plain", PLAIN),
        ("text/plain;q=0.5, application/json;q=0.9", JSON),
        ("text/plain;q=0, */*", JSON),
        ("application/json;q=0, */*", TEXT_JSON),
        ("application/*;q=0, text/plain;q=0.1", PLAIN),
        ("*/*;q=0.1, text/json;q=0.2", TEXT_JSON),
        ("text/html, text/plain;q=0.001", PLAIN),
        ("text/html;level=1, text/plain; q = 0.3", PLAIN),
    ],
)
def test_the_answer_has_the_type_that_is_asked_for(
    service: Service, accept: str | None, content_type: str
) -> None:
    headers = {} if accept is None else {"Accept": accept}
    reply = service.ask("GET", SETTINGS, headers=headers, key=service.key)

    assert (reply.status, reply.headers["Content-Type"]) == (200, content_type)
    assert reply.json()["statusCode"] == 200


@pytest.mark.parametrize(
    "accept",
    ["text/html", "application/xml", "image/*", "application/json;q=0", "*/*;q=0", "json", "*",
     "application/json;q=x", "application/json;q=nan", ",", "text/html" + " " * 2000 + ",*/*"],
)  # fmt: skip
def test_what_is_not_answered_is_406(service: Service, accept: str) -> None:
    reply = service.ask("GET", SETTINGS, headers={"Accept": accept}, key=service.key)

    assert (reply.status, reply.headers["Content-Type"]) == (406, JSON)


def test_several_accept_headers_are_one_list(service: Service) -> None:
    headers = [("Accept", "text/html"), ("Accept", "text/plain")]
    reply = service.ask("GET", SETTINGS, headers=headers, key=service.key)

    assert reply.headers["Content-Type"] == PLAIN


def test_406_changes_nothing(service: Service) -> None:
    before = service.ask("GET", SETTINGS, key=service.key).headers["ETag"]
    headers = {"Accept": "text/html"}
    changed = {**OPEN, "port": 2525}

    assert service.ask("POST", SETTINGS, changed, headers=headers, key=service.key).status == 406
    assert service.ask("DELETE", SETTINGS, headers=headers, key=service.key).status == 406
    assert service.ask("GET", SETTINGS, key=service.key).headers["ETag"] == before
