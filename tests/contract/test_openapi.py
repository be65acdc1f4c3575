import json
import re
import socket
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from smarthost.app.web import all_operations
from smarthost.database.engine import StoreUnavailableError
from smarthost.portals.model import Permission
from smarthost.web.errors import STATUSES, refusal_of
from smarthost.web.family import CONTRACT
from smarthost.web.openapi import openapi_document
from smarthost.web.operations import Operation
from tests.contract.bodies import LOGIN, OPEN
from tests.contract.service import (
    AUTHENTICATION,
    EMAILS,
    KEYS,
    SETTINGS,
    Reply,
    Service,
    running_service,
)

# What the contract's table of statuses has, and those that HTTP itself asks for.
CONTRACT_STATUSES = {200, 400, 401, 402, 403, 404, 405, 406, 412, 413, 415, 429, 503}
OAUTH2 = f"{SETTINGS}/oauth2"
RESTORE = f"{SETTINGS}/history/{{revision}}/restore"
METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
BODY_TYPES = {"application/json", "application/*+json", "text/json"}
ANSWER_TYPES = {"application/json", "text/json", "text/plain"}
EVENT_TYPES = {"text/event-stream"}

Document = dict[str, Any]


@pytest.fixture(scope="module")
def document(service: Service) -> Document:
    reply = service.ask("GET", "/openapi.json")
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "application/json"
    served: Document = reply.json()
    return served


@pytest.fixture(scope="module")
def operations(service: Service) -> list[Operation]:
    return all_operations(service.config, service.parts)


def described(document: Document) -> dict[tuple[str, str], Any]:
    return {
        (path, method): operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    }


def resolved(document: Document, value: Any) -> Any:
    if "$ref" not in value:
        return value
    found: Any = document
    for part in value["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return found


def refusal(document: Document, name: str) -> Any:
    return document["components"]["responses"][name]


def told(response: Any, example: str = "refused") -> Any:
    return response["content"]["application/json"]["examples"][example]["value"]


def test_the_document_is_valid(document: Document) -> None:
    assert document["openapi"].startswith("3.1.")
    assert [str(error) for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_the_document_that_is_served_is_made_from_the_table(
    service: Service, operations: list[Operation]
) -> None:
    assert service.ask("GET", "/openapi.json").body == openapi_document(operations)


def test_the_document_is_the_same_on_any_host(
    portals_service: Service, document: Document
) -> None:
    reply = portals_service.ask("GET", "/openapi.json", headers={"Host": "elsewhere.test"})
    assert (reply.status, reply.json()) == (200, document)


def test_each_operation_is_described(document: Document, operations: list[Operation]) -> None:
    found = described(document)
    for operation in operations:
        entry = found.pop((operation.path, operation.method.lower()))
        assert entry["operationId"] == operation.operation_id
        assert entry["tags"] == [operation.tag]
        assert entry["summary"] == operation.summary
        assert operation.description in entry["description"]
    assert {path for path, _ in found} == {"/healthz", "/readyz", "/metrics", "/openapi.json"}


def test_each_status_is_an_answer_of_some_operation(document: Document) -> None:
    found = {
        int(status)
        for operation in described(document).values()
        for status in operation["responses"]
    }
    assert found >= CONTRACT_STATUSES | {status.value for status in STATUSES.values()}


@pytest.mark.parametrize(
    ("path", "method", "statuses"),
    [
        (SETTINGS, "get", {200, 400, 401, 402, 403, 404, 405, 406, 429, 500, 503}),
        (
            SETTINGS,
            "post",
            {200, 400, 401, 402, 403, 404, 405, 406, 412, 413, 415, 429, 500, 503},
        ),
        (SETTINGS, "delete", {200, 400, 401, 402, 403, 404, 405, 406, 412, 429, 500, 503}),
        (f"{SETTINGS}/history", "get", {200, 400, 401, 402, 403, 404, 405, 406, 429, 500, 503}),
        (OAUTH2, "get", {200, 400, 401, 402, 403, 404, 405, 406, 429, 500, 503}),
        (
            OAUTH2,
            "put",
            {200, 400, 401, 402, 403, 404, 405, 406, 409, 412, 413, 415, 429, 500, 503},
        ),
        (OAUTH2, "delete", {200, 400, 401, 402, 403, 404, 405, 406, 412, 429, 500, 503}),
        (RESTORE, "post", {200, 400, 401, 402, 403, 404, 405, 406, 412, 429, 500, 503}),
        (AUTHENTICATION, "post", {200, 400, 401, 403, 404, 405, 406, 413, 415, 429, 500, 503}),
        (KEYS, "post", {200, 400, 401, 403, 404, 405, 406, 409, 413, 415, 429, 500, 503}),
        (
            EMAILS,
            "post",
            {200, 400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 429, 500, 503, 507},
        ),
        (EMAILS, "get", {200, 400, 401, 403, 404, 405, 406, 422, 429, 500, 503, 507}),
        (
            f"{EMAILS}/{{id}}",
            "patch",
            {200, 400, 401, 403, 404, 405, 406, 413, 415, 422, 429, 500, 503, 507},
        ),
        (
            f"{SETTINGS}/check",
            "post",
            {200, 400, 401, 402, 403, 404, 405, 406, 409, 412, 413, 415, 429, 500, 503},
        ),
        (
            f"{SETTINGS}/check/events",
            "post",
            {200, 400, 401, 402, 403, 404, 405, 406, 409, 412, 413, 415, 429, 500, 503},
        ),
        (
            f"{SETTINGS}/test/events",
            "get",
            {200, 400, 401, 402, 403, 404, 405, 406, 429, 500, 503},
        ),
        ("/readyz", "get", {200, 400, 405, 500, 503}),
    ],
)
def test_an_operation_has_the_statuses_that_it_can_answer_with(
    document: Document, path: str, method: str, statuses: set[int]
) -> None:
    responses = described(document)[path, method]["responses"]
    assert {int(status) for status in responses} == statuses


def test_each_answer_has_its_headers(document: Document) -> None:
    for (path, method), operation in described(document).items():
        prefix = "ratelimit" if path.startswith(EMAILS) else "X-RateLimit"
        limits = {f"{prefix}-{name}" for name in ("limit", "remaining", "reset")}
        for status, reference in operation["responses"].items():
            headers = resolved(document, reference)["headers"]
            lower = {name.lower() for name in headers}
            assert {name.lower() for name in limits} <= lower, (path, method, status)
            assert {"Cache-Control", "X-Request-Id"} <= {*headers}
            assert ("Retry-After" in headers) == (status in {"429", "503"})
            assert ("WWW-Authenticate" in headers) == (status == "401")
            assert ("Allow" in headers) == (status == "405")
            tagged = path in (SETTINGS, RESTORE, OAUTH2) and status == "200"
            assert ("ETag" in headers) == tagged


def test_bodies_and_answers_have_all_their_content_types(document: Document) -> None:
    for (path, _), operation in described(document).items():
        if path.startswith(("/api/", EMAILS)):
            types = EVENT_TYPES if path.endswith("/events") else ANSWER_TYPES
            assert set(operation["responses"]["200"]["content"]) == types
        if "requestBody" in operation:
            assert set(operation["requestBody"]["content"]) == BODY_TYPES


def test_credentials_of_every_form_are_named(document: Document) -> None:
    schemes = document["components"]["securitySchemes"]
    assert {name: (scheme["type"], scheme.get("in", scheme.get("scheme"))) for name, scheme in
            schemes.items()} == {
        "asc_auth_key": ("apiKey", "cookie"),
        "ApiKeyBearer": ("apiKey", "header"),
        "Bearer": ("http", "bearer"),
        "Basic": ("http", "basic"),
    }  # fmt: skip
    assert document["security"] == [{name: []} for name in schemes]
    open_to_all = {key for key, entry in described(document).items() if "security" in entry}
    assert open_to_all == {
        (AUTHENTICATION, "post"),
        ("/healthz", "get"),
        ("/readyz", "get"),
        ("/metrics", "get"),
        ("/openapi.json", "get"),
    }


def test_a_password_is_written_and_never_read(document: Document) -> None:
    schemas = document["components"]["schemas"]
    asked = schemas["SmtpSettingsRequestDto"]["properties"]["credentialsUserPassword"]
    secret = {"type": "string", "format": "password", "writeOnly": True}
    assert asked["anyOf"] == [secret, {"type": "null"}]
    answered = schemas["SmtpSettingsDto"]["properties"]["credentialsUserPassword"]
    assert answered["enum"] == [""]


def test_the_port_is_a_number_or_its_digits(document: Document) -> None:
    port = document["components"]["schemas"]["SmtpSettingsRequestDto"]["properties"]["port"]
    assert port["anyOf"] == [
        {"type": "integer", "format": "int32", "minimum": 1, "maximum": 65535},
        {"type": "string", "pattern": "^[0-9]{1,5}$"},
        {"type": "null"},
    ]


def test_the_fields_that_are_needed_are_said_to_be(document: Document) -> None:
    schemas = document["components"]["schemas"]
    assert schemas["SmtpSettingsRequestDto"]["required"] == ["host", "senderAddress"]
    assert schemas["SmtpSettingsRequestDto"]["additionalProperties"] is False
    assert set(schemas["SmtpSettingsDto"]["required"]) == {
        "port",
        "credentialsUserPassword",
        "enableSSL",
        "enableAuth",
        "useNtlm",
        "isDefaultSettings",
    }


def test_each_field_of_a_request_is_explained(document: Document) -> None:
    for name in (
        "SmtpSettingsRequestDto", "AuthRequestsDto", "CreateApiKeyRequestDto", "EmailDto",
        "AttachmentDto", "TagDto", "RescheduleDto", "WebhookRequestDto",
    ):  # fmt: skip
        for field, schema in document["components"]["schemas"][name]["properties"].items():
            assert schema["description"], (name, field)


def test_every_example_fits_its_schema(document: Document) -> None:
    resource = DRAFT202012.create_resource(document)
    registry: Registry[Any] = Registry().with_resource("urn:document", resource)
    seen = 0
    for pointer, value in examples(document, ""):
        validator = Draft202012Validator(
            {"$ref": f"urn:document#{pointer}"},
            registry=registry,
            format_checker=Draft202012Validator.FORMAT_CHECKER,
        )
        assert [error.message for error in validator.iter_errors(value)] == [], pointer
        seen += 1
    assert seen > 60


def test_the_data_of_every_event_that_is_shown_fits_its_schema(document: Document) -> None:
    resource = DRAFT202012.create_resource(document)
    registry: Registry[Any] = Registry().with_resource("urn:document", resource)
    seen = []
    for (path, _), operation in described(document).items():
        content = operation["responses"]["200"]["content"].get("text/event-stream")
        if content is None:
            continue
        events = [kind["properties"] for kind in content["schema"]["oneOf"]]
        of_data = {one["event"]["const"]: one["data"]["contentSchema"] for one in events}
        assert of_data.keys() == {"step", "result", "error"}, path
        for example in content["examples"].values():
            event, data = example["value"]["event"], json.loads(example["value"]["data"])
            validator = Draft202012Validator(absolute(of_data[event]), registry=registry)
            assert [error.message for error in validator.iter_errors(data)] == [], path
            seen.append(event)
    assert set(seen) == {"step", "result"}


def absolute(schema: Any) -> Any:
    """Have references point into the document, of which this is a part."""
    return json.loads(json.dumps(schema).replace('"#/', '"urn:document#/'))


def examples(value: Any, pointer: str) -> Iterator[tuple[str, Any]]:
    """Each example, with the JSON pointer of the schema that it is one of."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from examples(item, f"{pointer}/{index}")
    if not isinstance(value, dict):
        return
    schema = f"{pointer}/schema"
    if "schema" in value and "example" in value:
        yield schema, value["example"]
    if "schema" in value and "examples" in value:
        yield from ((schema, example["value"]) for example in value["examples"].values())
        value = {name: part for name, part in value.items() if name != "examples"}
    for name, part in value.items():
        yield from examples(part, f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}")


def test_each_request_that_is_shown_gets_the_answer_that_is_shown(
    service: Service, operations: list[Operation]
) -> None:
    service.open_user("jane@example.com", password="correct horse")
    shown = [
        (operation, name, example.value)
        for operation in operations
        for name, example in operation.body_examples.items()
        if operation.family is CONTRACT
    ]
    assert len(shown) == 7
    there = {**LOGIN, "host": "smtp.office365.com"}
    for operation, name, body in shown:
        if operation.path == OAUTH2:
            assert service.ask("POST", SETTINGS, there, key=service.key).status == 200
        key = service.key if operation.action else None
        reply = service.ask(operation.method, operation.path, body, key=key)
        assert reply.status == 200, (operation.operation_id, name, reply.body)
        answered, expected = reply.json()["response"], operation.answer_examples[name].value
        # What is made anew each time is compared by its type, and by the schema elsewhere.
        assert answered.keys() == expected.keys()
        same = answered.keys() - {"id", "key", "keyPostfix", "createOn", "createBy", "expiresAt"}
        same -= {"token", "expires", "secret", "setOn", "revision"}
        assert {field: answered[field] for field in same} == {
            field: expected[field] for field in same
        }
    service.ask("DELETE", SETTINGS, key=service.key)


LOOKING = ("getEmail", "getEmailAttempts", "getEmailStatistics", "listEmails")


def test_each_e_mail_that_is_shown_is_accepted(
    service: Service, operations: list[Operation]
) -> None:
    service.ask("POST", SETTINGS, OPEN, key=service.key)
    scheduled = {"to": "jane@example.net", "subject": "", "text": "", "scheduled_at": "in 1 hour"}
    message_id = service.ask("POST", EMAILS, scheduled, key=service.key).json()["id"]
    shown = [
        (operation, name, example.value)
        for operation in operations
        for name, example in operation.body_examples.items()
        if operation.family is not CONTRACT
    ]
    assert len(shown) == 4
    for operation, name, body in shown:
        path = operation.path.replace("{id}", message_id)
        reply = service.ask(operation.method, path, body, key=service.key)
        assert reply.status == 200, (operation.operation_id, name, reply.body)
        (expected, *_) = operation.answer_examples.values()
        assert reply.json().keys() == expected.value.keys()
    for operation in operations:
        if operation.operation_id in LOOKING:
            path = operation.path.replace("{id}", message_id)
            answered = service.ask("GET", path, key=service.key).json()
            (example,) = operation.answer_examples.values()
            assert answered.keys() == example.value.keys()
    service.ask("DELETE", SETTINGS, key=service.key)


def test_each_answer_without_a_request_body_is_the_one_that_is_shown(
    service: Service, document: Document
) -> None:
    service.ask("DELETE", SETTINGS, key=service.key)
    for method in ("DELETE", "GET"):
        answers = described(document)[SETTINGS, method.lower()]["responses"]["200"]
        shown = told(answers, "default") | {"links": []}
        assert service.ask(method, SETTINGS, key=service.key).json() | {"links": []} == shown
    for path in ("/healthz", "/readyz"):
        (example,) = described(document)[path, "get"]["responses"]["200"]["content"][
            "application/json"
        ]["examples"].values()
        assert service.ask("GET", path).json() == example["value"]


def refuse_settings(service: Service) -> Reply:
    service.allow_settings(service.portal, allowed=False)
    try:
        return service.ask("GET", SETTINGS, key=service.key)
    finally:
        service.allow_settings(service.portal, allowed=True)


def suspended(service: Service, path: str) -> Reply:
    with service.suspended(service.portal):
        return service.ask("GET", path, key=service.key)


REFUSED: dict[str, Callable[[Service], Reply]] = {
    "Unauthorized": lambda service: service.ask("GET", SETTINGS, key="sh_nobody"),
    "PaymentRequired": refuse_settings,
    "Forbidden": lambda service: service.ask(
        "DELETE", SETTINGS, key=service.open_key(None, Permission.READ)
    ),
    "NothingThere": lambda service: service.ask("DELETE", f"{KEYS}/none", key=service.key),
    "MethodNotAllowed": lambda service: service.ask("PATCH", SETTINGS, key=service.key),
    "NotAcceptable": lambda service: service.ask(
        "GET", SETTINGS, key=service.key, headers={"Accept": "text/html"}
    ),
    "PreconditionFailed": lambda service: service.ask(
        "DELETE", SETTINGS, key=service.key, headers={"If-Match": '"1000"'}
    ),
    "ContentTooLarge": lambda service: service.ask(
        "POST", SETTINGS, {"host": "a" * 65536}, key=service.key
    ),
    "UnsupportedMediaType": lambda service: service.ask(
        "POST", SETTINGS, b"host=a", key=service.key, headers={"Content-Type": "text/html"}
    ),
}


def send(service: Service, key: str | None = None, **fields: object) -> Reply:
    service.ask("POST", SETTINGS, OPEN, key=service.key)
    body = {"to": "jane@example.net", "subject": "Hello", "text": "Hello", **fields}
    return service.ask("POST", EMAILS, body, key=key or service.key)


ID = "01a20468-4c81-7568-b9c7-f3a45b943b40"
REFUSED_EMAILS: dict[tuple[str, str], Callable[[Service], Reply]] = {
    ("EmailsBadRequest", "refused"): lambda service: service.ask(
        "POST", EMAILS, b"{", key=service.key, headers={"Content-Type": "application/json"}
    ),
    ("EmailsBadRequest", "key"): lambda service: service.ask(
        "POST", EMAILS, {}, key=service.key, headers={"Idempotency-Key": "a" * 257}
    ),
    ("EmailsUnauthorized", "refused"): lambda service: service.ask("GET", EMAILS),
    ("EmailsUnauthorized", "restricted"): lambda service: send(
        service, service.open_key(None, Permission.READ)
    ),
    ("EmailsForbidden", "refused"): lambda service: send(service, "sh_nobody"),
    ("EmailsForbidden", "sender"): lambda service: send(service, **{"from": "joe@example.net"}),
    ("EmailsForbidden", "suspended"): lambda service: suspended(service, EMAILS),
    ("EmailsNothingThere", "refused"): lambda service: service.ask(
        "POST", f"{EMAILS}/{ID}/cancel", key=service.key
    ),
    ("EmailsMethodNotAllowed", "refused"): lambda service: service.ask("PUT", EMAILS),
    ("EmailsNotAcceptable", "refused"): lambda service: service.ask(
        "GET", EMAILS, key=service.key, headers={"Accept": "text/html"}
    ),
    ("EmailsContentTooLarge", "refused"): lambda service: service.ask(
        "POST", EMAILS, b"{", key=service.key,
        headers={"Content-Type": "application/json", "Content-Length": "100000000"},
    ),
    ("EmailsUnsupportedMediaType", "refused"): lambda service: service.ask(
        "POST", EMAILS, b"to=a", key=service.key, headers={"Content-Type": "text/html"}
    ),
    ("EmailsUnprocessable", "refused"): lambda service: send(service, subject=None),
    ("EmailsUnprocessable", "id"): lambda service: service.ask(
        "GET", f"{EMAILS}/4711", key=service.key
    ),
    ("EmailsUnprocessable", "field"): lambda service: send(service, replay_to="a@example.net"),
}  # fmt: skip


@pytest.mark.parametrize("shown", REFUSED_EMAILS, ids="-".join)
def test_the_refusal_of_an_e_mail_that_is_shown_is_the_one_that_is_told(
    service: Service, document: Document, shown: tuple[str, str]
) -> None:
    reply = REFUSED_EMAILS[shown](service)
    service.ask("DELETE", SETTINGS, key=service.key)
    response = refusal(document, shown[0])
    told_here = reply.json()
    told_here.pop("errors", None)
    assert told_here == told(response, shown[1])
    assert reply.status == reply.json()["statusCode"]
    assert [header for header in response["headers"] if header not in reply.headers] == []


@pytest.fixture(scope="module")
def fresh_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One in which nothing has been saved yet."""
    with running_service(tmp_path_factory.mktemp("fresh")) as running:
        yield running


@pytest.mark.parametrize("name", REFUSED)
def test_the_refusal_that_is_shown_is_the_one_that_is_told(
    fresh_service: Service, document: Document, name: str
) -> None:
    reply = REFUSED[name](fresh_service)
    response = refusal(document, name)
    assert reply.json() == told(response)
    assert reply.status == reply.json()["statusCode"]
    assert [header for header in response["headers"] if header not in reply.headers] == []


def test_the_refusal_of_a_suspended_portal_is_the_one_that_is_told(
    fresh_service: Service, document: Document
) -> None:
    reply = suspended(fresh_service, SETTINGS)
    assert reply.status == 403
    assert reply.json() == told(refusal(document, "Forbidden"), "suspended")


def test_the_other_refusals_that_are_shown_are_told(
    fresh_service: Service, document: Document
) -> None:
    check = f"{SETTINGS}/check"
    nothing = fresh_service.ask("POST", check, key=fresh_service.key)
    assert (nothing.status, nothing.json()) == (
        409,
        told(refusal(document, "Conflict"), "nothingToCheck"),
    )
    json_alone = {"Accept": "application/json"}
    refused = fresh_service.ask(
        "POST", f"{check}/events", key=fresh_service.key, headers=json_alone
    )
    assert (refused.status, refused.json()) == (
        406,
        told(refusal(document, "NotAcceptable"), "events"),
    )


def test_the_refusal_of_no_request_at_all_is_the_one_that_is_told(
    service: Service, document: Document
) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as connection:
        connection.sendall(b"no request at all\r\n\r\n")
        _, _, body = connection.makefile("rb").read().partition(b"\r\n\r\n")
    assert json.loads(body) == told(refusal(document, "BadRequest"))


def test_the_refusal_by_host_name_is_the_one_that_is_told(
    portals_service: Service, document: Document
) -> None:
    reply = portals_service.ask("GET", SETTINGS, headers={"Host": "nobody.portals.test"})
    assert reply.json() == told(refusal(document, "NotFound"))


def test_the_refusal_without_a_store_is_the_one_that_is_told(document: Document) -> None:
    found = refusal_of(StoreUnavailableError("disk I/O error in /var/lib"), 0)
    assert found is not None
    assert found.status is HTTPStatus.SERVICE_UNAVAILABLE
    shown = told(refusal(document, "ServiceUnavailable"))
    assert found.message == shown["error"]["message"]


def test_the_bad_bodies_that_are_shown_are_refused_so(
    service: Service, document: Document
) -> None:
    for path in (AUTHENTICATION, KEYS):
        bad = described(document)[path, "post"]["responses"]["400"]
        for example, body in {"notJson": b"port=25", "field": b'{"prot":25}'}.items():
            headers = {"Content-Type": "application/json"}
            reply = service.ask("POST", path, body, key=service.key, headers=headers)
            assert reply.json() == told(bad, example)


def test_patterns_mean_the_same_in_every_dialect(document: Document) -> None:
    patterns = re.findall(r'"pattern": ?"([^"]*)', json.dumps(document))
    assert patterns
    assert not [pattern for pattern in patterns if "(?" in pattern or r"\Z" in pattern]


@pytest.mark.parametrize("method", ["PATCH", "TRACE", "PURGE", "QUERY", "CONNECT"])
def test_each_path_names_the_methods_that_it_takes(
    service: Service, document: Document, method: str
) -> None:
    for path, item in document["paths"].items():
        taken = {name.upper() for name in item} | {"OPTIONS"}
        taken |= {"HEAD"} if "GET" in taken else set()
        place = path.replace("{id}", "01a20468-4c81-7568-b9c7-f3a45b943b40")
        place = place.replace("{revision}", "1")
        for asked, status in ((method, 405), ("OPTIONS", 204)):
            if asked in taken - {"OPTIONS"}:
                continue
            reply = service.ask(asked, place, key=service.key)
            assert (reply.status, reply.headers["Allow"]) == (status, ", ".join(sorted(taken)))
