"""The paths that machines ask outside the API: no credentials, no envelope."""

from typing import Any

from smarthost.web.api.service import NO_STORE, OK, STOPPING
from smarthost.web.openapi.headers import ON_ALL, header_references
from smarthost.web.openapi.refusals import (
    BAD_REQUEST,
    INTERNAL_SERVER_ERROR,
    METHOD_NOT_ALLOWED,
    refusal_reference,
)
from smarthost.web.openapi.schemas import reference

TAG = "Service"

_STATUS = {
    "type": "object",
    "properties": {"status": {"type": "string"}, "reason": {"type": "string"}},
    "required": ["status"],
}
_METRICS = {
    "description": "All metrics, as OpenMetrics where `Accept` asks for it.",
    "headers": header_references(*ON_ALL),
    "content": {
        kind: {"schema": {"type": "string"}}
        for kind in ("text/plain", "application/openmetrics-text")
    },
}


def service_paths() -> dict[str, Any]:
    """Return the Path Items of OpenAPI by path."""
    return {
        "/healthz": _path(
            "getHealth",
            "Ask whether the process lives",
            {"200": _answer("It does.", _STATUS, {"alive": {"value": OK}})},
        ),
        "/readyz": _path(
            "getReadiness",
            "Ask whether requests can be served now",
            {
                "200": _answer("They can.", _STATUS, {"ready": {"value": OK}}),
                "503": _answer(
                    "The store cannot be reached, or the service is about to stop.",
                    _STATUS,
                    {"noStore": {"value": NO_STORE}, "stopping": {"value": STOPPING}},
                    "Retry-After",
                ),
            },
        ),
        "/metrics": _path(
            "getMetrics",
            "Read the metrics, as Prometheus does",
            {"200": _METRICS, "403": _answer("Not from this address.", reference("Failure"), {})},
        ),
        "/openapi.json": _path(
            "getOpenApi",
            "Get this document",
            {"200": _answer("This document.", {"type": "object"}, {})},
        ),
    }


def _path(operation_id: str, summary: str, answers: dict[str, Any]) -> dict[str, Any]:
    possible = (BAD_REQUEST, METHOD_NOT_ALLOWED, INTERNAL_SERVER_ERROR)
    refusals = {str(refusal.status.value): refusal_reference(refusal) for refusal in possible}
    return {
        "get": {
            "operationId": operation_id,
            "summary": summary,
            "description": "Answers on any host name.",
            "tags": [TAG],
            "security": [],
            "responses": dict(sorted({**refusals, **answers}.items())),
        }
    }


def _answer(
    description: str, schema: dict[str, Any], examples: dict[str, Any], *headers: str
) -> dict[str, Any]:
    content = {"schema": schema} | ({"examples": examples} if examples else {})
    return {
        "description": description,
        "headers": header_references(*ON_ALL, *headers),
        "content": {"application/json": content},
    }
