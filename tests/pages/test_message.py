"""The page of one message in a browser: what became of it, and what is done about it."""

import base64
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.contract.relays import running_relay
from tests.contract.service import EMAILS
from tests.pages.browser import Browsing
from tests.pages.desk import SENDER, Desk
from tests.pages.looks import inspect
from tests.pages.mail_relay import LATER, REFUSED, SILENT, answering
from tests.pages.mailing import send, wait_for, wait_for_event

with_and_without_scripts = pytest.mark.parametrize(
    "script", [True, False], ids=["script", "no script"]
)


@pytest.fixture
def desk(desk: Desk) -> Iterator[Desk]:
    """A portal whose relay refuses nobody@, puts off later@ and hangs up behind maybe@'s mail."""
    script = answering({"nobody": REFUSED, "later": LATER, "maybe": SILENT})
    with running_relay(script) as relay:
        desk.save(relay.port)
        yield desk


def press(page: Page, name: str) -> None:
    """Press a button, and answer yes to its question."""
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name=name).click()


def buttons(page: Page) -> list[str]:
    return page.locator("main form button:visible").all_inner_texts()


def hold(desk: Desk) -> str:
    """Send a message that nobody knows of whether it has arrived."""
    message_id = send(desk, "maybe@example.net", at_most_once=True)
    wait_for(desk, message_id, lambda email: bool(email["recipients"][0]["state"] == "held"))
    return message_id


def test_a_message_is_fit_for_every_look(desk: Desk, browse: Browsing) -> None:
    to = ["Otto Someone <nobody@example.net>", "jane@example.net", "later@example.net"]
    message_id = send(desk, to, cc="ann@example.net", tags=[{"name": "order", "value": "4711"}])
    wait_for_event(desk, message_id, "failed")
    page = browse(f"/mail/{message_id}")

    expect(page.get_by_role("heading", level=1)).to_have_text("Your order")
    expect(page.get_by_text(REFUSED)).to_have_count(2)  # why it is not sent, and the attempt
    expect(page.locator("#standing")).to_contain_text("Failed 1 · Delayed 1 · Sent 2")
    first, second, *_ = page.locator(".recipients tbody tr").all_inner_texts()
    assert "nobody@example.net" in first
    assert "later@example.net" in second
    accepted = page.locator(".attempts > li").filter(has_text="Accepted by the mail server")
    expect(accepted).to_contain_text("for ann@example.net, jane@example.net")
    expect(accepted).to_contain_text("not encrypted")
    revision = accepted.get_by_role("link", name="settings revision 1")
    expect(revision).to_have_attribute("href", "/history#revision-1")
    expect(page.locator("pre")).to_have_text("It is on its way.\n")
    page.locator(".attempts summary").first.click()
    assert inspect(page, "message") == []


def test_what_may_have_arrived_is_told_and_released(desk: Desk, browse: Browsing) -> None:
    page = browse(f"/mail/{hold(desk)}")
    expect(page.locator("#standing .state")).to_have_text("Held")
    expect(page.locator(".recipients")).to_contain_text("It may have arrived already")
    expect(page.locator(".attempts")).to_contain_text("In doubt")
    assert buttons(page) == ["Release", "Cancel"]
    assert inspect(page, "message-held") == []

    press(page, "Release")
    page.wait_for_url(re.compile(r"\?done=released$"))
    expect(page.get_by_text("It is released and goes on.")).to_be_visible()


@with_and_without_scripts
def test_what_has_failed_is_tried_again(script: bool, desk: Desk, browse: Browsing) -> None:
    message_id = send(desk, "nobody@example.net")
    wait_for_event(desk, message_id, "failed")
    page = browse(f"/mail/{message_id}", script=script)
    assert buttons(page)[0] == "Try again now"
    page.get_by_role("button", name="Try again now").click()
    page.wait_for_url(re.compile(r"\?done=retried$"))
    expect(page.get_by_text("It is tried again now.")).to_be_visible()
    wait_for(desk, message_id, lambda email: email["recipients"][0]["attempts"] == 2)


@with_and_without_scripts
def test_what_waits_is_canceled_and_then_forgotten(
    script: bool, desk: Desk, browse: Browsing
) -> None:
    message_id = send(desk, scheduled_at="in 1 day")
    page = browse(f"/mail/{message_id}", script=script)
    if script:  # the answer to a question is no, if nobody gives one
        page.get_by_role("button", name="Cancel").click()
        expect(page.locator("#standing .state")).to_have_text("Scheduled")
    press(page, "Cancel")
    page.wait_for_url(re.compile(r"\?done=canceled$"))
    expect(page.locator("#standing .state")).to_have_text("Canceled")
    expect(page.get_by_role("switch")).to_have_count(0)  # nothing changes any more

    forget = page.get_by_role("button", name="Forget it for good")
    expect(forget).to_be_hidden()
    page.get_by_text("Forget what it said").click()
    forget.click()
    page.wait_for_url(re.compile(r"\?done=forgotten$"))
    expect(page.locator("#content")).to_contain_text("Its content was forgotten.")
    assert buttons(page) == []


def test_what_is_no_longer_possible_is_told(desk: Desk, browse: Browsing) -> None:
    message_id = send(desk, scheduled_at="in 1 day")
    page = browse(f"/mail/{message_id}")
    desk.ask("POST", f"{EMAILS}/{message_id}/cancel")
    press(page, "Cancel")
    expect(page.get_by_role("alert")).to_have_text("This message was cancelled already.")
    expect(page.get_by_text("Forget what it said")).to_be_visible()


def test_a_message_is_shown_as_it_is_until_it_has_ended(desk: Desk, browse: Browsing) -> None:
    message_id = send(desk, scheduled_at="in 1 day")
    page = browse()
    page.clock.install()
    page.goto(f"/mail/{message_id}")
    page.get_by_role("button", name="Cancel").focus()
    desk.ask("POST", f"{EMAILS}/{message_id}/cancel")
    page.clock.fast_forward(3_000)

    expect(page.locator("#standing .state")).to_have_text("Canceled")
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    expect(page.get_by_role("main")).to_be_focused()  # the button that had it is gone
    expect(page.get_by_role("switch")).to_be_hidden()


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"text": "", "html": "<p>Only <b>this</b></p>"}, "It has no plain text."),
        ({"html": "<p>Also</p>"}, "It has HTML as well, which is not shown here."),
    ],
)
def test_html_is_never_shown_as_a_page(
    fields: dict[str, str], told: str, desk: Desk, browse: Browsing
) -> None:
    page = browse(f"/mail/{send(desk, scheduled_at='in 1 day', **fields)}")
    expect(page.locator("#content")).to_contain_text(told)
    shown = page.locator("#content pre").inner_text().strip()
    assert shown == (fields["html"] if "text" in fields else "It is on its way.")


def test_of_a_thousand_recipients_those_are_shown_first_that_need_somebody(
    desk: Desk, browse: Browsing
) -> None:
    people = [f"person{number}@example.net" for number in range(999)]
    to = ",\r\n ".join([*people, "nobody@example.net"])
    raw = f"From: {SENDER}\r\nTo: {to}\r\nSubject: To all\r\n\r\nHi\r\n"
    body = {"raw": base64.b64encode(raw.encode()).decode()}
    message_id = str(desk.ask("POST", EMAILS, body)["id"])
    wait_for_event(desk, message_id, "failed")
    page = browse(f"/mail/{message_id}")

    shown = page.locator(".recipients tbody tr")
    expect(shown).to_have_count(100)
    expect(shown.first).to_contain_text("nobody@example.net")
    expect(page.locator("#recipients")).to_contain_text("100 of 1,000 are shown")
    expect(page.locator("#attempts")).to_contain_text("The newest 100 are shown.")
    assert len(page.content()) < 100_000
    page.locator("#recipients").get_by_role("link", name="Show all").click()
    expect(shown).to_have_count(1000)
    expect(page.locator(".attempts > li")).to_have_count(2)
    expect(page.locator("#attempts")).to_contain_text("and 996 more")
