"""A message that is submitted again under the same key is accepted once."""

from email import policy
from email.message import EmailMessage

import pytest

from smarthost.mail.address import parse_address
from smarthost.mail.submitted import LONGEST_HEADER
from smarthost.submission.idempotency import Keyed, KeyMisusedError
from tests.submission.served import CONTENT, MAIL, SENDER, Service

ANNA, BOB = parse_address("anna@example.net"), parse_address("bob@example.net")


def with_key(key: bytes, content: bytes = CONTENT) -> bytes:
    return b"X-Smarthost-Idempotency-Key: " + key + b"\r\n" + content


async def test_the_same_message_again_gets_the_same_answer(service: Service) -> None:
    async with service.logged_in() as client:
        first = await client.submit(with_key(b"k1"))
        again = await client.submit(with_key(b"k1", b"Date: another\r\n" + CONTENT))
        other = await client.submit(with_key(b"k2"))
    assert first.startswith("250 ")
    assert again == first != other

    newest, message = await service.messages()
    assert message.id in first
    assert newest.id in other
    content = await service.content(message)
    assert b"idempotency" not in content.lower()
    assert CONTENT.partition(b"\r\n\r\n")[2] in content


def multipart(html: str) -> bytes:
    """Make a message as a program does that tries again: its boundaries are others each time."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = SENDER, "anna@example.net", "Hello"
    message.set_content("Hello")
    message.add_alternative(html, subtype="html")
    message.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="a.pdf")
    return with_key(b"k1", message.as_bytes(policy=policy.SMTP))


async def test_a_message_with_parts_that_is_made_again_is_the_same(service: Service) -> None:
    one, again = multipart("<p>Hello</p>"), multipart("<p>Hello</p>")
    assert one != again
    async with service.logged_in() as client:
        told = [await client.submit(content) for content in (one, again, multipart("<p>Bye</p>"))]
    assert told[0] == told[1]
    assert told[0].startswith("250 ")
    assert told[2].startswith("554 5.5.0 This idempotency key was used with another request")
    assert len(await service.messages()) == 1


async def test_the_rest_of_too_many_recipients_may_come_under_the_same_key(
    service: Service,
) -> None:
    async with service.logged_in() as client:
        first = await client.submit(with_key(b"k1"))
        await client.ask(MAIL, b"RCPT TO:<bob@example.net>\r\n", b"DATA\r\n")
        rest = await client.ask(with_key(b"k1") + b".\r\n")
        again = await client.submit(with_key(b"k1"))
    assert again == first != rest
    assert len(await service.messages()) == 2


async def test_another_message_under_the_same_key_is_refused(service: Service) -> None:
    async with service.logged_in() as client:
        await client.submit(with_key(b"k1"))
        told = await client.submit(with_key(b"k1", CONTENT + b"more\r\n"))
        assert told.startswith("554 5.5.0 This idempotency key was used with another request")
    assert len(await service.messages()) == 1


@pytest.mark.parametrize("key", [b"", b"two words", b"\xc3\xa4", b"x" * 257, b"x\r\n y"])
async def test_what_is_no_key_is_refused(service: Service, key: bytes) -> None:
    async with service.logged_in() as client:
        told = await client.submit(with_key(key))
        assert told.startswith("554 5.5.0 The header X-Smarthost-Idempotency-Key")
    assert not await service.messages()


def test_the_header_stands_there_once() -> None:
    with pytest.raises(KeyMisusedError):
        Keyed(with_key(b"a", with_key(b"a")))


def test_without_the_header_nothing_is_changed() -> None:
    for content in (CONTENT, CONTENT + with_key(b"in the body"), b"X: " + with_key(b"x")):
        keyed = Keyed(content)
        assert (keyed.key, keyed.content) == (None, content)


async def test_a_header_that_is_too_long_is_refused_and_not_read(service: Service) -> None:
    content = with_key(b"k1", b"a:\r\n" * (LONGEST_HEADER // 4) + CONTENT)
    keyed = Keyed(content)
    assert (keyed.key, keyed.content) == (None, content)
    async with service.logged_in() as client:
        told = await client.submit(content)
    assert told.startswith("554 5.6.0 The header has more than 262144 octets")


def test_the_header_alone_is_taken_out() -> None:
    keyed = Keyed(b"A: 1\r\nx-smarthost-idempotency-KEY:k\r\n" + CONTENT)
    assert (keyed.key, keyed.content) == ("k", b"A: 1\r\n" + CONTENT)


def test_the_digest_is_of_the_envelope_and_of_what_was_written() -> None:
    def digest(content: bytes = CONTENT, sender: object = ANNA, *to: object) -> bytes:
        assert sender in (ANNA, BOB, None)
        recipients = [one for one in (ANNA, BOB) if one in (to or (BOB,))]
        path = next((one for one in (ANNA, BOB) if one == sender), None)
        return Keyed(with_key(b"k", content)).digest(path, recipients)

    same = digest()
    for anew in (b"Date: x\r\n", b"Message-ID: <x@y>\r\n", b"Received: x\r\n", b"received: y\r\n"):
        assert digest(anew + CONTENT) == same
    others = {
        digest(CONTENT + b"x\r\n"),
        digest(b"X-Date: x\r\n" + CONTENT),
        digest(CONTENT, BOB),
        digest(CONTENT, None),
        digest(CONTENT, ANNA, ANNA, BOB),
    }
    assert len(others | {same}) == 6
