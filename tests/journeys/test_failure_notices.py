"""What a real Postfix refuses comes back to the sender, and what a sender asks reaches it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from smarthost.mail.dsn import Dsn, Notify, RecipientDsn, Return
from smarthost.mail_queue.model import State
from tests.failure_notices.installation import installation
from tests.failure_notices.world import fields, read
from tests.journeys.postfix import DOMAIN, Postfix, folder_for_postfix, postfix
from tests.journeys.sink import until

pytestmark = pytest.mark.needs("postfix", "saslpasswd2")

SENDER, ANNA = f"carla@{DOMAIN}", f"anna@{DOMAIN}"
FROM = f"notify@{DOMAIN}"
CONTENT = (
    b"From: carla@example.com\r\nSubject: Hello\r\nMessage-ID: <1@example.com>\r\n\r\nHello\r\n"
)


@pytest.fixture(scope="module")
def relay() -> Iterator[Postfix]:
    with folder_for_postfix() as folder:
        services = {
            # Its log has each command.
            "traced": {"debug_peer_list": "127.0.0.1"},
            "no such mailbox": {"virtual_mailbox_maps": f"inline:{{ {SENDER}=inbox/ }}"},
        }
        with postfix(folder, "127.0.0.1", services) as running:
            yield running


async def test_what_postfix_refuses_comes_back(relay: Postfix, tmp_path: Path) -> None:
    _, port = relay.services["no such mailbox"]
    dsn = Dsn(ret=Return.FULL, envelope_id="order 17")
    async with installation(tmp_path, port, FROM) as running:
        await running.submit(SENDER, ANNA, content=CONTENT, dsn=dsn)
        await running.come_to(State.SENT, State.FAILED)
    notice = read(relay.delivered_octets())
    assert notice["Return-Path"] == "<>"
    assert notice["Subject"] == f"Not delivered to {ANNA}"
    of_message, of_anna = fields(notice)
    assert of_message["Original-Envelope-Id"] == "order 17"
    assert of_anna["Status"] == "5.1.1"
    assert of_anna["Diagnostic-Code"].startswith("smtp; 550 5.1.1 ")
    returned: Any = list(notice.iter_parts())[2].get_payload(0)
    assert returned["Message-ID"] == "<1@example.com>"


async def test_what_the_sender_asks_for_reaches_postfix(relay: Postfix, tmp_path: Path) -> None:
    _, port = relay.services["traced"]
    dsn = Dsn(
        ret=Return.HEADERS,
        envelope_id="order 17+4",
        recipients={
            ANNA: RecipientDsn(
                notify=frozenset({Notify.SUCCESS, Notify.FAILURE}),
                original_recipient="rfc822;old+anna@example.com",
            )
        },
    )
    async with installation(tmp_path, port, FROM) as running:
        await running.submit(SENDER, ANNA, content=CONTENT, dsn=dsn)
        await running.come_to(State.SENT)
    assert re.search(
        r"< unknown\[127\.0\.0\.1\]: MAIL FROM:<carla@.* RET=HDRS ENVID=order\+2017\+2B4\n",
        relay.log,
    )
    assert re.search(
        r"RCPT TO:<anna@.*> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;old\+2Banna@", relay.log
    )
    # The message, and Postfix's own word of its delivery.
    inbox = relay.folder / "inbox/new"
    until(lambda: len(list(inbox.glob("*"))) == 2)
    kept = [read(one.read_bytes()) for one in inbox.glob("*")]
    relay.forget()
    (told,) = (one for one in kept if one.get_content_type() == "multipart/report")
    of_message, of_anna = fields(told)
    assert of_message["Original-Envelope-Id"] == "order 17+4"
    assert of_anna["Original-Recipient"] == "rfc822;old+anna@example.com"
    assert of_anna["Action"] == "delivered"
