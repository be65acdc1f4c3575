"""The README's example of a refusal is what the service answers."""

import json
import re
from pathlib import Path

from tests.contract.service import SETTINGS, Service

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_the_readmes_refusal_is_answered_to_its_body(service: Service) -> None:
    body, refusal = map(json.loads, re.findall(r"```json\n(.*?)```", README, re.DOTALL))
    answer = service.ask("POST", SETTINGS, body, key=service.key)
    assert (answer.status, answer.json()) == (400, refusal)
