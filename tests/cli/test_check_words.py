"""What a step of a check saw, in few words."""

from typing import Any

import pytest

from smarthost.cli.check_words import cells
from smarthost.delivery.outcome import Step, StepState
from smarthost.relay_check.model import StepTold

CERTIFICATE = {
    "subject": "CN=mail.example.com",
    "issuer": "CN=Example CA",
    "names": ["mail.example.com", "smtp.example.com"],
    "notBefore": "2026-01-02T00:00:00Z",
    "notAfter": "2026-04-02T00:00:00Z",
    "daysLeft": 40,
}
TELLS = "for mail.example.com, smtp.example.com; from 2026-01-02 to 2026-04-02; by CN=Example CA"


def cells_of(step: Step, seen: dict[str, Any]) -> tuple[str, str, str, str]:
    return cells(StepTold(step=step, state=StepState.OK, milliseconds=1234.5, seen=seen))


@pytest.mark.parametrize(
    ("step", "seen", "words"),
    [
        (Step.RESOLVE, {"addresses": ["192.0.2.1", "2001:db8::1"]}, "192.0.2.1, 2001:db8::1"),
        (Step.CONNECT, {"address": "192.0.2.1", "port": 25}, "192.0.2.1 port 25"),
        (Step.GREETING, {"banner": "220 Hello"}, "220 Hello"),
        (
            Step.EHLO,
            {"extensions": ["DSN", "STARTTLS"], "mechanisms": ["PLAIN"], "sizeLimit": 10_000},
            "DSN STARTTLS; login by PLAIN; at most 10,000 octets",
        ),
        (Step.EHLO, {"extensions": [], "mechanisms": [], "sizeLimit": None}, ""),
        (
            Step.TLS,
            {"version": "TLSv1.3", "cipher": "C", "verified": True, "certificate": CERTIFICATE},
            f"TLSv1.3 C; certificate verified; {TELLS}",
        ),
        (Step.TLS, {"certificate": CERTIFICATE}, TELLS),
        (
            Step.TLS,
            {"certificate": CERTIFICATE | {"names": []}},
            TELLS.replace("mail.example.com, smtp.example.com", "CN=mail.example.com"),
        ),
        (
            Step.TLS,
            {"reply": "454 4.7.0 Not now", "warnings": ["not_encrypted"]},
            "454 4.7.0 Not now; not encrypted",
        ),
        (Step.AUTHENTICATE, {"mechanism": "PLAIN", "reply": "235 Ok"}, "PLAIN; 235 Ok"),
        (Step.SENDER, {"sender": "a@example.com", "reply": "250 Ok"}, "250 Ok"),
        (Step.RECIPIENT, {"replies": ["250 Ok"]}, "250 Ok"),
    ],
)
def test_each_step_says_what_it_saw(step: Step, seen: dict[str, Any], words: str) -> None:
    assert cells_of(step, seen) == (step.value, "ok", "1,234.5 ms", words)


@pytest.mark.parametrize("step", [step for step in Step if step is not Step.DATA])
def test_a_step_that_saw_nothing_says_nothing(step: Step) -> None:
    begun = StepTold(step=step, state=StepState.BEGIN, milliseconds=None, seen={})
    assert cells(begun) == (step.value, "…", "", "")
