"""The page of OAuth2 in a browser: set up, sent to the provider, and ended."""

import re

import pytest
from playwright.sync_api import Page, expect

from smarthost.web.api.smtp_oauth2_consent import CALLBACK_PATH
from tests.contract.service import SETTINGS
from tests.pages.browser import Browsing
from tests.pages.desk import Desk
from tests.pages.looks import inspect

OAUTH2 = f"{SETTINGS}/oauth2"
PAGE = "/settings/oauth2"
RELAY = {
    "host": "smtp.office365.com",
    "port": 587,
    "enableSSL": True,
    "senderAddress": "notify@contoso.com",
}
with_and_without_script = pytest.mark.parametrize(
    "script", [True, False], ids=["script", "no script"]
)


def state(desk: Desk) -> str:
    told: str = desk.ask("GET", OAUTH2)["response"]["state"]
    return told


@with_and_without_script
def test_oauth2_is_set_up_begun_and_ended(script: bool, browse: Browsing, desk: Desk) -> None:
    desk.ask("POST", SETTINGS, RELAY)
    page = browse("/settings", script=script)
    if script:
        page.get_by_label("The server asks for a login").check()
    page.get_by_role("link", name="Sign in with OAuth2").click()
    expect(page.locator("#userName")).to_have_value("notify@contoso.com")
    page.locator("#clientId").fill("an-application")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#faults").get_by_role("link")).to_have_text(["Tenant"])
    page.locator("#tenant").fill("contoso.com")
    page.get_by_role("button", name="Save").click()
    page.wait_for_url(f"{PAGE}?done=set")
    assert state(desk) == "consent needed"
    if script:
        assert inspect(page, "oauth2") == []

    page.get_by_role("button", name="Sign in at the provider").click()
    expect(page.locator("#consent")).to_be_focused()
    link = page.get_by_role("link", name="To the provider's page")
    microsoft = re.compile(r"^https://login\.microsoftonline\.com/contoso\.com/")
    expect(link).to_have_attribute("href", microsoft)

    page.locator("summary", has_text="End the sign-in").click()
    page.get_by_role("button", name="End OAuth2").click()
    page.wait_for_url(f"{PAGE}?done=ended")
    assert state(desk) == "ended"


def test_only_what_a_grant_has_a_use_for_is_asked_for(page: Page, desk: Desk) -> None:
    desk.ask("POST", SETTINGS, RELAY)
    page.goto(PAGE)
    secret, document = page.locator("#clientSecret"), page.locator("#serviceAccount")
    expect(document).to_be_hidden()
    secret.fill("a secret")
    page.get_by_label("With a Google service account").check()
    expect(document).to_be_visible()
    expect(secret).to_be_disabled()
    assert inspect(page, "oauth2-service-account") == []


def test_one_comes_back_from_the_provider_to_the_page_still_signed_in(
    page: Page, desk: Desk
) -> None:
    desk.ask("POST", SETTINGS, RELAY)
    page.goto(f"{CALLBACK_PATH}?state=unknown&code=secret-code")
    with page.expect_request(f"**{PAGE}") as asked:
        page.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign-in with OAuth2")
    assert "referer" not in asked.value.all_headers()
