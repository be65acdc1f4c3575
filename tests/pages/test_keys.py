"""API keys in a browser: made, copied and revoked, by keyboard and without scripts."""

import pytest
from playwright.sync_api import Page, expect

from smarthost.portals.model import Permission
from tests.contract.service import EMAILS, KEYS
from tests.journeys.sink import Sink
from tests.pages.browser import Browsing
from tests.pages.desk import SENDER, Desk
from tests.pages.looks import inspect

with_and_without_script = pytest.mark.parametrize(
    "script", [True, False], ids=["script", "no script"]
)
COPY = ["clipboard-read", "clipboard-write"]
STORED = "JSON.stringify([history.state, localStorage, sessionStorage])"


def listed(desk: Desk) -> list[str]:
    """Return the names of all keys but the test's own."""
    keys = desk.ask("GET", KEYS)["response"]
    return [key["name"] for key in keys if key["name"] != "test"]


def make(page: Page, name: str = "web shop") -> str:
    """Make a key that sends; return it as the page shows it."""
    page.locator(".new > summary").click()
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Make the key").click()
    return page.get_by_label("The whole key").input_value()


def clipboard(page: Page) -> str:
    return str(page.evaluate("navigator.clipboard.readText()"))


def test_the_list_and_the_form_are_fit_for_every_look(browse: Browsing, desk: Desk) -> None:
    desk.open_key(Permission.SEND, name="W" * 30)
    desk.open_key(Permission.READ, Permission.WRITE, name="configuration")
    desk.service.open_key(desk.admin, Permission.SEND, expires_at=1, name="old")
    page = browse("/keys")
    assert inspect(page, "keys") == []
    page.locator(".new > summary").click()
    page.locator(".revoke > summary").first.click()
    assert inspect(page, "keys-form") == []


def test_what_is_wrong_is_told_in_every_look(browse: Browsing) -> None:
    page = browse("/keys")
    page.locator(".new > summary").click()
    page.get_by_label("Ends after").fill("366")
    page.get_by_role("button", name="Make the key").click()
    expect(page.locator("#faults")).to_be_focused()
    expect(page.get_by_label("Ends after")).to_have_value("366")
    assert inspect(page, "keys-refused") == []


@with_and_without_script
def test_a_key_is_made_by_keyboard_and_sends(
    script: bool, browse: Browsing, desk: Desk, relay: Sink
) -> None:
    desk.save(relay.port)
    page = browse("/keys", script=script)
    page.locator(".new > summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("web shop")
    page.keyboard.press("Enter")

    key = page.get_by_label("The whole key")
    expect(key).to_be_focused()
    mail = {"to": "jane@example.net", "subject": "Hello", "text": "It works."}
    sent = desk.service.ask("POST", EMAILS, mail, key=key.input_value(), portal=desk.portal)
    assert sent.status == 200
    assert relay.wait_for(1)[0].sender == SENDER
    expect(page.locator("#snippet-curl")).to_contain_text(key.input_value())
    expect(page.locator(".copy").first).to_be_visible(visible=script)
    assert listed(desk) == ["web shop"]


def test_the_new_key_with_all_snippets_is_fit_for_every_look(browse: Browsing, desk: Desk) -> None:
    desk.save(25)
    page = browse("/keys")
    make(page)
    for closed in page.locator(".snippets details:not([open]) > summary").all()[::-1]:
        closed.click()
    assert inspect(page, "keys-made") == []


def test_reloading_the_answer_makes_no_other_key_and_hides_the_key(
    browse: Browsing, desk: Desk
) -> None:
    page = browse("/keys")
    key = make(page)
    assert key not in page.url + str(page.evaluate(STORED))
    page.reload()
    expect(page.get_by_role("heading", name="API keys")).to_be_visible()
    assert key not in page.content()
    assert listed(desk) == ["web shop"]


def test_without_scripts_a_form_that_is_sent_again_makes_no_other_key(
    browse: Browsing, desk: Desk
) -> None:
    page = browse("/keys", script=False)
    key = make(page)
    page.reload()  # which sends it again, without a question in a browser that is driven
    expect(page.get_by_role("alert")).to_contain_text(f"ends in {key[-4:]}")
    assert key not in page.content()
    assert listed(desk) == ["web shop"]
    assert make(page) != key
    assert listed(desk) == ["web shop", "web shop"]


def test_the_key_and_each_snippet_are_copied_with_a_button(browse: Browsing) -> None:
    page = browse("/keys")
    page.context.grant_permissions(COPY)
    key = make(page)
    buttons = page.get_by_role("button", name="Copy")
    buttons.first.click()
    expect(page.get_by_role("status").filter(has_text="Copied.")).to_have_count(1)
    assert clipboard(page) == key
    page.get_by_text("Python with smtplib", exact=True).first.click()
    page.get_by_role("button", name="Copy Python with smtplib").press("Enter")
    expect(page.get_by_role("status").filter(has_text="Copied.")).to_have_count(2)
    assert clipboard(page).startswith("import smtplib\n")
    assert f'"{key}"' in clipboard(page)


@with_and_without_script
def test_a_key_is_revoked_by_keyboard_after_a_question(
    script: bool, browse: Browsing, desk: Desk
) -> None:
    key = desk.open_key(Permission.SEND, name="shop")
    page = browse("/keys", script=script)
    row = page.get_by_role("row", name="shop")
    row.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(row.locator("form")).to_contain_text("cannot be undone")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Revoke “shop”")).to_be_focused()
    page.keyboard.press("Enter")

    page.wait_for_url("/keys?done=revoked")
    expect(page.get_by_role("status")).to_contain_text("Revoked.")
    assert listed(desk) == []
    assert desk.service.ask("GET", KEYS, key=key, portal=desk.portal).status == 401
