"""What becomes of a message that is submitted: the queue has it, or its sender is told why not."""

import email
import email.policy
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from smarthost.mail_queue.accepted.model import LARGEST_MESSAGE
from tests.smtp_settings.relays import OPEN_RELAY, draft
from tests.submission.served import (
    ADMIN,
    BY,
    CONTENT,
    HOST,
    MAIL,
    NOTHING_LASTS,
    RCPT,
    SENDER,
    Service,
    serving,
)

ID = r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"


async def save_sender(service: Service, address: str) -> None:
    settings = msgspec.structs.replace(OPEN_RELAY, sender_address=address)
    await service.parts.settings.save(service.portal.id, draft(settings, None), BY)


async def test_a_message_comes_into_the_queue_as_it_was_sent(service: Service) -> None:
    body = b"".join(b"%b%d\r\n" % (dots, number) for number, dots in enumerate([b".", b"..", b""]))
    content = (
        b"Return-Path: <x@example.com>\r\nReceived: from a by b; c\r\n"
        b"X-Kept:  as\tit\r\n  is\r\nBcc: eve@example.net\r\n"
        + CONTENT
        + "Ünï".encode()
        + b"\r\n"
        + body
    )
    async with service.logged_in() as client:
        told = await client.submit(content.replace(b"\r\n.", b"\r\n.."))

    (message,) = await service.messages()
    assert told == f"250 2.0.0 Ok: queued as {message.id}\r\n"
    assert (message.sender, message.accepted_by) == (SENDER, ADMIN)
    assert message.owner == f"key:{service.key.split('_')[1]}"
    assert [one.address for one in message.recipients] == ["anna@example.net"]
    assert message.details.subject == "Hello"
    kept = await service.content(message)
    trace, begin, rest = kept.partition(b"Received: from a by b; c\r\n")
    assert begin
    assert b"eve@" not in kept
    added = b"Message-ID: <%b@example.com>\r\nDate: " % message.id.encode()
    header, _, written = rest.partition(b"\r\n\r\n")
    assert added in header
    assert header.startswith(b"X-Kept:  as\tit\r\n  is\r\nFrom: " + SENDER.encode())
    assert written == content.partition(b"\r\n\r\n")[2]
    read = email.message_from_bytes(trace, policy=email.policy.default)["Received"]
    assert f"from app.example.com ([127.0.0.1]) by {HOST} with ESMTPA id {message.id}" in read
    assert "for <anna@example.net>" in read


async def test_several_messages_go_in_one_session(service: Service) -> None:
    async with service.logged_in() as client:
        told = {await client.submit() for _ in range(3)}
        assert len(told) == 3
    assert len(await service.messages()) == 3


async def test_every_recipient_of_the_envelope_gets_it_and_nobody_else(service: Service) -> None:
    async with service.logged_in() as client:
        client.send(MAIL + RCPT + b"RCPT TO:<eve@example.net>\r\n" + RCPT + b"DATA\r\n")
        assert [(await client.reply())[:3] for _ in range(5)] == ["250"] * 4 + ["354"]
        content = CONTENT.replace(b"To: anna@", b"To: joe@")
        assert (await client.ask(content + b".\r\n")).startswith("250 ")

    (message,) = await service.messages()
    addresses = [one.address for one in message.recipients]
    assert addresses == ["anna@example.net", "eve@example.net"]
    assert message.details.to == ("joe@example.net",)
    assert set(message.details.bcc) == set(addresses)
    assert b" for " not in (await service.content(message)).partition(b";")[0]


@pytest.mark.parametrize(
    ("mail", "content"),
    [
        (b"MAIL FROM:<other@example.com>\r\n", CONTENT),
        (b"MAIL FROM:<notify@sub.example.com>\r\n", CONTENT),
        (b"MAIL FROM:<notify@example.com.example.org>\r\n", CONTENT),
        (b'MAIL FROM:<"notify@example.com"@example.org>\r\n', CONTENT),
        (MAIL, CONTENT.replace(SENDER.encode(), b"other@example.com")),
        (MAIL, CONTENT.replace(SENDER.encode(), b'"notify@example.com" <o@example.org>')),
        (MAIL, b"Sender: other@example.com\r\n" + CONTENT),
        (
            MAIL,
            b"Sender: notify@example.com\r\n"
            + CONTENT.replace(b"From: ", b"From: other@example.com, "),
        ),
        (b"MAIL FROM:<>\r\n", CONTENT.replace(SENDER.encode(), b"other@example.com")),
    ],
)
async def test_nobody_writes_in_anothers_name(
    service: Service, mail: bytes, content: bytes
) -> None:
    async with service.logged_in() as client:
        told = await client.submit(content, mail)
    assert told.startswith("550")
    assert "This portal may not send as" in told
    assert "Use notify@example.com" in told
    assert not await service.messages()


async def test_what_is_refused_is_logged(service: Service) -> None:
    with capture_logs() as lines:
        async with service.logged_in() as client:
            await client.ask(b"MAIL FROM:<other@example.com>\r\n")
    (refused,) = [line for line in lines if line["event"] == "submission refused"]
    assert refused["client"] == "127.0.0.1"
    assert refused["reply"].startswith("550 5.7.1 This portal may not send as other@example.com")


async def test_the_null_reverse_path_is_taken_where_from_is_allowed(service: Service) -> None:
    async with service.logged_in() as client:
        assert (await client.submit(mail=b"MAIL FROM:<>\r\n")).startswith("250 ")
    (message,) = await service.messages()
    assert message.sender == ""


async def test_the_whole_domain_is_taken_as_soon_as_the_operator_allows_it(
    service: Service,
) -> None:
    other = b"MAIL FROM:<other@example.com>\r\n"
    content = CONTENT.replace(SENDER.encode(), b"third@example.com")
    async with service.logged_in() as client:
        assert (await client.submit(content, other)).startswith("550 5.7.1 ")
        await service.parts.portals.allow_domain_senders(service.portal, BY, allowed=True)
        assert (await client.submit(content, other)).startswith("250 ")


async def test_settings_that_were_saved_meanwhile_are_the_ones_that_count(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, NOTHING_LASTS) as service, service.logged_in() as client:
        assert (await client.ask(MAIL, RCPT, b"DATA\r\n")).startswith("354 ")
        await save_sender(service, "new@example.com")
        told = await client.ask(CONTENT + b".\r\n")
        assert told.startswith("550-5.7.1 This portal may not send as notify@example.com.")
        new = CONTENT.replace(SENDER.encode(), b"new@example.com")
        assert (await client.submit(new, b"MAIL FROM:<new@example.com>\r\n")).startswith("250 ")


async def test_without_a_relay_mail_has_to_wait(tmp_path: Path) -> None:
    async with serving(tmp_path, DEFAULT_RELAY_URL="") as service, service.logged_in() as client:
        told = await client.submit()
        assert told.startswith("451 4.3.5 No mail server is saved for this portal")
        await save_sender(service, SENDER)
        assert (await client.submit()).startswith("250 ")


@pytest.mark.parametrize(
    ("content", "begin"),
    [
        (CONTENT.replace(b"From", b"X-From"), "554 5.6.0 The header From is missing"),
        (b"not a header\r\n" + CONTENT, "554 5.6.0 "),
        (b"From: a\r\n" + CONTENT, "554 5.6.0 The header From is there twice"),
        (b"", "554 5.6.0 The message is empty"),
        (b"Received: from a by b; c\r\n" * 31 + CONTENT, "554 5.4.6 "),
        (CONTENT.replace(b"Hello", b"H\xe9llo"), "554 5.6.0 The header Subject is not in UTF-8"),
        (
            CONTENT.replace(b"notify@", b"notify@example.com <notify@", 1).replace(
                b".com\r\nTo", b".com>\r\nTo"
            ),
            "554 5.6.0 The header From cannot be read. Two addresses stand before one comma",
        ),
    ],
)
async def test_what_cannot_be_sent_is_refused_in_words(
    service: Service, content: bytes, begin: str
) -> None:
    async with service.logged_in() as client:
        assert (await client.submit(content)).startswith(begin)
        assert (await client.submit()).startswith("250 ")
    assert len(await service.messages()) == 1


async def test_thirty_servers_are_not_too_many(service: Service) -> None:
    async with service.logged_in() as client:
        content = b"Received: from a by b; c\r\n" * 30 + CONTENT
        assert (await client.submit(content)).startswith("250 ")


async def test_a_message_as_large_as_announced_is_taken(service: Service) -> None:
    async with service.logged_in() as client:
        line = b"x" * 998 + b"\r\n"
        size = LARGEST_MESSAGE - 2_048
        lines, rest = divmod(size - len(CONTENT), len(line))
        whole = CONTENT + line * lines + (b"y" * (rest - 2) + b"\r\n" if rest >= 2 else b"")
        assert (await client.submit(whole)).startswith("250 ")
        assert (await client.submit(whole + line)).startswith("552 5.3.4 ")
    (message,) = await service.messages()
    assert whole.partition(b"\r\n\r\n")[2] in await service.content(message)


async def test_a_store_that_is_gone_is_told_as_temporary(service: Service) -> None:
    async with service.logged_in() as client:
        await client.ask(MAIL, RCPT, b"DATA\r\n")
        await service.parts.database.close()
        assert (await client.ask(CONTENT + b".\r\n")).startswith("451 4.3.0 The store")
        assert (await client.ask(MAIL)).startswith("451 4.3.0 ")
        assert (await client.ask(b"QUIT\r\n")).startswith("221 ")
