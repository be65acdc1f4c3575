"""The check on the settings page: its steps as they happen, what is wrong, and what is saved."""

import json
import re
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, closing
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import trustme
from playwright.sync_api import Browser, Page, expect

from smarthost.web.auth import COOKIE
from tests.authority import showing, trust_everywhere
from tests.contract.relays import running_relay
from tests.contract.service import (
    ADMIN_PASSWORD,
    AUTHENTICATION,
    SETTINGS,
    Service,
    running_service,
)
from tests.journeys import postfix as postfix_room
from tests.journeys.postfix import folder_for_postfix, postfix
from tests.journeys.sink import Sink, dead_port
from tests.pages.browser import Browsing
from tests.pages.conftest import BASE_DOMAIN
from tests.pages.desk import SENDER, Desk, open_desk
from tests.pages.guard import Guard
from tests.pages.looks import inspect
from tests.pages.relays import PASSWORD, USER_NAME, Provider
from tests.smtp.relays import TLS_PORT, Peer, free_tls_address

PATIENCE = 30.0
BOTH = pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module", autouse=True)
def trusted(tmp_path_factory: pytest.TempPathFactory, authority: trustme.CA) -> Iterator[Path]:
    """What makes every service of these tests trust the authority, and its folder."""
    folder = tmp_path_factory.mktemp("pages")
    with pytest.MonkeyPatch.context() as patch:
        trust_everywhere(authority, folder, patch)
        yield folder


@pytest.fixture(scope="module")
def service(trusted: Path) -> Iterator[Service]:
    """A service of several portals, which trusts the authority."""
    with running_service(trusted, BASE_DOMAIN=BASE_DOMAIN) as running:
        yield running


@pytest.fixture(scope="module")
def tls(authority: trustme.CA) -> ssl.SSLContext:
    return showing(authority.issue_cert("localhost"))


@pytest.fixture
def provider(tls: ssl.SSLContext) -> Provider:
    return Provider(tls)


@pytest.fixture
def port(provider: Provider) -> Iterator[int]:
    with running_relay(provider) as relay:
        yield relay.port


def fill(page: Page, port: int, **changes: str) -> None:
    """Fill the form in for an account at this port of `localhost`, with TLS."""
    texts = {
        "senderAddress": SENDER,
        "host": "localhost",
        "port": str(port),
        "credentialsUserName": USER_NAME,
        "credentialsUserPassword": PASSWORD,
    } | changes
    for name, text in texts.items():
        page.locator(f"#{name}").fill(text)


def fill_in_clear(page: Page, port: int) -> None:
    """Fill the form in for a relay that wants neither a login nor TLS."""
    fill(page, port)
    page.get_by_label("Only if the server offers it").check()
    page.get_by_label("The server asks for a login").uncheck()


def press(page: Page, name: str = "Save when it works") -> None:
    page.locator(".check-actions").get_by_role("button", name=name).click()


def expect_said(page: Page, text: str | re.Pattern[str]) -> None:
    expect(page.locator("#check [data-said]")).to_contain_text(text)


def states(page: Page) -> dict[str, str]:
    rows = page.locator(".steps > .step")
    told = rows.evaluate_all("rows => rows.map(row => [row.dataset.step, row.dataset.state])")
    return dict(told)


def invalid(page: Page) -> list[str]:
    described = page.locator("#settings [aria-invalid=true]").evaluate_all(
        "fields => fields.map(field => field.getAttribute('aria-describedby').split(' ')[0])"
    )
    return sorted(one.removesuffix("-hint") for one in described)


def is_default(desk: Desk) -> bool:
    answer = desk.ask("GET", SETTINGS)["response"]["isDefaultSettings"]
    assert isinstance(answer, bool)
    return answer


@BOTH
def test_what_works_is_saved(
    script: bool, browse: Browsing, desk: Desk, port: int, guard: Guard
) -> None:
    page = browse("/settings", script=script)
    fill(page, port)
    press(page)

    saved = "It works and is saved. The next message goes out with these settings."
    expect(page.get_by_text(saved)).to_be_visible()
    assert desk.ask("GET", SETTINGS)["response"]["port"] == port
    expect(page.locator("#credentialsUserPassword")).to_have_value("")
    expect(page.locator("input[name=revision]").first).to_have_value("1")
    if script:
        assert list(states(page)) == [
            "resolve", "connect", "greeting", "ehlo", "tls", "authenticate", "sender", "recipient"
        ]  # fmt: skip
        assert set(states(page).values()) == {"ok"}
        expect(page.get_by_text("Stored; leave empty to keep it.")).to_be_visible()
        tls_row = page.locator("[data-step=tls]")
        expect(tls_row).to_contain_text(re.compile(r"TLSv1\.3, TLS_AES.*Verifiedyes.*days left"))
        # And once more with the stored password: nothing has to be typed or loaded anew.
        press(page, "Check only")
        expect_said(page, "It works. The check alone has saved nothing.")


@BOTH
def test_a_refused_login_is_explained_and_its_fields_are_marked(
    script: bool, browse: Browsing, desk: Desk, port: int
) -> None:
    page = browse("/settings", script=script)
    fill(page, port, credentialsUserPassword="wrong")
    press(page)

    expect_said(page, "It does not work: localhost refused the login. Nothing was saved.")
    assert states(page)["ehlo"] == "ok"
    assert states(page)["authenticate"] == "failed"
    assert states(page)["sender"] == states(page)["recipient"] == "missed"
    row = page.locator("[data-step=authenticate]")
    expect(row).to_contain_text("Type the password again and check the user name, which is often")
    expect(row.locator("q")).to_have_text("535 5.7.8 Bad <b>credentials</b>")
    assert invalid(page) == ["credentialsUserName", "credentialsUserPassword"]
    assert is_default(desk)
    if script:
        expect(page.locator("#credentialsUserPassword")).to_have_value("wrong")
    else:
        expect(page.locator("#check")).to_be_focused()
    row.get_by_role("link", name="Password").click()
    expect(page.locator("#host")).to_have_value("localhost")
    if script:
        assert inspect(page, "check-failed") == []


@BOTH
def test_with_warnings_it_is_saved_and_they_are_told(
    script: bool, browse: Browsing, desk: Desk, relay: Sink
) -> None:
    page = browse("/settings", script=script)
    fill_in_clear(page, relay.port)
    press(page)

    expect_said(page, "It works and is saved, but not all of it is as it should be.")
    expect(page.locator("#check .problem.warning")).to_contain_text("not encrypted")
    assert states(page)["authenticate"] == "skipped"
    assert "failed" not in states(page).values()
    assert not is_default(desk)
    assert relay.taken == []


@BOTH
def test_a_port_without_tls_is_told(script: bool, browse: Browsing, guard: Guard) -> None:
    async def clear(peer: Peer) -> None:
        await peer.say("220 relay.example.com ESMTP")
        await peer.is_left()

    address = free_tls_address()
    page = browse("/settings", script=script)
    with running_relay(clear, host=address, port=TLS_PORT):
        fill(page, TLS_PORT, host=address)
        press(page)
        expect_said(page, "It does not work")
    shown = list(states(page).items())
    assert shown[:4] == [
        ("resolve", "ok"), ("connect", "ok"), ("tls", "failed"), ("greeting", "missed")
    ]  # fmt: skip
    assert "port" in invalid(page)


@BOTH
def test_a_certificate_that_nobody_trusts_is_shown(script: bool, browse: Browsing) -> None:
    stranger = trustme.CA(organization_name="Stranger").issue_cert("localhost")
    page = browse("/settings", script=script)
    with running_relay(Provider(showing(stranger))) as relay:
        fill(page, relay.port)
        press(page)
        expect_said(page, "It does not work")
    row = page.locator("[data-step=tls]")
    assert states(page)["tls"] == "failed"
    expect(row).to_contain_text(re.compile("Issued by.*Stranger"))
    expect(row.locator("time")).to_be_visible()


@BOTH
def test_what_cannot_be_saved_is_said_beside_its_fields(
    script: bool, browse: Browsing, desk: Desk
) -> None:
    page = browse("/settings", script=script)
    fill(page, 0, host="", senderAddress="nobody")
    press(page)

    expect(page.locator("#host-faults")).to_be_visible()
    assert invalid(page) == ["host", "port", "senderAddress"]
    expect(page.locator("#senderAddress")).to_have_value("nobody")
    assert is_default(desk)
    if script:
        expect_said(page, "Nothing was checked yet. Please look at this:")
        expect(page.locator("#check [data-said] a")).to_have_count(3)
    # What was marked goes when it is put right.
    with dead_port() as port:
        fill(page, port)
        press(page)
        expect_said(page, "localhost refused the connection")
    assert invalid(page) == ["host", "port"]


@BOTH
def test_a_check_alone_saves_nothing_and_shows_the_same_words_either_way(
    script: bool, browse: Browsing, desk: Desk, relay: Sink
) -> None:
    page = browse("/settings", script=script)
    fill_in_clear(page, relay.port)
    press(page, "Check only")
    expect_said(page, "It works, but not all of it is as it should be. The check alone")
    assert is_default(desk)
    shown = page.locator(".steps").inner_text()
    times = re.compile(r"[\d.,]+ ms")
    assert re.sub(r"\s+", " ", times.sub("_ ms", shown)) == SHOWN


SHOWN = (
    "Find the server ok _ ms Addresses 127.0.0.1 Connect ok _ ms Address 127.0.0.1 Greeting ok "
    "_ ms It says 220 sink.example.com ESMTP What it offers ok _ ms Extensions 8BITMIME, "
    "PIPELINING Largest message 100.0 MB Encryption warning _ ms The connection to localhost is "
    "not encrypted Whoever is in between can read the mail and change it. Turn on TLS "
    "if the server can do it. Look at: Encryption Login not needed Sender ok _ ms From "
    "notify@example.com It says 250 2.0.0 Ok Recipient ok _ ms It says 250 2.0.0 Ok"
)


def test_a_check_that_ends_oauth2_says_so(browse: Browsing, desk: Desk, relay: Sink) -> None:
    login = {"credentialsUserName": "u", "credentialsUserPassword": "p"}
    desk.save(587, enableSSL=True, enableAuth=True, **login)
    application = {
        "grant": "client_credentials",
        "clientId": "a",
        "clientSecret": "b",
        "tokenUrl": "https://token.example.com/",
        "scope": "smtp",
        "userName": "u",
    }
    desk.ask("PUT", f"{SETTINGS}/oauth2", application)
    page = browse("/settings")
    fill_in_clear(page, relay.port)
    press(page)
    expect_said(page, "The sign-in with OAuth2 has ended")


def test_steps_are_shown_before_the_check_ends(
    browse: Browsing, provider: Provider, port: int
) -> None:
    provider.hold()
    page = browse("/settings")
    fill(page, port)
    page.locator("#host").press("Enter")

    assert provider.reached.wait(PATIENCE)
    expect(page.locator("[data-step=authenticate]")).to_have_attribute("data-state", "begin")
    expect(page.locator("[data-step=tls]")).to_have_attribute("data-state", "ok")
    assert states(page)["recipient"] == "waiting"
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    assert inspect(page, "check-running") == []
    provider.let_go()
    expect_said(page, "It works and is saved.")
    expect(page.locator("#host")).to_be_focused()
    expect(page.get_by_role("button", name="Cancel")).to_be_hidden()


def test_a_check_can_be_cancelled(
    browse: Browsing, provider: Provider, port: int, desk: Desk
) -> None:
    provider.hold()
    page = browse("/settings")
    fill(page, port)
    press(page)
    assert provider.reached.wait(PATIENCE)
    page.locator(".check-actions button").first.click(force=True)  # one check at a time
    page.get_by_role("button", name="Cancel").click()

    expect_said(page, "The check was cancelled.")
    assert provider.left.wait(PATIENCE)
    assert states(page)["authenticate"] == "missed"
    assert is_default(desk)
    expect(page.locator("#credentialsUserPassword")).to_have_value(PASSWORD)
    expect(page.locator(".check-actions button").first).to_be_enabled()
    press(page, "Check only")
    expect_said(page, "It works.")


def test_somebody_elses_save_is_shown_as_the_form_shows_it(
    browse: Browsing, desk: Desk, port: int
) -> None:
    page = browse("/settings")
    desk.save(9)
    fill(page, port)
    press(page)

    expect(page.locator("#conflict")).to_be_visible()
    expect(page.locator("#port")).to_have_value(str(port))
    assert desk.ask("GET", SETTINGS)["response"]["port"] == 9


def test_a_session_that_has_ended_loses_nothing_that_was_typed(
    browse: Browsing, port: int, desk: Desk
) -> None:
    page = browse("/settings")
    fill(page, port)
    cookies = page.context.cookies()
    page.context.clear_cookies()
    press(page)

    expect_said(page, "Your session has ended.")
    expect(page.locator("#check").get_by_role("link", name="Sign in")).to_be_visible()
    expect(page.locator("#credentialsUserPassword")).to_have_value(PASSWORD)
    page.context.add_cookies(cookies)  # type: ignore[arg-type]
    press(page)
    expect_said(page, "It works and is saved.")
    assert not is_default(desk)


def test_without_a_network_nothing_that_was_typed_is_lost(
    browse: Browsing, port: int, guard: Guard
) -> None:
    page = browse("/settings")
    fill(page, port)
    page.context.set_offline(True)
    press(page)

    expect_said(page, "The connection to Smarthost is lost.")
    page.context.set_offline(False)
    assert all("ERR_INTERNET_DISCONNECTED" in fault for fault in guard.take())
    press(page)
    expect_said(page, "It works and is saved.")


def test_a_service_that_stops_in_the_middle_is_told(
    browser: Browser, provider: Provider, port: int, tmp_path: Path
) -> None:
    provider.hold()
    with ExitStack() as open_pages, ExitStack() as running:
        service = running.enter_context(running_service(tmp_path, BASE_DOMAIN=BASE_DOMAIN))
        desk = open_desk(service, "stopping")
        guard = Guard(desk.url)
        browsing = open_pages.enter_context(
            closing(Browsing(browser, desk.url, guard, desk.session))
        )
        page = browsing("/settings")
        fill(page, port)
        press(page)
        assert provider.reached.wait(PATIENCE)
        running.close()

        expect_said(page, "The service is stopping.")
        assert states(page)["authenticate"] == "missed"
        expect(page.locator("#credentialsUserPassword")).to_have_value(PASSWORD)
        assert provider.left.wait(PATIENCE)
        assert guard.faults == []


REFUSED = {"error": {"message": "Not now.", "type": "x"}, "status": 1, "statusCode": 0}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"status": 429, "headers": {"Retry-After": "5"}}, "Not now. You can check again in 5 s."),
        ({"status": 429, "headers": {"Retry-After": "601"}}, "You can check again in 11 min."),
        ({"status": 503}, "Not now. What you typed is still here."),
        ({"status": 502, "body": "<html>"}, "The connection to Smarthost is lost."),
        ({"status": 200, "body": "event: step\n"}, "The connection to Smarthost is lost."),
    ],
)
def test_what_is_refused_can_be_tried_again(
    answer: dict[str, Any], said: str, browse: Browsing, guard: Guard
) -> None:
    page = browse("/settings")
    page.route(
        re.compile("/check/events"),
        lambda route: (
            route.fulfill(**{"json": REFUSED} | answer)
            if "body" not in answer
            else route.fulfill(**answer)
        ),
    )
    fill(page, 587)
    press(page)

    expect_said(page, said)
    expect(page.locator("#credentialsUserPassword")).to_have_value(PASSWORD)
    expect(page.locator(".check-actions button").first).to_be_enabled()
    assert all(fault.startswith("answer: 50") for fault in guard.take())


def test_who_is_no_administrator_never_sees_it(desk: Desk) -> None:
    service, portal = desk.service, desk.portal
    email = f"user@{portal.name}.example.com"
    service.open_user(email, portal=portal, password=ADMIN_PASSWORD)
    login = {"userName": email, "password": ADMIN_PASSWORD}
    session = service.ask("POST", AUTHENTICATION, login, portal=portal).json()["response"]
    headers = {
        "Cookie": f"{COOKIE}={session['token']}",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    for method, path in [("GET", ""), ("POST", "/check"), ("POST", "/test")]:
        body = b"host=localhost" if method == "POST" else None
        reply = service.ask(method, f"/settings{path}", body, headers=headers, portal=portal)
        assert reply.status == HTTPStatus.FORBIDDEN
        assert b"/settings/check" not in reply.body
        assert b"/settings/test" not in reply.body


EVENTS = (
    ": comment\n\nevent: step\ndata: {\ndata: }\n\r\n"
    "data:two\r\n\r\nevent: x\n\ndata: é\r\rdata: cut off"
)
READ = """async ([url, text]) => {
    const { readEvents } = await import(url);
    const octets = new TextEncoder().encode(text);
    const read = async (parts) => {
        const stream = new ReadableStream({
            start(to) {
                for (const part of parts) to.enqueue(part);
                to.close();
            },
        });
        const events = [];
        for await (const event of readEvents(stream)) events.push(`${event.name} ${event.data}`);
        return JSON.stringify(events);
    };
    const told = [await read(Array.from(octets, (octet) => new Uint8Array([octet])))];
    for (let at = 0; at <= octets.length; at++) {
        const cut = [octets.slice(0, at), octets.slice(at, at + 1), octets.slice(at + 1)];
        told.push(await read(cut));
    }
    return [...new Set(told)];
}"""


def test_events_are_read_wherever_the_network_cuts_them(browse: Browsing) -> None:
    page = browse("/settings")
    url = page.locator("#check").get_attribute("data-parts")
    (told,) = page.evaluate(READ, [url, EVENTS])
    assert json.loads(told) == ["step {\n}", "message two", "message é"]


# --- with a real server


@pytest.mark.needs("postfix", "saslpasswd2")
def test_a_real_server_shows_all_that_a_check_sees(
    browse: Browsing, authority: trustme.CA, desk: Desk
) -> None:
    with ExitStack() as stack:
        folder = stack.enter_context(folder_for_postfix())
        chain = folder / "chain.pem"
        authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(chain))
        options = {
            "smtpd_sasl_auth_enable": "yes",
            "smtpd_sasl_path": "any",
            "smtpd_tls_chain_files": str(chain),
            "smtpd_tls_security_level": "may",
        }
        relay = stack.enter_context(postfix(folder, "127.0.0.1", {"login": options}))
        page = browse("/settings")
        fill(
            page,
            relay.services["login"][1],
            credentialsUserName=f"{postfix_room.USER_NAME}@{postfix_room.DOMAIN}",
            credentialsUserPassword=postfix_room.PASSWORD,
        )
        press(page)
        expect_said(page, "It works and is saved.")
        expect(page.locator("[data-step=authenticate]")).to_contain_text("SCRAM-SHA-256")
