"""What a check came to, as the page shows it."""

from typing import Any

import pytest

from smarthost.web.pages.check_shown import check_shown, facts, milliseconds, suspects


def step(name: str, state: str = "ok", taken: float = 1.0, **seen: Any) -> dict[str, Any]:
    return {"step": name, "state": state, "milliseconds": taken, "seen": seen}


def problem(name: str, *fields: str) -> dict[str, Any]:
    return {"step": name, "title": "No", "why": "Why.", "fix": "Fix.", "fields": list(fields)}


def checked(*steps: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return {"ok": "failure" not in rest, "steps": steps, "warnings": [], "saved": False, **rest}


def states(shown: dict[str, Any]) -> list[str]:
    return [f"{one['step']} {one['state']}" for one in shown["steps"]]


def test_a_step_that_ran_twice_is_shown_once_as_it_ended_last() -> None:
    steps = [
        step("ehlo", extensions=["STARTTLS"]),
        step("tls"),
        step("ehlo", mechanisms=["PLAIN"]),
    ]
    shown = check_shown(checked(*steps))
    assert states(shown) == ["ehlo ok", "tls ok"]
    assert shown["steps"][0]["facts"] == {"mechanisms": "PLAIN"}


def test_what_is_not_asked_for_is_told_from_what_was_not_reached() -> None:
    steps = [
        step("authenticate", "skipped", 0.0),
        step("sender", "failed"),
        step("recipient", "skipped", 0.0),
    ]
    shown = check_shown(checked(*steps, failure=problem("sender")))
    assert states(shown) == ["authenticate skipped", "sender failed", "recipient missed"]
    assert [one["time"] for one in shown["steps"]] == [None, "1.0", None]


def test_problems_stand_at_their_steps_and_an_unsuspecting_step_is_no_longer_ok() -> None:
    shown = check_shown(
        checked(
            step("connect"),
            step("tls", "failed"),
            failure=problem("tls", "port"),
            warnings=[problem("connect")],
        )
    )
    assert states(shown) == ["connect warning", "tls failed"]
    assert [[one["kind"] for one in row["problems"]] for row in shown["steps"]] == [
        ["warning"],
        ["failed"],
    ]


@pytest.mark.parametrize(
    ("rest", "result", "kind"),
    [
        ({}, "works", "ok"),
        ({"saved": True}, "saved", "ok"),
        ({"warnings": [problem("tls")]}, "works_warned", "warning"),
        ({"warnings": [problem("tls")], "saved": True}, "saved_warned", "warning"),
        ({"failure": problem("tls"), "warnings": [problem("tls")]}, "failed", "failed"),
    ],
)
def test_one_line_says_it_all(rest: dict[str, Any], result: str, kind: str) -> None:
    shown = check_shown(checked(step("tls"), **rest))
    assert (shown["result"], shown["kind"]) == (result, kind)


def test_the_fields_of_a_failure_are_suspects() -> None:
    assert suspects(checked()) == {}
    failed = checked(failure=problem("connect", "host", "port"))
    assert suspects(failed) == {"host": ["No"], "port": ["No"]}


def test_facts_have_no_empty_ones() -> None:
    assert facts({"extensions": [], "sizeLimit": 0, "warnings": ["not_encrypted"]}) == {}
    assert facts({"sizeLimit": None, "verified": False}) == {"verified": False}


def test_a_certificate_is_told_part_by_part() -> None:
    certificate = {
        "subject": "CN=a",
        "issuer": "CN=b",
        "names": ["a", "b"],
        "notBefore": "2026-10-01T00:00:00Z",
        "notAfter": "2026-12-30T00:00:00Z",
        "daysLeft": 0,
    }
    assert facts({"version": "TLSv1.3", "cipher": None, "certificate": certificate}) == {
        "tls": "TLSv1.3",
        "subject": "CN=a",
        "names": "a, b",
        "issuer": "CN=b",
        "valid_until": "2026-12-30T00:00:00Z",
        "days_left": 0,
    }


def test_replies_are_one_list() -> None:
    assert facts({"reply": "250 a"})["replies"] == ["250 a"]
    assert facts({"replies": ["250 a", "550 b"]})["replies"] == ["250 a", "550 b"]


@pytest.mark.parametrize(
    ("taken", "text"),
    [(0.0, "0.0"), (9.94, "9.9"), (9.96, "10"), (25.8, "26"), (30041.7, "30,042")],
)
def test_a_time_is_as_exact_as_it_is_short(taken: float, text: str) -> None:
    assert milliseconds(taken) == text
