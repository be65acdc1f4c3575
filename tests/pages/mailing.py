"""Mail of a test's portal: sent by its key, and waited for until it has come where it shall be."""

from collections.abc import Callable, Sequence
from typing import Any

from tests.contract.service import EMAILS
from tests.journeys.sink import until
from tests.pages.desk import Desk

EMAIL = {"to": "anna@example.net", "subject": "Your order", "text": "It is on its way."}


def send(desk: Desk, to: str | Sequence[str] = "anna@example.net", **fields: object) -> str:
    """Send an e-mail; return its id."""
    return str(desk.ask("POST", EMAILS, {**EMAIL, "to": to, **fields})["id"])


def send_many(desk: Desk, count: int) -> None:
    """Send so many at once that are not tried before tomorrow, `Mail 0` and so on."""
    batch = [
        {**EMAIL, "subject": f"Mail {number}", "scheduled_at": "in 1 day"}
        for number in range(count)
    ]
    desk.ask("POST", f"{EMAILS}/batch", batch)


def wait_for(desk: Desk, message_id: str, seen: Callable[[Any], bool]) -> None:
    """Wait until a message, as the API tells it, is as it shall be."""
    until(lambda: seen(desk.ask("GET", f"{EMAILS}/{message_id}")))


def wait_for_event(desk: Desk, message_id: str, event: str) -> None:
    wait_for(desk, message_id, lambda email: bool(email["last_event"] == event))
