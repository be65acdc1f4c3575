"""Who gets in by SMTP, and what those are told who do not."""

import base64
from pathlib import Path

from structlog.testing import capture_logs

from smarthost.portals.model import Permission, Role
from smarthost.portals.tokens import TokenKind, new_token
from tests.submission.served import (
    ADMIN,
    BY,
    CONTENT,
    MAIL,
    NOTHING_LASTS,
    RCPT,
    Service,
    serving,
)

WRONG = "535 5.7.8 Login refused: the password is an API key of Smarthost, the user name is free"


async def told(service: Service, key: str) -> str:
    async with service.connected() as client:
        return await client.log_in(key)


async def test_a_key_that_may_send_gets_in_under_any_name(service: Service) -> None:
    assert (await told(service, service.key)).startswith("235 ")
    assert (await told(service, await service.new_key(Permission.SEND))).startswith("235 ")


async def test_all_that_is_wrong_is_told_alike(service: Service) -> None:
    unknown = new_token(TokenKind.API_KEY, service.parts.ids.new()).text().reveal()
    other = new_token(TokenKind.API_KEY, service.key.split("_")[1]).text().reveal()
    expired = await service.new_key(expires_at=1)
    session = new_token(TokenKind.SESSION, service.parts.ids.new()).text().reveal()
    revoked = await service.new_key()
    await service.parts.keys.revoke(service.portal.id, revoked.split("_")[1], BY, None)
    for key in (unknown, other, expired, session, revoked):
        assert (await told(service, key)).strip() == WRONG


async def test_a_key_without_the_permission_is_told_so(service: Service) -> None:
    key = await service.new_key(Permission.READ)
    assert "535 5.7.8 This key lacks the permission 'send'" in await told(service, key)


async def test_a_key_says_by_itself_whose_portal_it_is(service: Service) -> None:
    portals = service.parts.portals
    other = await portals.create_portal("other", BY)
    user = await portals.create_user(other.id, "app@example.org", Role.USER, None, BY)
    async with service.logged_in(key=await service.new_key(user=user)) as client:
        assert (await client.submit()).startswith("250 ")

    (message,) = await service.messages(other)
    assert message.accepted_by == "app@example.org"
    assert not await service.messages()


async def test_the_sixth_bad_login_of_an_address_in_a_minute_ends_the_session(
    service: Service,
) -> None:
    answers = [await told(service, "wrong") for _ in range(7)]
    assert [answer[:3] for answer in answers] == ["535"] * 5 + ["421"] * 2
    # A neighbour with a right key does not pay for it.
    assert (await told(service, service.key)).startswith("235 ")


async def test_a_key_that_is_revoked_sends_nothing_more(service: Service) -> None:
    key = await service.new_key()
    async with service.logged_in(key=key) as client:
        assert (await client.submit()).startswith("250 ")
        await service.parts.keys.revoke(service.portal.id, key.split("_")[1], BY, None)
        assert (await client.ask(MAIL)).startswith("421 4.7.0 The API key was revoked")
        assert await client.rest() == ""


async def test_a_key_that_is_revoked_while_a_message_comes_does_not_send_it(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, NOTHING_LASTS) as service:
        key = await service.new_key()
        async with service.logged_in(key=key) as client:
            await client.ask(MAIL, RCPT, b"DATA\r\n")
            await service.parts.keys.revoke(service.portal.id, key.split("_")[1], BY, None)
            assert (await client.ask(CONTENT + b".\r\n")).startswith("421 4.7.0 ")
        assert not await service.messages()


async def test_a_portal_that_is_suspended_while_a_message_comes_does_not_send_it(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, NOTHING_LASTS) as service, service.logged_in() as client:
        await client.ask(MAIL, RCPT, b"DATA\r\n")
        await service.parts.suspensions.suspend(service.portal, BY)
        assert "suspended" in await client.ask(CONTENT + b".\r\n")
        assert not await service.messages()


async def test_the_last_use_of_a_key_is_noted(service: Service) -> None:
    async with service.logged_in():
        await service.parts.last_use.flush()
    (key,) = await service.parts.keys.of_portal(service.portal.id)
    assert key.last_used_at is not None


async def test_a_bad_login_is_logged_with_its_address_and_without_what_was_shown(
    service: Service,
) -> None:
    canary = "sh_c4nary"
    with capture_logs() as lines:
        await told(service, canary)
        async with service.connected() as client:
            await client.ask(b"EHLO a\r\n", b"AUTH LOGIN\r\n", base64.b64encode(b"x") + b"\r\n")
            await client.ask(base64.b64encode(canary.encode()) + b"\r\n")
        async with service.logged_in() as client:
            await client.submit()
    refused = [line for line in lines if line["event"] == "login refused"]
    assert [line["client"] for line in refused] == ["127.0.0.1"] * 2
    (submitted,) = [line for line in lines if line["event"] == "submitted"]
    assert (submitted["user"], submitted["recipients"]) == (ADMIN, 1)
    for secret in (canary, base64.b64encode(canary.encode()).decode(), service.key):
        assert secret not in str(lines)
