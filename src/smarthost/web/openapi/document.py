"""Puts the document together: one entry an operation, and what they share.

Nothing is described by hand that the table of operations or a type already says, so that the
document cannot promise what the service does not do.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import inspect

from smarthost import __version__
from smarthost.web.auth import COOKIE
from smarthost.web.content import EVENTS
from smarthost.web.family import CONTRACT
from smarthost.web.openapi.emails_refusals import EMAILS_TABLE
from smarthost.web.openapi.headers import NOTICE, header_components, header_references
from smarthost.web.openapi.refusals import CONTRACT_TABLE, Table
from smarthost.web.openapi.schemas import (
    component_schemas,
    is_needed,
    reference,
    schema_of,
    wrapper_name,
)
from smarthost.web.openapi.service_paths import TAG, service_paths
from smarthost.web.operations import Operation

_DESCRIPTION = """\
Keeps each portal's outgoing-mail (SMTP) settings, and sends its mail through them. The portal is \
the one that the request's host name belongs to.

Every answer under /api/2.0 is an envelope: `response` holds the value, and a failure has \
`error.message` in plain words for the person behind the client. The paths under /emails have the \
shapes, names and headers of Resend's API, so that its clients work with them. `HEAD` is answered \
like `GET`, `OPTIONS` with 204 and `Allow`. What is no well-formed HTTP request, or comes while \
too many connections are open, is refused in the envelope before anything is known about it, and \
without the headers about limits."""

_TABLES = (CONTRACT_TABLE, EMAILS_TABLE)
_REQUEST_TYPES = ("application/json", "application/*+json", "text/json")
_ANSWER_TYPES = ("application/json", "text/json", "text/plain")
_EXAMPLE_ADDRESS = "https://mail.example.com"
_IF_MATCH = "if-match"
_SERVER_SENT = (
    "Each of the server-sent events (WHATWG HTML). `error` is a refusal that came too late to be "
    "the answer."
)


def openapi_document(operations: Sequence[Operation]) -> bytes:
    """Return the document (OpenAPI 3.1) as JSON text."""
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    for operation in operations:
        paths[operation.path][operation.method.lower()] = _operation(operation)
    tags = dict.fromkeys([*(operation.tag for operation in operations), TAG])
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "Smarthost",
                "version": __version__,
                "description": _DESCRIPTION,
                "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
            },
            "servers": [{"url": "/"}],
            "tags": [{"name": tag} for tag in tags],
            "security": [{name: []} for name in _SECURITY],
            "paths": paths | service_paths(),
            "components": {
                "schemas": component_schemas(operations),
                "responses": {
                    name: response
                    for table in _TABLES
                    for name, response in table.components().items()
                },
                "headers": header_components(),
                "parameters": {_IF_MATCH: _IF_MATCH_PARAMETER},
                "securitySchemes": _SECURITY,
            },
        }
    )


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.operation_id,
        "summary": operation.summary,
        "description": _description(operation),
        "tags": [operation.tag],
        "responses": {"200": _answer(operation), **_table(operation).refusals_of(operation)},
    }
    if operation.action is None:
        described["security"] = []
    if parameters := _parameters(operation):
        described["parameters"] = parameters
    if operation.body is not None:
        described["requestBody"] = _request(operation)
    return described


def _table(operation: Operation) -> Table:
    return next(table for table in _TABLES if table.family is operation.family)


def _description(operation: Operation) -> str:
    needed = operation.action and operation.action.value
    if needed is None:
        return operation.description
    return f"{operation.description} An API key needs the permission `{needed}` for this."


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    described = [
        _parameter(name, kind, place)
        for place, kinds in (
            ("path", operation.path_parameters),
            ("query", operation.query_parameters),
            ("header", operation.header_parameters),
        )
        for name, kind in kinds.items()
    ]
    if operation.conditional:
        described.append({"$ref": f"#/components/parameters/{_IF_MATCH}"})
    return described


def _parameter(name: str, kind: Any, place: str) -> dict[str, Any]:  # noqa: ANN401 - a type
    schema = schema_of(kind)
    described = {"description": schema.pop("description")}
    if place == "path" or is_needed(inspect.type_info(kind)):
        described["required"] = True
    return {"name": name, "in": place, "schema": schema} | described


def _request(operation: Operation) -> dict[str, Any]:
    examples = msgspec.to_builtins(operation.body_examples)
    content = {"schema": schema_of(operation.body), "examples": examples}
    required = not operation.body_optional
    return {"required": required, "content": dict.fromkeys(_REQUEST_TYPES, content)}


def _answer(operation: Operation) -> dict[str, Any]:
    tagged = ("ETag",) if operation.entity_tagged else ()
    noticed = (NOTICE,) if operation.may_end_oauth2 else ()
    return {
        "description": "Done." if not operation.events else "Events, as they happen.",
        "headers": header_references(*_table(operation).on_all, *tagged, *noticed),
        "content": _events(operation) if operation.events else _one_value(operation),
    }


def _one_value(operation: Operation) -> dict[str, Any]:
    schema = schema_of(operation.answer)
    if operation.family is CONTRACT:
        name = wrapper_name(operation.answer, may_be_absent=operation.may_be_absent)
        schema = reference(name)
    examples = {
        name: {"summary": example.summary, "value": _wrapped(operation, example.value)}
        for name, example in operation.answer_examples.items()
    }
    content = {"schema": schema, "examples": examples}
    return dict.fromkeys(_ANSWER_TYPES, content)


def _events(operation: Operation) -> dict[str, Any]:
    """Describe one event of a stream: OpenAPI 3.1 has no word for many of them."""
    refused = {"error": reference(_table(operation).schema)}
    kinds = {name: schema_of(kind) for name, kind in operation.events.items()} | refused
    examples = {
        name: {
            "summary": example.summary,
            "value": {
                "event": example.value[0],
                "data": msgspec.json.encode(example.value[1]).decode(),
            },
        }
        for name, example in operation.answer_examples.items()
    }
    return {
        EVENTS: {
            "schema": {
                "description": _SERVER_SENT,
                "oneOf": [_event(name, schema) for name, schema in kinds.items()],
            },
            "examples": examples,
        }
    }


def _event(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    data = {"type": "string", "contentMediaType": "application/json", "contentSchema": schema}
    return {
        "type": "object",
        "properties": {"event": {"const": name}, "data": data},
        "required": ["event", "data"],
    }


def _wrapped(operation: Operation, value: object) -> Any:  # noqa: ANN401 - JSON
    href = _EXAMPLE_ADDRESS + operation.path
    return msgspec.json.decode(operation.family.success(value, href, operation.method))


_IF_MATCH_PARAMETER = {
    "name": "If-Match",
    "in": "header",
    "description": "The `ETag` of the settings that the caller has seen, or several, or `*`. If "
    "others are in force, nothing is changed and the answer is 412.",
    "schema": {"type": "string"},
    "example": "*",
}

_SECURITY = {
    COOKIE: {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "An API key or a session token.",
    },
    "ApiKeyBearer": {
        "type": "apiKey",
        "in": "header",
        "name": "ApiKeyBearer",
        "description": "An API key or a session token.",
    },
    "Bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key or a session token; `Authorization` takes it without the word "
        "Bearer too. Where the operator has an OpenID Connect issuer, a JWT of it, with the word.",
    },
    "Basic": {
        "type": "http",
        "scheme": "basic",
        "description": "A user's e-mail address and password.",
    },
}
