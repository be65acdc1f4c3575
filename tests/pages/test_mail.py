"""The delivery log in a browser."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.contract.relays import running_relay
from tests.contract.service import EMAILS
from tests.pages.browser import Browsing
from tests.pages.desk import Desk
from tests.pages.looks import inspect
from tests.pages.mail_relay import LATER, REFUSED, answering
from tests.pages.mailing import send, wait_for_event


@pytest.fixture
def sending(desk: Desk) -> Iterator[Desk]:
    """A portal whose relay refuses nobody@ and puts off later@."""
    with running_relay(answering({"nobody": REFUSED, "later": LATER})) as relay:
        desk.save(relay.port)
        yield desk


def test_the_log_is_fit_for_every_look(sending: Desk, browse: Browsing) -> None:
    for number in range(4):
        wait_for_event(sending, send(sending, f"jane{number}@example.net"), "sent")
    several = [f"person{number}@example.net" for number in range(4)]
    wait_for_event(
        sending,
        send(sending, ["Otto Someone <nobody@example.net>", *several], subject="The minutes of our last meeting, with all that was decided"),
        "failed",
    )
    wait_for_event(sending, send(sending, "later@example.net", subject="Reminder"), "delivery_delayed")
    send(sending, "scheduled@example.net", subject="Tomorrow", scheduled_at="in 1 day")
    page = browse("/mail")
    expect(page.get_by_role("row")).to_have_count(8)
    assert inspect(page, "mail") == []


def test_one_message_is_fit_for_every_look(sending: Desk, browse: Browsing) -> None:
    to = ["Otto Someone <nobody@example.net>", "jane@example.net", "later@example.net"]
    message_id = send(sending, to, cc="ann@example.net", tags=[{"name": "order", "value": "4711"}])
    wait_for_event(sending, message_id, "failed")
    page = browse(f"/mail/{message_id}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Your order")
    page.locator("summary").first.click()
    assert inspect(page, "message") == []
