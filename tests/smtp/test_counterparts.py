"""Our client and a server that others wrote."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from smarthost.secret import Secret
from smarthost.smtp.data import Content
from smarthost.smtp.errors import RefusedError
from smarthost.smtp.sasl import Login, Plain
from tests.smtp.relays import HOST, connected_to, server_context

PASSWORD = Secret("correct horse")


class Mailbox:
    """Keeps what arrives."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.envelopes.append(envelope)
        return "250 2.0.0 Kept"


def is_allowed(_server: Any, _session: Any, _envelope: Any, _mechanism: str, login: Any) -> Any:
    assert isinstance(login, LoginPassword)
    return AuthResult(success=login.password == PASSWORD.reveal().encode(), handled=False)


@asynccontextmanager
async def aiosmtpd(mailbox: Mailbox, **options: Any) -> AsyncIterator[int]:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(mailbox, hostname=HOST, loop=loop, **options), "127.0.0.1", 0
    )
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_a_message_arrives_as_it_was_sent(ca: trustme.CA, trusting: ssl.SSLContext) -> None:
    mailbox = Mailbox()
    content = b"Subject: x\r\n\r\n.\r\n..\r\n.MAIL FROM:<>\r\nend without a line end"
    async with aiosmtpd(
        mailbox,
        tls_context=server_context(ca),
        require_starttls=True,
        auth_required=True,
        authenticator=is_allowed,
    ) as port:
        client = await connected_to(port)
        await client.greeting()
        assert (await client.ehlo("client.example.com")).starttls
        await client.start_tls(trusting, HOST)
        assert set((await client.ehlo("client.example.com")).auth) == {"LOGIN", "PLAIN"}
        await client.authenticate(Plain("me", PASSWORD))
        message = client.transaction(
            "a@example.com", ["b@example.com", "c@example.com"], size=len(content)
        )
        assert (await message.mail_from()).positive
        replies = await message.rcpt_to()
        assert [reply.code for reply in replies] == [250, 250]
        assert (await message.data(Content(content))).text == "250 2.0.0 Kept"
        await client.quit()
    (envelope,) = mailbox.envelopes
    assert envelope.mail_from == "a@example.com"
    assert envelope.rcpt_tos == ["b@example.com", "c@example.com"]
    assert envelope.content == content + b"\r\n"


async def test_an_internationalised_message_arrives() -> None:
    mailbox = Mailbox()
    async with aiosmtpd(mailbox, enable_SMTPUTF8=True) as port:
        client = await connected_to(port)
        await client.greeting()
        assert (await client.ehlo("client.example.com")).smtp_utf8
        message = client.transaction("ä@example.com", ["ö@example.com"], utf8=True, eight_bit=True)
        await message.mail_from()
        await message.rcpt_to()
        assert (await message.data(Content("ü".encode()))).positive
        await client.quit()
    assert mailbox.envelopes[0].rcpt_tos == ["ö@example.com"]


@pytest.mark.parametrize("mechanism", [Plain, Login])
async def test_a_wrong_password_is_refused(
    ca: trustme.CA, trusting: ssl.SSLContext, mechanism: type[Plain | Login]
) -> None:
    async with aiosmtpd(
        Mailbox(), tls_context=server_context(ca), authenticator=is_allowed
    ) as port:
        client = await connected_to(port)
        await client.greeting()
        await client.ehlo("client.example.com")
        await client.start_tls(trusting, HOST)
        await client.ehlo("client.example.com")
        with pytest.raises(RefusedError) as caught:
            await client.authenticate(mechanism("me", Secret("wrong")))
        assert caught.value.reply.code == 535
        await client.quit()
