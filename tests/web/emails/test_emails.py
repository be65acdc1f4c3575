"""Sending and looking, request by request."""

import base64
import json
from typing import Any

import pytest

from smarthost.clock import MICROSECONDS
from smarthost.mail_queue.model import State
from smarthost.portals.model import Permission, Role
from tests.clocks import START
from tests.mail_queue.states import put
from tests.relay_health.held import hold, put_on_hold
from tests.smtp_settings.relays import OPEN_RELAY
from tests.web.emails.conftest import BY, EMAIL, World

pytestmark = pytest.mark.one_engine

DAY = 86_400


async def test_an_e_mail_is_accepted_and_found_again(world: World) -> None:
    message_id = await world.send()

    result = await world.ask("GET", f"/emails/{message_id}")
    assert result.status == 200, result.body
    assert result.json == {
        "object": "email",
        "id": message_id,
        "message_id": f"<{message_id}@example.com>",
        "from": "Postman <notify@example.com>",
        "to": ["jane@example.net"],
        "cc": [],
        "bcc": [],
        "reply_to": [],
        "subject": "Your order",
        "created_at": "2026-01-01T00:00:00Z",
        "scheduled_at": None,
        "expires_at": None,
        "at_most_once": False,
        "size": len(await world.content(message_id)),
        "has_body": True,
        "last_event": "queued",
        "tags": [],
        "recipients": [
            {
                "address": "jane@example.net",
                "state": "queued",
                "last_event": "queued",
                "attempts": 0,
                "next_attempt_at": "2026-01-01T00:00:00Z",
                "ended_at": None,
                "held_for": None,
                "in_doubt": False,
                "code": None,
            }
        ],
        "text": "On its way.\n",
        "html": None,
    }


async def test_every_field_is_taken(world: World) -> None:
    message_id = await world.send(
        **{"from": "Shop <notify@example.com>"},
        to=["Jane <jane@example.net>", "joe@example.net"],
        cc="carol@example.net",
        bcc=["Dan <dan@example.net>"],
        reply_to=["help@example.com", "Sales <sales@example.com>"],
        html="<p>On its way.</p>",
        headers={"X-Entity-Ref-ID": "4711", "References": "<1@example.net>"},
        attachments=[
            {"filename": "a.txt", "content": base64.b64encode(b"one").decode()},
            {"filename": "b.txt", "content": list(b"two"), "content_type": "text/csv"},
            {
                "filename": "c.png",
                "content": {"type": "Buffer", "data": list(b"three")},
                "content_id": "logo",
            },
        ],
        tags=[{"name": "order", "value": "4711"}, {"name": "new"}],
        scheduled_at="in 1 hour",
        expires_at="in 2 days",
        at_most_once=True,
    )

    shown = (await world.ask("GET", f"/emails/{message_id}")).json
    told = {name: shown[name] for name in ("from", "to", "cc", "bcc", "reply_to", "last_event")}
    assert told == {
        "from": "Shop <notify@example.com>",
        "to": ["Jane <jane@example.net>", "joe@example.net"],
        "cc": ["carol@example.net"],
        "bcc": ["Dan <dan@example.net>"],
        "reply_to": ["help@example.com", "Sales <sales@example.com>"],
        "last_event": "scheduled",
    }
    assert shown["scheduled_at"] == "2026-01-01T01:00:00Z"
    assert shown["expires_at"] == "2026-01-03T00:00:00Z"
    assert shown["at_most_once"] is True
    assert shown["tags"] == [{"name": "order", "value": "4711"}, {"name": "new", "value": ""}]
    assert (shown["text"], shown["html"]) == ("On its way.\n", "<p>On its way.</p>\n")
    assert [one["address"] for one in shown["recipients"]] == [
        "carol@example.net", "dan@example.net", "jane@example.net", "joe@example.net",
    ]  # fmt: skip
    content = await world.content(message_id)
    assert b"Date: Thu, 01 Jan 2026 01:00:00 +0000\r\n" in content  # as it is sent
    assert b"X-Entity-Ref-ID: 4711\r\n" in content
    for octets in (b"one", b"two", b"three"):
        assert base64.b64encode(octets) in content
    assert b"dan@" not in content


async def test_names_are_taken_as_clients_of_other_languages_write_them(world: World) -> None:
    message_id = await world.send(replyTo="help@example.com", scheduledAt="in 1 min", cc=None)

    shown = (await world.ask("GET", f"/emails/{message_id}")).json
    assert (shown["reply_to"], shown["cc"]) == (["help@example.com"], [])
    assert shown["scheduled_at"] == "2026-01-01T00:01:00Z"


async def test_a_recipient_named_twice_is_one(world: World) -> None:
    message_id = await world.send(cc="Jane <jane@EXAMPLE.net>", bcc=["jane@example.net"])

    shown = (await world.ask("GET", f"/emails/{message_id}")).json
    assert [one["address"] for one in shown["recipients"]] == ["jane@example.net"]


WRONG: list[tuple[dict[str, Any], str, list[str]]] = [
    ({"to": None}, "missing_required_field", ["to"]),
    ({"to": []}, "missing_required_field", ["to"]),
    ({"subject": None}, "missing_required_field", ["subject"]),
    ({"text": None}, "missing_required_field", ["text"]),
    ({"to": None, "subject": None, "text": None}, "missing_required_field",
     ["subject", "text", "to"]),
    ({"attachments": [{}]}, "missing_required_field",
     ["attachments[0].content", "attachments[0].filename"]),
    ({"from": "nobody"}, "invalid_from_address", ["from"]),
    ({"attachments": [{"filename": "a", "content": "%"}]}, "invalid_attachment",
     ["attachments[0].content"]),
    ({"attachments": [{"path": "http://a.example/"}], "to": 5}, "validation_error",
     ["attachments[0].content", "attachments[0].filename", "attachments[0].path", "to"]),
    ({"attachments": [{"filename": "a\r\nb", "content": ""}]}, "invalid_attachment",
     ["attachments[0]"]),
    ({"to": ["jane@example.net", "joe"]}, "validation_error", ["to[1]"]),
    ({"to": [f"{n}@example.net" for n in range(51)]}, "validation_error", ["to"]),
    ({"cc": "a\r\nBcc: b@example.net"}, "validation_error", ["cc[0]"]),
    ({"subject": "a\r\nBcc: b@example.net"}, "validation_error", ["subject"]),
    ({"text": 5, "html": True}, "validation_error", ["html", "text"]),
    ({"headers": {"Bcc": "b@example.net", "X-A": "\n"}}, "validation_error",
     ["headers.Bcc", "headers.X-A"]),
    ({"headers": {"X-Priority": 1}}, "validation_error", ["headers"]),
    ({"headers": {f"X-{n}": "a" for n in range(101)}}, "validation_error", ["headers"]),
    ({"tags": [{"name": "a b", "value": "ü"}]}, "validation_error",
     ["tags[0].name", "tags[0].value"]),
    ({"tags": [{"name": "a"}] * 51}, "validation_error", ["tags"]),
    ({"tags": {}}, "validation_error", ["tags"]),
    ({"scheduled_at": "tomorrow at 9am", "expires_at": "in 1 month"}, "validation_error",
     ["expires_at", "scheduled_at"]),
    ({"template": {"id": "a"}}, "validation_error", ["template"]),
    ({"replay_to": "a@b.example"}, "validation_error", ["replay_to"]),
    ({"raw": "aGVsbG8="}, "validation_error", ["raw", "subject", "text"]),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "name", "faulty"), WRONG, ids=lambda value: str(value)[:60])
async def test_every_fault_is_named_at_once(
    world: World, fields: dict[str, Any], name: str, faulty: list[str]
) -> None:
    result = await world.ask("POST", body={**EMAIL, **fields})

    told = result.json
    assert (result.status, told["statusCode"], told["name"]) == (422, 422, name), told
    assert sorted(told["errors"]) == faulty
    assert all(field in told["message"] for field in faulty)
    assert (await world.ask("GET")).json["data"] == []


@pytest.mark.parametrize("body", [b"", b"{", b"to=jane", b'{"to":"\xff"}', b'{"a":' + b"[" * 9999])
async def test_what_is_no_json_is_400(world: World, body: bytes) -> None:
    result = await world.ask("POST", body=body)

    assert (result.status, result.json["name"]) == (400, "validation_error")


async def test_an_e_mail_is_from_the_portal_s_sender_alone(world: World) -> None:
    for sender in ("joe@example.com", "Postman <notify@example.net>", "a@sub.example.com"):
        result = await world.ask("POST", body={**EMAIL, "from": sender})
        assert (result.status, result.json["name"]) == (403, "validation_error")
        assert "notify@example.com" in result.json["message"]
    raw = base64.b64encode(b"From: joe@example.com\r\nTo: a@example.net\r\n\r\nHello\r\n").decode()
    assert (await world.ask("POST", body={"raw": raw})).status == 403

    await world.portals.allow_domain_senders(world.portal, BY, allowed=True)
    for sender in ("joe@example.com", "NOTIFY@EXAMPLE.COM"):
        assert await world.send(**{"from": sender})
    assert (await world.ask("POST", body={"raw": raw})).status == 200
    result = await world.ask("POST", body={**EMAIL, "from": "a@sub.example.com"})
    assert "an address of example.com" in result.json["message"]


async def test_without_a_relay_nothing_can_be_sent(world: World) -> None:
    await world.settings.reset(world.portal.id, BY, None)
    result = await world.ask("POST", body=EMAIL)

    assert result.status == 403
    assert "No mail server is saved" in result.json["message"]


async def test_the_next_e_mail_is_from_the_sender_that_was_saved_last(world: World) -> None:
    await world.save(OPEN_RELAY)
    shown = (await world.ask("GET", f"/emails/{await world.send()}")).json
    assert shown["from"] == "Postman <notify@example.com>"


async def test_a_raw_message_keeps_its_octets(world: World) -> None:
    body = (
        b"From: Postman <notify@example.com>\r\nTo: jane@example.net, joe@example.net\r\n"
        b"Bcc: dan@example.net\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
        b"Message-ID: <1@shop.example.com>\r\nDate: Thu, 01 Jan 2026 00:00:00 +0000\r\n"
        b"\r\nHello\r\n"
    )
    result = await world.ask("POST", body={"raw": base64.encodebytes(body).decode()})
    assert result.status == 200, result.body

    shown = (await world.ask("GET", f"/emails/{result.json['id']}")).json
    assert shown["subject"] == "Grüße"
    assert shown["message_id"] == "<1@shop.example.com>"
    assert (shown["bcc"], shown["text"]) == (["dan@example.net"], "Hello\n")
    assert len(shown["recipients"]) == 3
    bcc = b"Bcc: dan@example.net\r\n"
    assert await world.content(result.json["id"]) == body.replace(bcc, b"")


async def test_a_raw_message_goes_to_those_of_the_request_if_it_names_any(world: World) -> None:
    body = b"From: notify@example.com\r\nTo: list@example.net\r\n\r\nHello\r\n"
    fields = {"raw": base64.b64encode(body).decode(), "to": "jane@example.net"}
    result = await world.ask("POST", body=fields)

    shown = (await world.ask("GET", f"/emails/{result.json['id']}")).json
    assert [one["address"] for one in shown["recipients"]] == ["jane@example.net"]
    nobody = base64.b64encode(b"From: notify@example.com\r\n\r\nHello\r\n").decode()
    refused = await world.ask("POST", body={"raw": nobody})
    assert (refused.status, refused.json["name"]) == (422, "missing_required_field")


async def test_a_batch_is_accepted_in_its_order(world: World) -> None:
    batch = [{**EMAIL, "subject": str(number)} for number in range(100)]
    result = await world.ask("POST", "/emails/batch", batch)

    assert result.status == 200, result.body
    assert set(result.json) == {"data"}
    ids = [one["id"] for one in result.json["data"]]
    assert len(set(ids)) == 100
    shown = (await world.ask("GET", f"/emails/{ids[41]}")).json
    assert shown["subject"] == "41"


@pytest.mark.parametrize(
    ("batch", "faulty"),
    [
        ([EMAIL, {**EMAIL, "to": "joe"}], ["[1].to[0]"]),
        ([{**EMAIL, "to": 5}, {"foo": 1}], ["[0].to", "[1].foo", "[1].subject", "[1].text",
                                            "[1].to"]),
        ([EMAIL, None], ["[1].body", "[1].subject", "[1].text", "[1].to"]),
    ],
)  # fmt: skip
async def test_a_strict_batch_is_accepted_whole_or_not_at_all(
    world: World, batch: list[Any], faulty: list[str]
) -> None:
    result = await world.ask("POST", "/emails/batch", batch)

    assert (result.status, sorted(result.json["errors"])) == (422, faulty)
    assert (await world.ask("GET")).json["data"] == []


@pytest.mark.parametrize("batch", [[], {}, [EMAIL] * 101, EMAIL])
async def test_a_batch_is_a_list_of_1_to_100(world: World, batch: Any) -> None:
    result = await world.ask("POST", "/emails/batch", batch)

    assert (result.status, result.json["name"]) == (422, "validation_error")


async def test_a_permissive_batch_is_accepted_but_for_what_is_wrong(world: World) -> None:
    permissive = {"x-batch-validation": "permissive"}
    batch = [EMAIL, {**EMAIL, "to": "joe"}, {**EMAIL, "from": "joe@example.net"}, EMAIL]
    result = await world.ask("POST", "/emails/batch", batch, headers=permissive)

    assert result.status == 200
    assert len(result.json["data"]) == 2
    assert [error["index"] for error in result.json["errors"]] == [1, 2]
    assert "to[0]" in result.json["errors"][0]["message"]
    assert "may not send as joe@example.net" in result.json["errors"][1]["message"]

    all_right = await world.ask("POST", "/emails/batch", [EMAIL], headers=permissive)
    assert all_right.json["errors"] == []
    none_right = await world.ask("POST", "/emails/batch", [{}], headers=permissive)
    assert (none_right.status, none_right.json["data"]) == (200, [])
    lax = await world.ask("POST", "/emails/batch", [EMAIL], headers={"x-batch-validation": "lax"})
    assert lax.status == 422


async def test_an_idempotency_key_sends_once(world: World) -> None:
    key = {"Idempotency-Key": "order/4711"}
    first = await world.ask("POST", body=EMAIL, headers=key)
    again = await world.ask("POST", body=EMAIL, headers=key)
    other = await world.ask("POST", body={**EMAIL, "subject": "Other"}, headers=key)
    batch = await world.ask("POST", "/emails/batch", [EMAIL], headers=key)

    assert (first.status, again.body) == (200, first.body)
    assert (other.status, other.json["name"]) == (409, "invalid_idempotent_request")
    assert batch.status == 409
    assert len((await world.ask("GET")).json["data"]) == 1


async def test_an_idempotency_key_is_its_sender_s_own(world: World) -> None:
    key = {"Idempotency-Key": "a" * 256}
    others = await world.open_key()
    first = await world.ask("POST", body=EMAIL, headers=key)
    second = await world.ask("POST", body=EMAIL, headers=key, key=others)

    assert first.json["id"] != second.json["id"]


async def test_the_first_answer_comes_back_whatever_has_changed_meanwhile(world: World) -> None:
    key = {"Idempotency-Key": "4711"}
    first = await world.ask("POST", "/emails/batch", [EMAIL, EMAIL], headers=key)
    await world.settings.reset(world.portal.id, BY, None)

    assert (await world.ask("POST", "/emails/batch", [EMAIL, EMAIL], headers=key)).body == (
        first.body
    )


@pytest.mark.parametrize("key", ["", "a" * 257])
async def test_an_idempotency_key_has_1_to_256_characters(world: World, key: str) -> None:
    result = await world.ask("POST", body=EMAIL, headers={"Idempotency-Key": key})

    assert (result.status, result.json["name"]) == (400, "invalid_idempotency_key")


async def test_a_sending_key_sees_what_it_sent_and_an_administrator_all(world: World) -> None:
    user = await world.open_user("joe@example.com")
    mine, other = await world.open_key(user), await world.open_key(user)
    of_admin = await world.open_key(world.admin, Permission.SEND)
    message_id = await world.send(key=mine)

    for key, seen in ((mine, True), (world.key, True), (other, False), (of_admin, False)):
        listed = (await world.ask("GET", key=key)).json["data"]
        assert [one["id"] for one in listed] == ([message_id] if seen else [])
        for method, path in (
            ("GET", ""), ("GET", "/attempts"), ("POST", "/cancel"),
        ):  # fmt: skip
            status = (await world.ask(method, f"/emails/{message_id}{path}", key=key)).status
            assert (status == 404) == (not seen), (method, path)


async def test_another_portal_s_e_mail_is_not_there(world: World) -> None:
    message_id = await world.send()
    portal = await world.portals.create_portal("other", BY)
    admin = await world.portals.create_user(portal.id, "b@b.example", Role.ADMINISTRATOR, None, BY)
    _, token = await world.keys.create(admin, "all", frozenset({Permission.ALL}), None, BY)
    key = token.text().reveal()

    for method, below, body in (
        ("GET", "", None), ("GET", "/attempts", None), ("POST", "/cancel", None),
        ("POST", "/retry", None), ("POST", "/release", None), ("DELETE", "/body", None),
        ("PATCH", "", {"scheduled_at": "in 1 min"}),
    ):  # fmt: skip
        path = f"/emails/{message_id}{below}"
        result = await world.ask(method, path, body, key=key, portal="other")
        assert (result.status, result.json["name"]) == (404, "not_found"), (method, path)
        assert (await world.ask(method, path, body, key=key)).status == 403


async def found(world: World, query: str, key: str | None = None) -> list[str]:
    told = (await world.ask("GET", query=query, key=key)).json
    assert (told["has_more"], told["next"]) == (False, None)
    return [one["id"] for one in told["data"]]


async def test_e_mails_are_found_by_what_is_known_of_them(world: World) -> None:
    order = await world.send(
        to=["Jane <jane@example.net>", "Bo@example.net"], subject="Your ORDER"
    )
    world.clock.advance(60)
    later = await world.send(subject="Später", scheduled_at="in 1 hour")
    gone = await world.send(subject="Gone", scheduled_at="in 2 hours")
    await world.ask("POST", f"/emails/{gone}/cancel", {})

    assert set(await found(world, "")) == {order, later, gone}
    assert await found(world, "search=ORDER%20jane%20bo@") == [order]
    assert await found(world, "search=sp%C3%84ter") == [later]
    assert await found(world, f"search=%3C{later}") == [later]
    assert await found(world, "search=order%20nobody") == []
    assert await found(world, "recipient=bo@example.net") == []
    assert await found(world, "recipient=Bo@EXAMPLE.net") == [order]
    assert await found(world, "state=queued") == [order]
    assert await found(world, "state=scheduled") == [later]
    assert set(await found(world, "state=canceled,scheduled")) == {gone, later}
    assert await found(world, "state=held,failed,sent,delivery_delayed") == []
    assert set(await found(world, "accepted_after=2026-01-01T00:01:00Z")) == {gone, later}
    assert await found(world, "accepted_before=2026-01-01T00:01:00Z") == [order]
    assert await found(world, "accepted_before=2026-01-01T02:01%2B02:00&search=order") == [order]
    assert await found(world, "accepted_after=2026-01-02") == []


async def test_each_e_mail_is_listed_by_the_event_that_is_shown(world: World) -> None:
    order = await world.send()
    await put(world.database, (world.portal.id, order), State.HELD, at=START)
    held = (await world.ask("GET", query="state=held")).json["data"]
    assert [(one["id"], one["last_event"]) for one in held] == [(order, "delivery_delayed")]
    assert await found(world, "state=delivery_delayed") == [order]
    await world.ask("POST", f"/emails/{order}/release", {})
    assert await found(world, "state=queued") == [order]
    await put_on_hold(world.database, hold(world.portal.id, START))
    assert await found(world, "state=queued") == []
    assert await found(world, "state=delivery_delayed") == [order]


async def test_who_sends_searches_their_own(world: World) -> None:
    key = await world.open_key(await world.open_user("bo@example.com"))
    own, other = (
        await world.send(key=key, subject="A secret"),
        await world.send(subject="A secret"),
    )
    assert await found(world, "search=secret", key) == [own]
    assert await found(world, "recipient=jane@example.net", key) == [own]
    assert await found(world, "state=queued", key) == [own]
    assert set(await found(world, "search=secret")) == {own, other}


async def test_a_page_says_where_the_next_one_begins(world: World) -> None:
    ids = []
    for _ in range(3):
        ids.append(await world.send())
        world.clock.advance(1)
    told = (await world.ask("GET", query="limit=1&search=order")).json
    assert (told["has_more"], told["next"]) == (True, ids[2])
    told = (await world.ask("GET", query=f"limit=1&before={ids[0]}")).json
    assert (told["has_more"], told["next"]) == (True, ids[1])


async def test_everything_wrong_with_a_query_is_told_at_once(world: World) -> None:
    query = "&".join(
        f"{name}={value}"
        for name, value in {
            "limit": "0", "after": "1", "state": "lost", "recipient": "a@@b", "search": "%20",
            "accepted_after": "yesterday", "accepted_before": "in 5 minutes",
        }.items()
    )  # fmt: skip
    result = await world.ask("GET", query=query.replace(" ", "%20"))
    assert (result.status, result.json["name"]) == (422, "validation_error")
    assert set(result.json["errors"]) == {
        "limit", "after", "state", "recipient", "search", "accepted_after", "accepted_before",
    }  # fmt: skip
    assert "queued, scheduled, delivery_delayed, held, sent" in result.json["errors"]["state"][0]


async def test_pages_go_both_ways(world: World) -> None:
    ids = []
    for _ in range(5):
        ids.append(await world.send())
        world.clock.advance(1)
    ids.reverse()

    async def page(query: str) -> tuple[list[str], bool]:
        told = (await world.ask("GET", query=query)).json
        assert told["object"] == "list"
        return [one["id"] for one in told["data"]], told["has_more"]

    assert await page("") == (ids, False)
    assert await page("limit=2") == (ids[:2], True)
    assert await page(f"limit=2&after={ids[1]}") == (ids[2:4], True)
    assert await page(f"limit=2&after={ids[3]}") == (ids[4:], False)
    assert await page(f"limit=2&before={ids[4]}") == (ids[2:4], True)
    assert await page(f"limit=2&before={ids[2].upper()}") == (ids[:2], False)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("limit=0", "validation_error"),
        ("limit=101", "validation_error"),
        ("limit=" + "1" * 5000, "validation_error"),
        ("limit=000000001" + "9" * 9, "validation_error"),
        ("limit=000000001" + "9" * 5000, "validation_error"),
        ("limit=ten", "validation_error"),
        ("limit=", "validation_error"),
        ("after=1", "invalid_parameter"),
        ("after=1&before=2", "invalid_parameter"),
        ("state=", "validation_error"),
        ("state=sent,", "validation_error"),
        ("state=Sent", "validation_error"),
        ("recipient=", "validation_error"),
        ("recipient=jane", "validation_error"),
        ("search=", "validation_error"),
        ("search=" + "a" * 201, "validation_error"),
        ("search=a+b+c+d+e+f+g+h+i+j+k", "validation_error"),
        ("accepted_after=", "validation_error"),
        ("accepted_after=in%201%20hour", "validation_error"),
        ("accepted_before=10000-01-01", "validation_error"),
        (f"after={'0' * 32}&before={'0' * 32}", "validation_error"),
    ],
)
async def test_a_page_that_cannot_be_is_422(world: World, query: str, name: str) -> None:
    result = await world.ask("GET", query=query)

    assert (result.status, result.json["name"]) == (422, name)


async def test_a_scheduled_e_mail_is_put_off_and_cancelled(world: World) -> None:
    message_id = await world.send(scheduled_at="in 1 hour")
    path = f"/emails/{message_id}"
    # The official client of Python sends the id too.
    changed = await world.ask("PATCH", path, {"id": message_id, "scheduled_at": "in 2 days"})
    assert (changed.status, changed.json) == (200, {"object": "email", "id": message_id})
    assert (await world.ask("GET", path)).json["scheduled_at"] == "2026-01-03T00:00:00Z"

    cancelled = await world.ask("POST", f"{path}/cancel", {})
    assert (cancelled.status, cancelled.json) == (200, {"object": "email", "id": message_id})
    assert (await world.ask("GET", path)).json["last_event"] == "canceled"
    for method, path_of, body in (
        ("PATCH", path, {"scheduled_at": "in 1 day"}), ("POST", f"{path}/cancel", None),
        ("POST", f"{path}/retry", None), ("POST", f"{path}/release", None),
    ):  # fmt: skip
        result = await world.ask(method, path_of, body)
        assert (result.status, result.json["name"]) == (422, "validation_error")
        assert result.json["message"]


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({}, "missing_required_field"),
        ({"scheduled_at": None}, "missing_required_field"),
        ({"scheduled_at": "soon"}, "validation_error"),
        ({"scheduled_at": 5}, "validation_error"),
        ({"scheduled_at": "in 1 day", "subject": "New"}, "validation_error"),
    ],
)
async def test_only_the_moment_can_be_changed(world: World, body: Any, name: str) -> None:
    message_id = await world.send(scheduled_at="in 1 hour")
    result = await world.ask("PATCH", f"/emails/{message_id}", body)

    assert (result.status, result.json["name"]) == (422, name)


async def test_what_an_ended_e_mail_said_can_be_forgotten(world: World) -> None:
    message_id = await world.send()
    path = f"/emails/{message_id}"
    assert (await world.ask("DELETE", f"{path}/body")).status == 422
    await world.ask("POST", f"{path}/cancel")

    assert (await world.ask("DELETE", f"{path}/body")).json["id"] == message_id
    shown = (await world.ask("GET", path)).json
    assert (shown["text"], shown["html"], shown["subject"]) == (None, None, "Your order")
    assert (await world.ask("DELETE", f"{path}/body")).status == 200


@pytest.mark.parametrize("path", ["/emails/4711", "/emails/../x", "/emails/4711/attempts"])
async def test_an_id_is_a_uuid(world: World, path: str) -> None:
    assert (await world.ask("GET", path)).json["name"] in ("invalid_parameter", "not_found")
    unknown = await world.ask("GET", "/emails/01a20468-4c81-7568-b9c7-f3a45b943b40")
    assert (unknown.status, unknown.json["name"]) == (404, "not_found")


async def test_reading_takes_an_empty_object_as_a_body(world: World) -> None:
    message_id = await world.send()

    for path in ("/emails", f"/emails/{message_id}", f"/emails/{message_id}/attempts"):
        assert (await world.ask("GET", path, {})).status == 200


async def test_limits_are_told_in_seconds(world: World) -> None:
    world.clock.advance(20)
    result = await world.ask("GET")

    assert result.headers["ratelimit-limit"] == "1500"
    assert result.headers["ratelimit-remaining"] == "1499"
    assert result.headers["ratelimit-reset"] == "40"
    assert "x-ratelimit-limit" not in result.headers
    for _ in range(1499):
        await world.ask("GET", "/emails/none")
    refused = await world.ask("POST", body=EMAIL)
    assert (refused.status, refused.json["name"]) == (429, "rate_limit_exceeded")
    assert refused.headers["retry-after"] == "40"


async def test_refusals_have_this_family_s_shape(world: World) -> None:
    read_only = await world.open_key(world.admin, Permission.READ)
    text = {"Content-Type": "text/plain"}
    asked = {
        (401, "missing_api_key"): await world.ask("GET", headers={"Authorization": ""}),
        (403, "invalid_api_key"): await world.ask("GET", key="sh_nobody"),
        (401, "restricted_api_key"): await world.ask("POST", body=EMAIL, key=read_only),
        (404, "not_found"): await world.ask("GET", portal="nobody"),
        (405, "method_not_allowed"): await world.ask("PUT"),
        (406, "validation_error"): await world.ask("GET", headers={"Accept": "text/html"}),
        (415, "validation_error"): await world.ask("POST", body=EMAIL, headers=text),
    }
    for (status, name), result in asked.items():
        assert result.status == status
        assert set(result.json) == {"statusCode", "name", "message"}
        assert (result.json["statusCode"], result.json["name"]) == (status, name)
        assert "ratelimit-limit" in result.headers
        assert ("www-authenticate" in result.headers) == (status == 401)
    nowhere = await world.ask("GET", "/emails/a/b/c")
    assert nowhere.json["name"] == "not_found"
    assert set((await world.ask("GET", "/emailsx")).json) == {"error", "status", "statusCode"}


async def test_an_expiry_is_kept_and_a_passed_one_is_refused(world: World) -> None:
    message_id = await world.send(expires_at="2026-01-01T00:00:01Z")
    message = await world.messages.get(world.portal.id, message_id)
    assert message is not None
    assert message.expires_at == START + MICROSECONDS
    assert (await world.ask("POST", body={**EMAIL, "expires_at": "2025-12-31"})).status == 422


async def test_the_answer_of_a_batch_is_compact_json(world: World) -> None:
    result = await world.ask("POST", "/emails/batch", [EMAIL])

    assert result.body == json.dumps(result.json, separators=(",", ":")).encode()
    assert result.headers["content-type"] == "application/json"


@pytest.mark.parametrize("limit", ["0", "1001", "x", ""])
async def test_a_wrong_number_of_attempts_is_refused(limit: str, world: World) -> None:
    message_id = await world.send()
    refused = await world.ask("GET", f"/emails/{message_id}/attempts", query=f"limit={limit}")
    assert (refused.status, list(refused.json["errors"])) == (422, ["limit"])


async def test_of_attempts_so_many_can_be_asked_for(world: World) -> None:
    message_id = await world.send()
    none = await world.ask("GET", f"/emails/{message_id}/attempts", query="limit=1000")
    assert none.json == {"object": "list", "has_more": False, "data": []}
