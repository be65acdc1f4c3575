"""What keeps a run of schemathesis from undoing itself."""

import os
from typing import Any

import schemathesis

OWN_KEY_ID = os.environ["CONTRACT_KEY"].split("_")[1]
NO_KEY_ID = "00000000-0000-7000-8000-000000000000"


@schemathesis.hook
def before_load_schema(context: schemathesis.HookContext, raw_schema: dict[str, Any]) -> None:
    """Hide Basic: after five wrong passwords the answer is 429, as it should be.

    The check `ignored_auth` tries a wrong one at every operation and takes nothing but 401.
    """
    del raw_schema["components"]["securitySchemes"]["Basic"]
    raw_schema["security"].remove({"Basic": []})


@schemathesis.hook
def before_call(
    context: schemathesis.HookContext, case: schemathesis.Case[Any], kwargs: dict[str, Any]
) -> None:
    """Keep the key of this run, which GET /keys lists, from being revoked."""
    if case.path_parameters and case.path_parameters.get("id") == OWN_KEY_ID:
        case.path_parameters["id"] = NO_KEY_ID
