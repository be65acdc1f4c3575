"""The history in a browser: what changed, and the way back, by keyboard and without scripts."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.contract.service import SETTINGS
from tests.pages.browser import Browsing
from tests.pages.desk import SENDER, Desk
from tests.pages.looks import inspect

LOGIN: dict[str, object] = {
    "host": "mail.example.com",
    "enableSSL": True,
    "enableAuth": True,
    "credentialsUserName": SENDER,
    "credentialsUserPassword": "canary-of-a-password",
}
with_and_without_script = pytest.mark.parametrize(
    "script", [True, False], ids=["script", "no script"]
)


def revision(page: Page, number: int) -> Locator:
    return page.locator(f"#revision-{number}")


def history(desk: Desk) -> None:
    """Save, change, reset and save anew: of each kind one."""
    desk.save(587, **LOGIN)
    desk.save(465, **LOGIN, senderDisplayName="W" * 200)
    desk.ask("DELETE", SETTINGS)
    desk.save(2525, **LOGIN | {"host": f"{'smtp.' * 20}example.com"})


def test_no_history_is_fit_for_every_look(browse: Browsing) -> None:
    page = browse("/history")
    expect(page.get_by_role("link", name="To the settings")).to_be_visible()
    assert inspect(page, "history-empty") == []


def test_the_history_is_fit_for_every_look_with_each_way_back_open(
    browse: Browsing, desk: Desk
) -> None:
    history(desk)
    page = browse("/history")
    for summary in page.locator(".restore > summary").all():
        summary.click()
    assert inspect(page, "history") == []


@with_and_without_script
def test_somebody_goes_back_by_keyboard(script: bool, browse: Browsing, desk: Desk) -> None:
    history(desk)
    page = browse("/history", script=script)
    expect(revision(page, 4)).to_contain_text("in force")
    way_back = revision(page, 1).locator("summary")
    way_back.focus()
    page.keyboard.press("Enter")
    expect(revision(page, 1).locator(".notice")).to_contain_text("comes back with it")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Restore revision 1")).to_be_focused()
    page.keyboard.press("Enter")

    page.wait_for_url("/history?done=restored")
    expect(page.get_by_role("status")).to_contain_text("Restored.")
    expect(revision(page, 5)).to_contain_text("in force")
    expect(revision(page, 5)).to_contain_text(f"Restored by {desk.admin.email}")
    assert desk.ask("GET", SETTINGS)["response"]["port"] == 587
    if script:
        assert inspect(page, "history-restored") == []


def test_what_was_saved_meanwhile_is_told_and_stays(browse: Browsing, desk: Desk) -> None:
    history(desk)
    page = browse("/history")
    revision(page, 1).locator("summary").click()
    desk.save(26)
    page.get_by_role("button", name="Restore revision 1").click()

    expect(page.get_by_role("alert")).to_contain_text("revision 5 saved by")
    assert desk.ask("GET", SETTINGS)["response"]["port"] == 26
    assert inspect(page, "history-conflict") == []
    # What is shown now can be gone back from.
    revision(page, 1).locator("summary").click()
    page.get_by_role("button", name="Restore revision 1").click()
    page.wait_for_url("/history?done=restored")
    assert desk.ask("GET", SETTINGS)["response"]["port"] == 587


def test_moments_are_in_the_zone_of_who_reads_them(browse: Browsing, desk: Desk) -> None:
    desk.save(25)
    at = browse("/history", timezone="Asia/Kolkata").locator("time").first
    expect(at).to_have_attribute("title", re.compile("UTC$"))
    assert "UTC" not in at.inner_text()
