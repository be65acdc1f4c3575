"""The delivery log in a browser: what is there, what is found, and that it stays as it is now."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from smarthost.clock import MICROSECONDS
from smarthost.database.engine import Transaction
from smarthost.mail_queue.mail_log.log import LOOKED_AT
from smarthost.mail_queue.model import Ended, State
from smarthost.mail_queue.statistics.model import HOUR
from smarthost.mail_queue.statistics.store import count
from smarthost.portals.model import Role
from tests.contract.relays import refuse_login, running_relay
from tests.contract.service import ADMIN_PASSWORD, AUTHENTICATION, EMAILS
from tests.journeys.sink import Sink
from tests.pages.accessibility import violations
from tests.pages.browser import PHONE, Browsing, Look, sign_in
from tests.pages.desk import Desk
from tests.pages.looks import inspect
from tests.pages.mail_relay import LATER, REFUSED, answering
from tests.pages.mailing import EMAIL, send, send_many, wait_for_event

with_and_without_scripts = pytest.mark.parametrize(
    "script", [True, False], ids=["script", "no script"]
)


@pytest.fixture
def desk(desk: Desk, relay: Sink) -> Desk:
    """A portal whose relay takes everything."""
    desk.save(relay.port)
    return desk


@pytest.fixture
def sending(desk: Desk) -> Iterator[Desk]:
    """A portal whose relay refuses nobody@ and puts off later@."""
    with running_relay(answering({"nobody": REFUSED, "later": LATER})) as relay:
        desk.save(relay.port)
        yield desk


def open_live(browse: Browsing, path: str = "/mail") -> Page:
    """Open a page whose time `pass_time` makes pass."""
    page = browse()
    page.clock.install()
    page.goto(path)
    return page


def pass_time(page: Page, seconds: int = 3) -> None:
    """Have the page ask anew, if it does so within these seconds."""
    page.clock.fast_forward(seconds * 1000)


async def fill_charts(desk: Desk) -> None:
    """Count mail of every outcome in each of the last 24 hours."""
    parts, now = desk.service.parts, desk.service.parts.clock.now()
    ended = [
        Ended(address="a@example.net", attempts=1, state=state, code=None)
        for state in [State.SENT] * 1000 + [State.QUEUED] * 300 + [State.FAILED] * 100
    ]

    async def count_all(tx: Transaction) -> None:
        for hours in range(24):
            for delay in (0, 400 * MICROSECONDS):
                await count(tx, desk.portal.id, ended, now=now - hours * HOUR, delay=delay)

    await parts.database.transact(count_all)


def rows(page: Page) -> list[str]:
    """The subjects that the log shows."""
    return page.locator("#rows td:nth-child(3)").all_inner_texts()


def test_the_log_is_fit_for_every_look(sending: Desk, browse: Browsing) -> None:
    people = ["Otto Someone <nobody@example.net>", *(f"person{at}@example.net" for at in range(4))]
    subject = "The minutes of our last meeting, with all that was decided"
    refused = send(sending, people, subject=subject)
    delayed = send(sending, "later@example.net", subject="Reminder")
    send(sending, "scheduled@example.net", subject="Tomorrow", scheduled_at="in 1 day")
    wait_for_event(sending, refused, "failed")
    wait_for_event(sending, delayed, "delivery_delayed")
    page = browse("/mail")

    worst = page.get_by_role("row").filter(has_text=subject)
    expect(worst).to_contain_text("Otto Someone <nobody@example.net> and 4 more")
    expect(worst).to_contain_text("Failed 1 of 5")
    expect(worst).to_contain_text("Recipient refused")
    expect(page.get_by_role("row").filter(has_text="Reminder")).to_contain_text("Delayed")
    expect(page.locator("#charts > summary")).to_contain_text("4 sent, 1 deferred, 1 failed")
    page.locator("#numbers > summary").click()
    assert inspect(page, "mail") == []


def test_a_log_without_mail_says_so(desk: Desk, browse: Browsing) -> None:
    page = browse("/mail")
    expect(page.get_by_text("There is no mail yet.")).to_be_visible()
    expect(page.get_by_text("Nothing has been sent yet")).to_be_visible()
    assert violations(page) == []


def test_a_phone_shows_the_mail_before_the_charts_are_opened(browse: Browsing) -> None:
    expect(browse("/mail").locator("#charts figure").first).to_be_visible()
    page = browse("/mail", look=Look(width=PHONE))
    expect(page.locator("#charts figure").first).to_be_hidden()
    page.locator("#charts > summary").click()
    expect(page.locator("#charts figure").first).to_be_visible()


@with_and_without_scripts
def test_mail_is_found_by_words_state_and_recipient(
    script: bool, sending: Desk, browse: Browsing
) -> None:
    failed = send(sending, "nobody@example.net", subject="Invoice 1")
    sent = send(sending, "jane@example.net", subject="Invoice 2")
    send(sending, "joe@example.net", subject="Hello")
    wait_for_event(sending, failed, "failed")
    wait_for_event(sending, sent, "sent")
    page = browse("/mail", script=script)

    page.get_by_label("Search").fill("INVOICE")
    page.get_by_label("Search").press("Enter")
    page.wait_for_url(re.compile("search=INVOICE"))
    assert rows(page) == ["Invoice 2", "Invoice 1"]
    assert page.url.endswith("/mail?search=INVOICE") or not script
    page.get_by_label("State").select_option("Failed")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url(re.compile("state=failed"))
    assert rows(page) == ["Invoice 1"]
    expect(page.get_by_label("Search")).to_have_value("INVOICE")
    page.get_by_role("link", name="Clear").click()
    page.wait_for_url(re.compile("/mail$"))
    assert rows(page) == ["Hello", "Invoice 2", "Invoice 1"]
    page.get_by_text("Recipient and time").click()
    page.get_by_label("Recipient", exact=True).fill("joe@example.net")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url(re.compile("recipient=joe"))
    assert rows(page) == ["Hello"]
    expect(page.get_by_label("Recipient", exact=True)).to_be_visible()  # it is in use


def test_times_are_typed_in_the_reader_s_zone_and_kept_in_utc(
    desk: Desk, browse: Browsing
) -> None:
    send(desk)
    page = browse("/mail", timezone="Asia/Kolkata")
    page.get_by_text("Recipient and time").click()
    since = page.get_by_label("Accepted from (GMT+5:30)")
    since.fill("2026-01-02T04:00")
    page.get_by_label("Accepted before").fill("2999-01-01T00:00")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url(re.compile(r"\?from=2026-01-01T22%3A30&until=2998-12-31T18%3A30$"))

    assert rows(page) == ["Your order"]
    expect(since).to_have_value("2026-01-02T04:00")
    labels = page.locator("#chart-outcomes .chart-whens text").all_text_contents()
    assert len(labels) == 4
    assert all(label.endswith(":30") for label in labels)
    plain = browse(page.url, script=False)
    expect(plain.get_by_label("Accepted from (UTC)")).to_have_value("2026-01-01T22:30")


@with_and_without_scripts
def test_what_is_wrong_with_a_filter_is_said_beside_it(script: bool, browse: Browsing) -> None:
    page = browse(f"/mail?recipient=nobody&state=lost&after=x&search={'a' * 201}", script=script)
    for field in ("Recipient", "State", "Search"):
        expect(page.get_by_label(field, exact=True)).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_text("This must be the id of an e-mail")).to_be_visible()
    if script:
        assert violations(page) == []


def test_older_and_newer_mail_is_on_pages_of_fifty(desk: Desk, browse: Browsing) -> None:
    send_many(desk, 70)
    send_many(desk, 50)
    page = browse("/mail?chart=week")
    found = [rows(page)]
    for _ in range(2):
        page.get_by_role("link", name="Older").click()
        page.wait_for_url(re.compile(f"after={'.' * 36}&chart=week$"))
        expect(page.locator("#rows tr").first).not_to_have_text(found[-1][0])
        found.append(rows(page))
    assert [len(part) for part in found] == [50, 50, 20]
    expect(page.get_by_role("link", name="Older")).to_have_count(0)
    page.get_by_role("link", name="Newer").click()
    page.wait_for_url(re.compile("before="))
    assert rows(page) == found[1]
    page.get_by_role("link", name="Newer").click()
    page.wait_for_url(re.compile(r"/mail\?chart=week$"))
    assert rows(page) == found[0]
    expect(page.get_by_role("link", name="Newer")).to_have_count(0)


def test_a_search_says_how_far_it_looked_and_leads_on(desk: Desk, browse: Browsing) -> None:
    send(desk, subject="The needle", scheduled_at="in 1 day")
    for _ in range(-(-LOOKED_AT // 100) + 1):
        send_many(desk, 100)
    page = browse("/mail?search=needle")
    expect(page.get_by_text("No mail fits this filter so far.")).to_be_visible()
    expect(page.get_by_text("Looked back to").locator("time")).to_be_visible()
    assert violations(page) == []

    page.get_by_role("link", name="Look further").click()
    expect(page.get_by_role("link", name="The needle")).to_be_visible()
    expect(page.get_by_role("link", name="Look further")).to_have_count(0)
    page.get_by_role("link", name="Newer").click()
    expect(page.get_by_text("Looked forward to")).to_be_visible()
    page.get_by_role("link", name="Look further").click()
    page.wait_for_url(re.compile(r"/mail\?search=needle$"))


def test_new_mail_comes_by_itself_and_nothing_else_moves(desk: Desk, browse: Browsing) -> None:
    send(desk, subject="First", scheduled_at="in 1 day")
    page = open_live(browse)
    link = page.get_by_role("link", name="First")
    link.focus()
    page.evaluate("document.querySelector('#rows tr').known = true")
    send(desk, subject="Second", scheduled_at="in 1 day")

    pass_time(page)
    expect(page.get_by_role("link", name="Second")).to_be_visible()
    assert rows(page) == ["Second", "First"]
    expect(link).to_be_focused()
    assert page.evaluate("[...document.querySelectorAll('#rows tr')].map(row => !!row.known)") == [
        False, True,
    ]  # fmt: skip
    # As the script shows times, not as the server writes them.
    assert "UTC" not in page.locator("#rows time").first.inner_text()


def test_marked_text_stays_marked_and_a_pause_keeps_all_as_it_is(
    desk: Desk, browse: Browsing
) -> None:
    send(desk, subject="First", scheduled_at="in 1 day")
    page = open_live(browse)
    page.evaluate("getSelection().selectAllChildren(document.querySelector('#rows'))")
    send(desk, subject="Second", scheduled_at="in 1 day")
    for _ in range(2):  # once the second is asked for, the first has been taken
        with page.expect_response(re.compile("/mail$")):
            pass_time(page)
    assert rows(page) == ["First"]
    page.evaluate("getSelection().removeAllRanges()")
    pass_time(page)
    expect(page.get_by_role("link", name="Second")).to_be_visible()

    page.get_by_role("switch", name="Live").click()
    expect(page.get_by_role("status")).to_have_text(re.compile("Paused"))
    send(desk, subject="Third", scheduled_at="in 1 day")
    page.get_by_role("switch", name="Live").click()
    expect(page.get_by_role("link", name="Third")).to_be_visible()
    expect(page.get_by_role("status")).to_have_text("")


def test_a_session_that_has_ended_is_told(desk: Desk, browse: Browsing) -> None:
    page = open_live(browse)
    (cookie,) = page.context.cookies()
    reply = desk.service.ask(
        "POST", f"{AUTHENTICATION}/logout", key=cookie["value"], portal=desk.portal
    )
    assert reply.status == 200
    pass_time(page)
    expect(page.get_by_role("status")).to_have_text(re.compile("Your session has ended"))
    expect(page.get_by_role("switch", name="Live")).to_be_disabled()


def test_a_service_that_does_not_answer_is_asked_again(desk: Desk, browse: Browsing) -> None:
    page = open_live(browse)
    page.route("**/mail", lambda route: route.fulfill(status=429, body="Too many requests"))
    pass_time(page)
    expect(page.get_by_role("status")).to_have_text(re.compile("does not answer just now"))
    page.unroute("**/mail")
    send(desk, subject="Back", scheduled_at="in 1 day")
    pass_time(page)
    assert rows(page) == []  # it is asked less often
    pass_time(page)
    expect(page.get_by_role("link", name="Back")).to_be_visible()
    expect(page.get_by_role("status")).to_have_text("")


def test_mail_that_is_held_as_a_whole_is_told_with_what_to_do(
    desk: Desk, browse: Browsing, relay: Sink
) -> None:
    login = {"enableAuth": True, "credentialsUserName": "a", "credentialsUserPassword": "b"}
    with running_relay(refuse_login) as refusing:
        desk.save(refusing.port, **login)
        message_id = send(desk)
        wait_for_event(desk, message_id, "delivery_delayed")
        page = browse("/mail")
    banner = page.get_by_role("alert")
    expect(banner.get_by_role("heading")).to_have_text(re.compile("^All mail waits: "))
    expect(banner).to_contain_text("535 5.7.8 Authentication failed")
    expect(banner).to_contain_text("1 recipient waits; nothing is lost")
    expect(banner.get_by_role("link", name="To the settings")).to_have_attribute(
        "href", "/settings"
    )
    assert inspect(page, "mail-held") == []
    desk.save(relay.port)
    expect(banner).to_have_count(0)
    expect(page.get_by_role("row").filter(has_text="Your order")).to_contain_text("Sent")


@with_and_without_scripts
def test_who_is_no_administrator_sees_their_own_mail_alone(
    script: bool, desk: Desk, browse: Browsing
) -> None:
    foreign = send(desk, subject="Of the administrator", scheduled_at="in 1 day")
    user = desk.service.open_user(
        f"user@{desk.portal.name}.example.com",
        Role.USER,
        portal=desk.portal,
        password=ADMIN_PASSWORD,
    )
    body = {"userName": user.email, "password": ADMIN_PASSWORD}
    token = desk.ask("POST", AUTHENTICATION, body)["response"]["token"]
    own = {**EMAIL, "subject": "My own", "scheduled_at": "in 1 day"}
    assert desk.service.ask("POST", EMAILS, own, key=token, portal=desk.portal).status == 200
    page = browse(signed_in=False, script=script)
    sign_in(page.context, desk.url, token)
    page.goto("/mail")

    assert rows(page) == ["My own"]
    expect(page.locator("#health, #charts, .chart")).to_have_count(0)
    page.get_by_role("link", name="My own").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("My own")
    for path in (f"/mail/{foreign}", "/mail/4711"):
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == 404


def test_the_log_is_used_by_keyboard(desk: Desk, browse: Browsing) -> None:
    send(desk, subject="Find me", scheduled_at="in 1 day")
    send(desk, subject="Another", scheduled_at="in 1 day")
    page = browse("/mail")
    page.get_by_label("Search").focus()
    page.keyboard.type("find")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("search=find"))
    found = page.get_by_role("link", name="Find me")
    for _ in range(40):
        if found.evaluate("link => link === document.activeElement"):
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Find me")


def test_a_full_page_with_its_charts_is_small(desk: Desk, browse: Browsing) -> None:
    people = ["Otto Someone <otto.someone@customer.example.net>", "anna@example.net"]
    batch = [
        {**EMAIL, "to": people, "subject": f"Your order of today, number {number}"}
        for number in range(60)
    ]
    desk.ask("POST", f"{EMAILS}/batch", batch)
    desk.service.run(fill_charts(desk))
    sizes: dict[str, int] = {}
    page = browse()
    page.on("response", lambda answer: sizes.update({answer.url: len(answer.body())}))
    page.goto("/mail", wait_until="networkidle")
    own = {url: size for url, size in sizes.items() if not url.endswith(".svg")}
    assert len(rows(page)) == 50
    assert page.locator(".numbers tbody tr").count() >= 24
    assert len(own) == 8
    assert sum(own.values()) < 60_000, own
