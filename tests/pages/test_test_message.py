"""The test message from the settings page: its progress, what became of it, and whose it is."""

import re

import pytest
from playwright.sync_api import Page, Route, expect

from tests.contract.relays import Pausing, refuse_login, running_relay
from tests.contract.service import SETTINGS
from tests.journeys.sink import Sink, dead_port
from tests.pages.browser import Browsing
from tests.pages.desk import Desk
from tests.pages.looks import inspect

TEST = f"{SETTINGS}/test"
EVENTS = f"{TEST}/events"
PATIENCE = 30.0
BOTH = pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
LOGIN = {"enableAuth": True, "credentialsUserName": "u", "credentialsUserPassword": "CANARY-88"}


def press(page: Page) -> None:
    page.get_by_role("button", name="Send test message").click()


def expect_said(page: Page, text: str) -> None:
    expect(page.locator("#test [data-said]")).to_contain_text(text)


@BOTH
def test_it_goes_to_whoever_asks(script: bool, browse: Browsing, desk: Desk, relay: Sink) -> None:
    desk.save(relay.port)
    page = browse("/settings", script=script)
    press(page)

    expect_said(page, f"Look into the mailbox of {desk.admin.email}.")
    (taken,) = relay.taken
    assert taken.recipients == (desk.admin.email,)
    if script:
        expect(page.get_by_role("progressbar")).to_be_hidden()
    # Whoever opens the page later sees it too, small.
    page.goto("/settings")
    expect(page.locator("#test")).to_contain_text("The last test message was taken")
    expect(page.locator("#test time")).to_be_visible()
    assert len(relay.taken) == 1


@BOTH
def test_a_failed_one_is_explained(script: bool, browse: Browsing, desk: Desk) -> None:
    with running_relay(refuse_login) as relay:
        desk.save(relay.port, **LOGIN)
        page = browse("/settings", script=script)
        press(page)
        said = "127.0.0.1 refused the login"
        expect_said(page, said)
    if script:
        expect(page.locator("#test .problem")).to_contain_text("Look at: Password, User name")
        expect(page.locator("#test .problem q")).to_have_text("535 5.7.8 Authentication failed")
        expect(page.locator("#credentialsUserPassword")).to_have_attribute("aria-invalid", "true")
        assert inspect(page, "test-failed") == []
    page.goto("/settings")
    expect(page.locator("#test [data-last]")).to_contain_text(said)


@BOTH
def test_its_progress_is_shown_while_it_runs(script: bool, browse: Browsing, desk: Desk) -> None:
    pausing = Pausing()
    with running_relay(pausing) as relay:
        desk.save(relay.port)
        page = browse("/settings", script=script)
        press(page)
        assert pausing.reached.wait(PATIENCE)
        bar = page.get_by_role("progressbar")
        expect(bar).to_have_js_property("value", 40) if script else expect(bar).to_be_visible()
        expect(page.locator("#test")).to_contain_text("Connecting to the mail server: 40 %")
        pausing.let_go()
        expect_said(page, "The mail server has taken the test message.")
    assert len(pausing.inbox.messages) == 1


@BOTH
def test_one_that_is_under_way_is_followed_and_no_other_is_sent(
    script: bool, browse: Browsing, desk: Desk
) -> None:
    pausing = Pausing()
    with running_relay(pausing) as relay:
        desk.save(relay.port)
        page = browse("/settings", script=script)
        desk.ask("GET", TEST)
        assert pausing.reached.wait(PATIENCE)
        press(page)
        expect(page.get_by_role("progressbar")).to_be_visible()
        pausing.let_go()
        expect_said(page, "A test message was under way already.")
    assert len(pausing.inbox.messages) == 1


def test_one_that_runs_as_the_page_is_opened_is_followed(browse: Browsing, desk: Desk) -> None:
    pausing = Pausing()
    with running_relay(pausing) as relay:
        desk.save(relay.port)
        desk.ask("GET", TEST)
        assert pausing.reached.wait(PATIENCE)
        page = browse("/settings")
        expect(page.get_by_role("progressbar")).to_be_visible()
        pausing.let_go()
        expect_said(page, "A test message was under way already.")


def test_unsaved_changes_come_first(browse: Browsing, desk: Desk, relay: Sink) -> None:
    desk.save(relay.port)
    page = browse("/settings")
    button = page.get_by_role("button", name="Send test message")
    expect(button).to_be_enabled()
    page.locator("#senderDisplayName").fill("Notifications")
    expect(button).to_be_disabled()
    expect(page.get_by_text("Save the settings first")).to_be_visible()
    page.locator(".check-actions").get_by_role("button", name="Save when it works").click()
    expect(button).to_be_enabled()
    button.press("Enter")
    expect_said(page, "The mail server has taken the test message.")
    (taken,) = relay.wait_for(1)
    assert b"From: Notifications" in taken.content


def test_where_events_do_not_come_through_the_status_is_asked(
    browse: Browsing, desk: Desk
) -> None:
    page = browse("/settings")

    def nothing(route: Route) -> None:
        route.fulfill(status=200, content_type="text/event-stream", body=": nothing\n\n")

    page.route(re.compile(re.escape(EVENTS)), nothing)
    with dead_port() as port:
        desk.save(port)
        page.reload()
        press(page)
        expect_said(page, "127.0.0.1 refused the connection")


def test_too_many_are_told_when_the_next_may_go(browse: Browsing, desk: Desk) -> None:
    refused = {"error": {"message": "Too many.", "type": "tooManyRequests"}, "statusCode": 429}

    def refuse(route: Route) -> None:
        route.fulfill(status=429, headers={"Retry-After": "300"}, json=refused)

    desk.save(587)
    page = browse("/settings")
    page.route(re.compile(f"{TEST}$"), refuse)
    press(page)
    expect_said(page, "Too many. The next one can be sent in 5 min.")
    page.unroute_all()
    page.context.clear_cookies()
    press(page)
    expect_said(page, "Your session has ended: sign in again.")
