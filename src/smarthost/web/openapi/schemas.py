"""JSON Schemas of what is sent and answered, from the types that decode and encode it.

msgspec makes them; what it cannot know is added here: which fields an answer always has, and
which ones the rules behind a request ask for.
"""

from collections.abc import Iterable
from typing import Any, get_args, get_origin

import msgspec
from msgspec import inspect

from smarthost.secret import Secret
from smarthost.web.decoding import SecretDocument
from smarthost.web.emails.errors import EmailsFailure
from smarthost.web.envelope import Failure, Success
from smarthost.web.family import CONTRACT
from smarthost.web.operations import Operation

Schema = dict[str, Any]

_PREFIX = "#/components/schemas/"
_PYTHON_END = r"(?!\n)$"
_STEMS = {bool: "Boolean", None: "Empty"}


def reference(name: str) -> Schema:
    """Return a reference to a schema of the document."""
    return {"$ref": _PREFIX + name}


def schema_of(kind: Any) -> Schema:  # noqa: ANN401 - a type, as msgspec takes it
    """Return the schema of a type, with references to the document's schemas."""
    (schema,), _ = _schemas([kind])
    return schema


def wrapper_name(answer: Any, *, may_be_absent: bool = False) -> str:  # noqa: ANN401
    """Return what the envelope around an answer's type is called."""
    if may_be_absent:
        return f"Optional{wrapper_name(answer)}"
    if get_origin(answer) is list:
        return wrapper_name(get_args(answer)[0]).replace("Wrapper", "ArrayWrapper")
    stem = _STEMS.get(answer) or answer.__name__.removesuffix("Dto")
    return f"{stem}Wrapper"


def component_schemas(operations: Iterable[Operation]) -> dict[str, Schema]:
    """Return all schemas that the operations need, by name."""
    operations = list(operations)
    bodies = [operation.body for operation in operations if operation.body]
    _, sent = _schemas(bodies)
    for body in _structs(bodies):
        sent[body.__name__]["required"] = _needed(body)
    answers = [operation.answer for operation in operations]
    answers += [kind for operation in operations for kind in operation.events.values()]
    _, answered = _schemas([*answers, Success, Failure, EmailsFailure])
    for schema in answered.values():
        _require_what_is_always_there(schema)
    envelope = answered.pop("Success")
    wrappers = {
        wrapper_name(operation.answer, may_be_absent=operation.may_be_absent): _wrapped(
            envelope, operation
        )
        for operation in operations
        if operation.family is CONTRACT and not operation.events
    }
    return dict(sorted({**sent, **answered, **wrappers}.items()))


def _structs(kinds: Iterable[Any]) -> set[type[msgspec.Struct]]:
    """Return the types of objects in these types, themselves included."""
    found: set[type[msgspec.Struct]] = set()
    waiting = [inspect.type_info(kind) for kind in kinds]
    while waiting:
        match waiting.pop():
            case inspect.StructType(cls=cls, fields=fields) if cls not in found:
                found.add(cls)
                waiting += [field.type for field in fields]
            case inspect.UnionType(types=types):
                waiting += types
            case inspect.Metadata(type=inner) | inspect.ListType(item_type=inner):
                waiting.append(inner)
    return found


def _schemas(kinds: Iterable[Any]) -> tuple[tuple[Schema, ...], dict[str, Schema]]:
    schemas = msgspec.json.schema_components(
        kinds, schema_hook=_secret, ref_template=_PREFIX + "{name}"
    )
    portable: tuple[tuple[Schema, ...], dict[str, Schema]] = _portable(schemas)
    return portable


def _portable(schema: Any) -> Any:  # noqa: ANN401 - any part of a schema
    """Write patterns as JSON Schema asks (its section 6.4), without lookaheads.

    Only Python's `$` lets a line end pass, and RE2, which many clients have, knows none.
    """
    match schema:
        case str():
            return schema.replace(_PYTHON_END, "$")
        case dict():
            return {name: _portable(part) for name, part in schema.items()}
        case list() | tuple():
            return type(schema)(map(_portable, schema))
        case _:
            return schema


def _secret(kind: type) -> Schema:
    text = {"type": "string", "format": "password"}
    if kind is SecretDocument:
        return {"anyOf": [text, {"type": "object"}], "writeOnly": True}
    if kind is not Secret:
        raise NotImplementedError
    return text | {"writeOnly": True}


def is_needed(kind: inspect.Type) -> bool:
    """Say whether the rules ask for a value of this type, where the type itself does not."""
    extra = kind.extra if isinstance(kind, inspect.Metadata) else None
    return bool((extra or {}).get("needed"))


def _needed(body: type[msgspec.Struct]) -> list[str]:
    information = inspect.type_info(body)
    assert isinstance(information, inspect.StructType)  # noqa: S101 - what a body is
    return [
        field.encode_name
        for field in information.fields
        if field.required or is_needed(field.type)
    ]


def _require_what_is_always_there(schema: Schema) -> None:
    """Defaults are written out in answers; only a field that may be unset has none."""
    properties = schema.get("properties", {})
    always = [
        name
        for name, of_field in properties.items()
        if of_field.pop("default", None) is not None or name in schema["required"]
    ]
    if properties:
        schema["required"] = always


def _wrapped(envelope: Schema, operation: Operation) -> Schema:
    properties = dict(envelope["properties"])
    required = envelope["required"]
    if operation.answer is None:
        del properties["response"]
    else:
        properties["response"] = schema_of(operation.answer)
        if not operation.may_be_absent:
            required = ["response", *required]
    return {
        "title": wrapper_name(operation.answer, may_be_absent=operation.may_be_absent),
        "description": "The envelope of an answer.",
        "type": "object",
        "properties": properties,
        "required": required,
    }
