"""What others have written into mail and replies does nothing on a page but to be read.

The guard of every page fails the test where a script runs that should not, where the policy is
broken, or where a page asks for something elsewhere.
"""

from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Dialog, Page, expect

from tests.contract.relays import running_relay
from tests.pages.browser import PHONE, Browsing, Look
from tests.pages.desk import Desk
from tests.pages.looks import is_too_wide, screenshot, show
from tests.pages.mail_relay import answering
from tests.pages.mailing import send, wait_for_event

RUN = "document.title='RUN'"
SCRIPTS = [
    f"<script>{RUN}</script>",
    f'"><img src=x onerror="{RUN}">',
    f"'><svg onload={RUN}>",
    f"javascript:{RUN}//",
    f"</textarea></title></pre><iframe srcdoc='<script>parent.{RUN}</script>'>",
    f"<a href='javascript:{RUN}'>here</a>",
    "<style>body{display:none}</style><meta http-equiv=refresh content='0;url=//evil.example'>",
    "{{7*7}} ${7*7} {% raw %} #{7*7} {title}",
    "&lt;b&gt; &amp;amp; &#60;script&#62;",
]
TURNED = "invoice\u202egpj.exe"
LONG = "a" * 900
ALL = " ".join(SCRIPTS)


def reply(text: str) -> str:
    return f"550 5.1.1 {text}"


@pytest.fixture
def desk(desk: Desk) -> Iterator[Desk]:
    """A portal whose relay is as hostile as its mail."""
    told = {f"r{at}": reply(text) for at, text in enumerate(SCRIPTS)} | {
        "turned": reply(TURNED), "long": reply(LONG), "later": f"451 4.7.1 {ALL[:400]}",
    }  # fmt: skip
    with running_relay(answering(told, taken=f"250 2.0.0 {SCRIPTS[1]}")) as relay:
        desk.save(relay.port)
        yield desk


def titled(text: str) -> str:
    return f"{text} \N{EN DASH} Smarthost"


def asks(page: Page) -> list[str]:
    """Note every dialogue that a page opens."""
    opened: list[str] = []

    def note(dialog: Dialog) -> None:
        opened.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", note)
    return opened


def is_untouched(page: Page, title: str) -> None:
    expect(page).to_have_title(title)
    expect(
        page.locator("main iframe, main img, main script, main svg[onload], main style")
    ).to_have_count(0)
    expect(page.locator("a[href^='javascript:' i]")).to_have_count(0)
    expect(page.locator("main")).to_be_visible()
    show(page, Look(width=PHONE))
    sideways = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(sideways) <= 0
    assert not is_too_wide(page)


def test_a_log_of_hostile_mail_is_a_log(desk: Desk, browse: Browsing) -> None:
    for at, text in enumerate(SCRIPTS):
        name = text.replace("\\", "").replace('"', "'")
        send(desk, f'"{name}" <r{at}@example.net>', subject=text)
    send(desk, "turned@example.net", subject=TURNED)
    last = send(desk, "long@example.net", subject=LONG)
    wait_for_event(desk, last, "failed")
    page = browse()
    opened = asks(page)
    page.clock.install()
    page.goto("/mail")

    subjects = page.locator("#rows td:nth-child(3)").all_inner_texts()
    assert subjects[2:] == [" ".join(text.split()) for text in reversed(SCRIPTS)]
    assert subjects[1] == "invoiceU+202Egpj.exe"
    assert len(subjects[0]) == 120
    screenshot(page, "hostile-mail", Look())
    # The same by the script that keeps the page as it is now.
    send(desk, "later@example.net", subject=ALL[:900])
    page.clock.fast_forward(3_000)
    expect(page.locator("#rows tr")).to_have_count(len(SCRIPTS) + 3)
    is_untouched(page, titled("Mail"))
    assert opened == []


def test_a_hostile_filter_is_text(desk: Desk, browse: Browsing) -> None:
    page = browse()
    opened = asks(page)
    fields = ("search", "recipient", "state", "from", "until", "after", "chart", "done")
    for text in (*SCRIPTS[:3], TURNED):
        page.goto(f"/mail?{urlencode(dict.fromkeys(fields, text))}")
        expect(page.get_by_label("Recipient", exact=True)).to_have_value(text)
        expect(page).to_have_title(titled("Mail"))
    assert opened == []


@pytest.mark.parametrize("html", [True, False], ids=["html", "text"])
def test_a_hostile_message_is_a_message(html: bool, desk: Desk, browse: Browsing) -> None:
    content = {"html": ALL, "text": ""} if html else {"text": f"{ALL}\n{TURNED}\n{LONG * 11}"}
    people = [f"r{at}@example.net" for at in range(len(SCRIPTS))]
    subject = f"{SCRIPTS[0]} {TURNED}"
    message_id = send(
        desk,
        [*people, "later@example.net", "turned@example.net", "long@example.net"],
        cc=["jane@example.net"],
        reply_to=f'"{SCRIPTS[2]}" <help@example.com>',
        subject=subject,
        **content,
    )
    wait_for_event(desk, message_id, "failed")
    page = browse()
    opened = asks(page)
    page.goto(f"/mail/{message_id}")

    for summary in page.locator(".attempts summary").all():
        summary.click()
    replies = " ".join(page.locator("q").all_inner_texts())
    assert SCRIPTS[0] in replies
    # What the relay writes is cleaned before it is kept.
    assert "\u202e" not in page.content()
    shown = page.locator("pre").inner_text()
    assert SCRIPTS[4] in shown
    assert "49" not in page.locator("h1, pre").all_inner_texts()
    screenshot(page, f"hostile-message-{'html' if html else 'text'}", Look())
    is_untouched(page, titled(f"{SCRIPTS[0]} invoiceU+202Egpj.exe"))
    assert opened == []
