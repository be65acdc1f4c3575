"""What a check came to, as the settings page shows it: a row for each step, with what is wrong.

The script beside the page makes the same of the same answer while it comes in (`assets/check.js`).
"""

from collections.abc import Mapping
from typing import Any

Seen = Mapping[str, Any]

_MILLION = 1_000_000
_NOT_REACHED = "missed"


def check_shown(checked: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `_check.html` shows of the answer of `checkSmtpSettings`.

    `steps` are in the order in which they happened, each once, as it ended last. Each has its
    `state`, `time`, what it saw as `facts`, and its `problems`, of `kind` `failed` or `warning`.
    `result` is the word of the line that says it all; `ends_oauth2`: the save did that besides.
    """
    failure = checked.get("failure")
    problems = [{**one, "kind": "warning"} for one in checked["warnings"]]
    if failure is not None:
        problems.insert(0, {**failure, "kind": "failed"})
    steps = [
        _row(one, [problem for problem in problems if problem["step"] == one["step"]])
        for one in _last_of_each(checked["steps"])
    ]
    return {
        "result": _result(checked),
        "kind": "failed" if failure else "warning" if problems else "ok",
        "failure": failure,
        "ends_oauth2": "notice" in checked,
        "steps": steps,
    }


def suspects(checked: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the fields to look at after a check that failed, with what is wrong."""
    failure = checked.get("failure")
    return {} if failure is None else {name: [failure["title"]] for name in failure["fields"]}


def facts(seen: Seen) -> dict[str, Any]:
    """Return what a step saw as texts, by the names of the page's words.

    `days_left` is a number, `valid_until` a moment, `verified` a truth, and `replies` are a list.
    """
    certificate = seen.get("certificate", {})
    told = {
        "addresses": _listed(seen.get("addresses")),
        "connected": seen.get("address"),
        "banner": seen.get("banner"),
        "extensions": _listed(seen.get("extensions")),
        "largest": _octets(seen.get("sizeLimit")),
        "tls": _listed([seen[name] for name in ("version", "cipher") if seen.get(name)]),
        "verified": seen.get("verified"),
        "subject": certificate.get("subject"),
        "names": _listed(certificate.get("names")),
        "issuer": certificate.get("issuer"),
        "valid_until": certificate.get("notAfter"),
        "days_left": certificate.get("daysLeft"),
        "mechanisms": _listed(seen.get("mechanisms")),
        "mechanism": seen.get("mechanism"),
        "sender": seen.get("sender"),
        "reason": seen.get("reason"),
        "replies": [*([seen["reply"]] if seen.get("reply") else []), *seen.get("replies", [])],
    }
    return {name: value for name, value in told.items() if value not in (None, "", [])}


def milliseconds(taken: float) -> str:
    """Return a time as text, to one decimal where it is short."""
    return f"{taken:.1f}" if round(taken, 1) < 10 else f"{taken:,.0f}"


def _last_of_each(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the steps in the order of their first runs; those behind a failure were missed."""
    last: dict[str, dict[str, Any]] = {}
    failed = False
    for one in steps:
        missed = failed and one["state"] == "skipped"
        last[one["step"]] = {**one, "state": _NOT_REACHED} if missed else one
        failed = failed or one["state"] == "failed"
    return list(last.values())


def _row(step: Mapping[str, Any], problems: list[dict[str, Any]]) -> dict[str, Any]:
    state, taken = step["state"], step.get("milliseconds")
    if state == "ok" and problems:
        state = "warning"  # of what the settings alone show, the step knows nothing
    ran = state not in ("skipped", _NOT_REACHED)
    time = milliseconds(taken) if ran and taken is not None else None
    return {
        "step": step["step"],
        "state": state,
        "time": time,
        "facts": facts(step["seen"]),
        "problems": problems,
    }


def _result(checked: Mapping[str, Any]) -> str:
    if not checked["ok"]:
        return "failed"
    result = "saved" if checked["saved"] else "works"
    return f"{result}_warned" if checked["warnings"] else result


def _listed(values: list[str] | None) -> str:
    return ", ".join(values or [])


def _octets(count: int | None) -> str:
    """Return a size in millions of octets; 0 stands for no limit that is told (RFC 1870)."""
    return f"{count / _MILLION:,.1f}" if count else ""
