"""Mail of a test's portal: sent by its key, and waited for until it has come where it shall be."""

from collections.abc import Callable
from typing import Any

from tests.contract.service import EMAILS
from tests.journeys.sink import until
from tests.pages.desk import Desk


def send(desk: Desk, to: str | list[str] = "anna@example.net", **fields: object) -> str:
    """Send an e-mail; return its id."""
    email = {"to": to, "subject": "Your order", "text": "It is on its way.", **fields}
    return str(desk.ask("POST", EMAILS, email)["id"])


def read(desk: Desk, message_id: str) -> Any:
    return desk.ask("GET", f"{EMAILS}/{message_id}")


def wait_for(desk: Desk, message_id: str, seen: Callable[[Any], bool]) -> None:
    until(lambda: seen(read(desk, message_id)))


def wait_for_event(desk: Desk, message_id: str, event: str) -> None:
    wait_for(desk, message_id, lambda email: bool(email["last_event"] == event))
