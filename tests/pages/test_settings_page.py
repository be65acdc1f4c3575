"""The settings form in a browser: with a script and without, by keyboard, in every look."""

import json
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Dialog, Locator, Page, Route, expect

from tests.contract.service import SETTINGS
from tests.pages.browser import Browsing
from tests.pages.desk import SENDER, Desk
from tests.pages.looks import inspect

with_and_without_script = pytest.mark.parametrize(
    "script", [True, False], ids=["script", "no script"]
)
SUGGEST = re.compile(r"/smtp/suggest\?")
STORED = {
    "host": "mail.example.com",
    "port": 587,
    "senderAddress": SENDER,
    "enableSSL": True,
    "enableAuth": True,
    "credentialsUserName": "notify",
    "credentialsUserPassword": "secret",
}


def save_button(page: Page) -> Locator:
    """The one that saves without looking whether the settings work."""
    return page.locator("#settings button:not([formaction])").last


def save(page: Page) -> None:
    save_button(page).click()


def fill(page: Page, **fields: str) -> None:
    for name, value in fields.items():
        page.locator(f"[name={name}]").fill(value)


def store(desk: Desk, **changes: object) -> None:
    desk.ask("POST", SETTINGS, STORED | changes)


def stored(desk: Desk, name: str) -> object:
    return desk.ask("GET", SETTINGS)["response"].get(name)


def is_unsaved(page: Page) -> bool:
    unsaved: bool = page.evaluate("'unsaved' in document.getElementById('settings').dataset")
    return unsaved


def expect_hint(page: Page, name: str, words: str) -> None:
    """Of all that may be said beside a field, these words are what can be seen."""
    pattern = re.compile(rf"^[^.;:]*{re.escape(words)}")
    expect(page.locator(f"#{name}-hint")).to_have_text(pattern, use_inner_text=True)


@pytest.fixture
def form(page: Page, desk: Desk) -> Page:
    """The page of settings that are stored, with a password."""
    store(desk)
    page.goto("/settings")
    return page


@with_and_without_script
def test_settings_are_typed_and_saved_by_keyboard(
    script: bool, browse: Browsing, desk: Desk
) -> None:
    page = browse("/settings", script=script)
    page.locator("#senderAddress").focus()
    page.keyboard.type(SENDER)
    typed = {"host": "mail.example.com", "credentialsUserName": "notify"}
    for name, value in (typed | {"credentialsUserPassword": "secret"}).items():
        tab_to(page, page.locator(f"#{name}"))
        page.keyboard.type(value)
    tab_to(page, save_button(page))
    page.keyboard.press("Enter")

    page.wait_for_url("/settings?done=saved")
    expect(page.get_by_role("status").first).to_have_text(re.compile("^Saved"))
    assert {name: stored(desk, name) for name in typed} == typed
    assert stored(desk, "enableSSL") is True
    expect(page.locator("#credentialsUserPassword")).to_have_value("")


def tab_to(page: Page, element: Locator) -> None:
    for _ in range(40):
        page.keyboard.press("Tab")
        if element.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError(element)


@with_and_without_script
def test_faults_stand_beside_their_fields_and_are_summed_up(
    script: bool, browse: Browsing, desk: Desk
) -> None:
    page = browse("/settings", script=script)
    fill(page, senderAddress="nobody", host="a b", credentialsUserPassword="secret")
    save(page)

    summary = page.locator("#faults")
    expect(summary).to_be_focused()
    expect(summary.get_by_role("link")).to_have_text(["Sender address", "Server", "User name"])
    summary.get_by_role("link", name="Server").click()
    expect(page.locator("#host")).to_be_focused()
    expect(page.locator("#host")).to_have_value("a b")
    expect(page.locator("#host")).to_have_accessible_description(re.compile("no blanks in it"))
    expect_hint(page, "credentialsUserPassword", "For safety the password")
    if script:
        assert is_unsaved(page)
        assert inspect(page, "settings-faults") == []


def test_a_new_portals_page_is_fit_for_every_look(browse: Browsing) -> None:
    page = browse("/settings")
    expect(page.locator("#default-relay")).to_contain_text("the installation's mail server")
    fill(page, senderAddress="anna@gmail.com")
    expect(page.locator(".offer")).to_be_visible()
    assert inspect(page, "settings-new") == []


def test_the_page_of_stored_settings_is_fit_for_every_look(form: Page) -> None:
    form.locator("summary", has_text="NTLM").click()
    form.locator("#reset summary").click()
    expect(form.get_by_role("button", name="Use the installation's")).to_be_visible()
    assert inspect(form, "settings") == []


def test_whether_the_password_stays_is_told_as_somebody_types(form: Page) -> None:
    changes: dict[str, Callable[[], None]] = {
        "host": lambda: fill(form, host="other.example.com"),
        "port": lambda: fill(form, port="465"),
        "user name": lambda: fill(form, credentialsUserName="Notify"),
        "encryption": lambda: form.locator("#enableSSL-offered").check(),
        "NTLM": lambda: form.locator("#useNtlm").check(),
    }
    form.locator("summary", has_text="NTLM").click()
    for change in changes.values():
        expect_hint(form, "credentialsUserPassword", "Stored; leave empty")
        change()
        expect_hint(form, "credentialsUserPassword", "The stored password belongs to another")
        form.locator("#enableSSL").check()
        form.locator("#useNtlm").uncheck()
        fill(form, host=" MAIL.example.com", port="587", credentialsUserName="notify")
    fill(form, senderDisplayName="Postman", senderAddress="other@example.com")
    expect_hint(form, "credentialsUserPassword", "Stored; leave empty")


def test_the_condition_under_which_a_password_stays_is_told_without_a_script(
    browse: Browsing, desk: Desk
) -> None:
    store(desk)
    page = browse("/settings", script=False)
    expect_hint(
        page, "credentialsUserPassword", "A password is stored. Empty keeps it, as long as"
    )
    fill(page, senderDisplayName="Postman")
    save(page)
    page.wait_for_url("/settings?done=saved")
    assert stored(desk, "enableAuth") is True


def test_what_the_port_means_is_told_as_somebody_types(form: Page) -> None:
    warning = form.locator("#port-warning")
    expect_hint(form, "port", "begins by STARTTLS")
    fill(form, port="465")
    expect_hint(form, "port", "begins with the first byte")
    expect(form.locator("#enableSSL")).to_be_checked()
    expect(warning).to_be_hidden()
    form.locator("#enableSSL-offered").check()
    expect(warning).to_be_visible()
    fill(form, port="25")
    expect(warning).to_be_hidden()
    expect_hint(form, "port", "if the server offers it")


def test_without_a_login_there_is_none_to_type(form: Page) -> None:
    form.get_by_label("The server asks for a login").uncheck()
    expect(form.locator("#credentialsUserName")).to_be_hidden()


def test_what_is_not_saved_is_not_left_without_a_question(form: Page) -> None:
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    form.on("dialog", stay)
    fill(form, host="other.example.com")
    assert is_unsaved(form)
    with form.expect_event("dialog"):
        form.get_by_role("link", name="Mail", exact=True).click(no_wait_after=True)
    expect(form.locator("#host")).to_have_value("other.example.com")
    assert asked == ["beforeunload"]

    fill(form, host="mail.example.com")
    assert not is_unsaved(form)
    form.goto("/settings")
    fill(form, senderDisplayName="Postman")
    save(form)
    form.wait_for_url("/settings?done=saved")
    assert asked == ["beforeunload"]


def test_settings_that_were_saved_on_the_page_are_the_stored_ones_from_then_on(
    form: Page, desk: Desk
) -> None:
    fill(form, host="other.example.com", credentialsUserPassword="other")
    assert is_unsaved(form)
    form.evaluate(
        "document.getElementById('settings').dispatchEvent("
        "new CustomEvent('smarthost:saved', { detail: { revision: 2 } }))"
    )
    assert not is_unsaved(form)
    expect_hint(form, "credentialsUserPassword", "Stored; leave empty")
    expect(form.locator("#credentialsUserPassword")).to_have_value("")
    assert form.locator("input[name=revision]").evaluate_all("all => all.map(e => e.value)") == [
        "2",
        "2",
    ]


def test_settings_are_offered_as_an_address_is_typed_and_taken_with_one_click(
    browse: Browsing, desk: Desk
) -> None:
    page = browse("/settings")
    fill(page, senderAddress="anna@gmail.com")
    offer = page.locator(".offer")
    expect(offer).to_contain_text("Gmail")
    link = offer.get_by_role("link", name="myaccount.google.com")
    expect(link).to_have_attribute("href", "https://myaccount.google.com/apppasswords")
    expect(page.locator("#host")).to_have_value("")
    offer.get_by_role("button", name="Use these settings").click()

    expect(page.locator("#host")).to_have_value("smtp.gmail.com")
    expect(page.locator("#port")).to_have_value("465")
    expect(page.locator("#enableSSL")).to_be_checked()
    expect(page.locator("#credentialsUserName")).to_have_value("anna@gmail.com")
    expect(page.locator("#credentialsUserPassword")).to_be_focused()
    assert is_unsaved(page)
    assert stored(desk, "isDefaultSettings") is True


def test_other_settings_are_offered_for_a_known_server(form: Page) -> None:
    fill(form, port="25", host="smtp.office365.com")
    offer = form.locator("[data-offers=host] .offer")
    expect(offer).to_contain_text("Microsoft 365")
    offer.get_by_role("button").click()
    expect(form.locator("#port")).to_have_value("587")
    expect(form.locator("#credentialsUserName")).to_have_value("notify")
    expect(offer).to_be_hidden()


def test_the_limit_of_questions_is_kept(form: Page) -> None:
    asked = 0

    def refuse(route: Route) -> None:
        nonlocal asked
        asked += 1
        headers = {"Retry-After": "60"}
        route.fulfill(status=429, headers=headers, body=json.dumps({"error": {"message": "?"}}))

    form.route(SUGGEST, refuse)
    find = form.get_by_role("button", name="Find the settings")
    find.click()
    said = form.locator("[data-offers=senderAddress] [data-said]")
    expect(said).to_contain_text("in a short time")
    fill(form, senderAddress="other@example.com")
    form.locator("#senderAddress").blur()
    find.click()
    expect(said).to_contain_text("in a short time")
    assert asked == 1


def test_settings_are_found_by_a_button_without_a_script(browse: Browsing) -> None:
    page = browse("/settings", script=False)
    fill(page, senderAddress="anna@gmail.com")
    page.get_by_role("button", name="Find the settings").click()
    page.locator(".offer").get_by_role("button").click()
    expect(page.locator("#host")).to_have_value("smtp.gmail.com")
    expect(page.locator("#port")).to_have_value("465")


@with_and_without_script
def test_who_saves_second_is_told_and_chooses(script: bool, browse: Browsing, desk: Desk) -> None:
    store(desk)
    page = browse("/settings", script=script)
    store(desk, host="theirs.example.com", senderDisplayName="Theirs")
    fill(page, host="mine.example.com", credentialsUserPassword="secret")
    save(page)

    conflict = page.locator("#conflict")
    expect(conflict).to_be_focused()
    expect(conflict).to_contain_text(desk.admin.email)
    expect(conflict.get_by_role("row", name="Server")).to_contain_text("theirs.example.com")
    expect(page.locator("#host")).to_have_value("mine.example.com")
    assert stored(desk, "host") == "theirs.example.com"
    if script:
        assert inspect(page, "settings-conflict") == []

    fill(page, credentialsUserPassword="secret")
    conflict.get_by_role("button", name="Save mine anyway").click()
    page.wait_for_url("/settings?done=saved")
    assert stored(desk, "host") == "mine.example.com"


def test_who_saves_second_may_look_at_what_is_in_force(page: Page, desk: Desk) -> None:
    store(desk)
    page.goto("/settings")
    store(desk, host="theirs.example.com")
    fill(page, senderDisplayName="Mine")
    save(page)
    page.get_by_role("link", name="Show theirs").click()
    expect(page.locator("#host")).to_have_value("theirs.example.com")
    expect(page.locator("#senderDisplayName")).to_have_value("")


def test_a_portal_goes_back_to_the_installations_relay(browse: Browsing, desk: Desk) -> None:
    store(desk)
    page = browse("/settings", script=False)
    page.locator("#reset summary").click()
    page.get_by_role("button", name="Use the installation's").click()
    page.wait_for_url("/settings?done=reset")
    expect(page.locator("#default-relay")).to_be_visible()
    assert stored(desk, "isDefaultSettings") is True


def test_settings_that_are_switched_off_are_fit_for_every_look(page: Page, desk: Desk) -> None:
    desk.service.allow_settings(desk.portal, allowed=False)
    page.goto("/settings")
    expect(page.locator("main")).to_contain_text("switched off")
    assert inspect(page, "settings-closed") == []
