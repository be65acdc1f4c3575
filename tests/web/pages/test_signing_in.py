"""Signing in and out over HTTP: what starts a session, what ends one, and where one goes on."""

import re
from http import HTTPStatus
from urllib.parse import urlencode

import pytest

from smarthost.explanations.page_words import page_words
from smarthost.portals.model import Portal, User
from smarthost.web.auth import COOKIE
from tests.contract.service import ADMIN_PASSWORD, AUTHENTICATION, Service
from tests.web.pages.test_places import FOREIGN, OURS
from tests.web.pages.visitor import Seen, Visitor

TOKEN = "ss_[0-9a-f-]{36}_[A-Za-z0-9_-]{43}"


def is_valid(visitor: Visitor, token: str) -> bool:
    reply = visitor.service.ask("GET", AUTHENTICATION, key=token, portal=visitor.portal)
    return reply.status == HTTPStatus.OK


def test_the_password_starts_a_session_and_goes_on(stranger: Visitor, admin: User) -> None:
    reply = stranger.sign_in(admin, "/mail?state=failed")
    assert (reply.status, reply.headers["Location"]) == (303, "/mail?state=failed")
    cookie = f"{COOKIE}={TOKEN}; Path=/; Max-Age=86400; HttpOnly; SameSite=Strict"
    assert re.fullmatch(cookie, reply.headers["Set-Cookie"])
    assert stranger.get("/").headers["Location"] == "/settings"


def test_behind_tls_the_cookie_never_leaves_without(stranger: Visitor, admin: User) -> None:
    stranger.headers["X-Forwarded-Proto"] = "https"
    set_cookies = [stranger.sign_in(admin).headers["Set-Cookie"]]
    set_cookies.append(stranger.post("/sign-out", {}).headers["Set-Cookie"])
    assert all(one.endswith("; HttpOnly; SameSite=Strict; Secure") for one in set_cookies)
    assert not any("domain" in one.lower() for one in set_cookies)


def test_a_wrong_password_keeps_what_can_be_kept(stranger: Visitor, admin: User) -> None:
    reply = stranger.sign_in(admin, "/keys", password="a wrong password")
    page = Seen(reply.body)
    assert reply.status == HTTPStatus.UNAUTHORIZED
    assert (page.field("email"), page.field("next")) == (admin.email, "/keys")
    assert page.field("password") == ""
    assert b"a wrong password" not in reply.body
    assert "Set-Cookie" not in reply.headers


def test_too_many_failures_say_when_the_next_try_is_looked_at(
    stranger: Visitor, admin: User
) -> None:
    for _ in range(5):
        assert stranger.sign_in(admin, "/keys", password="wrong").status == 401
    reply = stranger.sign_in(admin, "/keys")
    page = Seen(reply.body)
    assert reply.status == HTTPStatus.TOO_MANY_REQUESTS
    assert f"Try again in {reply.headers['Retry-After']} seconds." in page.text
    assert (page.field("email"), page.field("next")) == (admin.email, "/keys")


@pytest.mark.parametrize("fields", [{}, {"email": " "}, {"password": "x"}, {"email": "x" * 300}])
def test_a_form_that_is_not_filled_in_is_told_so(
    stranger: Visitor, fields: dict[str, str]
) -> None:
    reply = stranger.post("/sign-in", fields)
    page = Seen(reply.body)
    assert reply.status == (HTTPStatus.BAD_REQUEST)
    assert "Type your e-mail address and your password." in page.text
    assert "userName" not in page.text


def test_somebody_comes_back_to_the_page_that_was_asked_for(
    visitor: Visitor, stranger: Visitor, admin: User
) -> None:
    """The place stands in the query, then in the form."""
    for path in OURS:
        asked = f"/sign-in?{urlencode({'next': path})}"
        assert visitor.get(asked).headers["Location"] == path
        assert Seen(stranger.get(asked).body).field("next") == path
    assert stranger.sign_in(admin, path).headers["Location"] == path


def test_nobody_is_led_away(visitor: Visitor, stranger: Visitor, admin: User) -> None:
    for path in FOREIGN:
        asked = f"/sign-in?{urlencode({'next': path})}"
        assert visitor.get(asked).headers["Location"] == "/", path
        assert Seen(stranger.get(asked).body).field("next") == "/", path
    for path in FOREIGN[:10]:
        assert visitor.sign_in(admin, path).headers["Location"] == "/", path


def test_only_what_there_are_words_for_is_told_to_be_done(stranger: Visitor) -> None:
    words = page_words("sign_in")["done"]
    assert isinstance(words, dict)
    for done, text in words.items():
        assert text in Seen(stranger.get(f"/sign-in?done={done}").body).text
    plain = stranger.get("/sign-in").body
    for done in ("", "other", "<script>", "title", "__class__"):
        assert stranger.get(f"/sign-in?{urlencode({'done': done})}").body == plain


def test_signing_out_ends_the_session_on_the_server(visitor: Visitor) -> None:
    token = visitor.token
    assert token is not None
    assert is_valid(visitor, token)
    reply = visitor.post("/sign-out", {})
    assert reply.headers["Location"] == "/sign-in?done=signed_out"
    assert reply.headers["Set-Cookie"].startswith(f"{COOKIE}=; Path=/; Max-Age=0; ")
    assert not is_valid(visitor, token)
    assert "You are signed out." in Seen(visitor.get("/sign-in?done=signed_out").body).text


def test_a_session_that_was_handed_over_beforehand_is_never_used(
    visitor: Visitor, admin: User
) -> None:
    planted = visitor.token
    assert planted is not None
    visitor.sign_in(admin)
    assert visitor.token not in (None, planted)
    assert not is_valid(visitor, planted)


@pytest.mark.parametrize("planted", ["x", "ss_x", "ss_" + "0" * 36 + "_" + "A" * 43])
def test_a_made_up_session_is_replaced(stranger: Visitor, admin: User, planted: str) -> None:
    stranger.token = planted
    assert stranger.get("/").headers["Location"] == "/sign-in"
    stranger.sign_in(admin)
    assert stranger.token != planted
    assert stranger.is_signed_in()


def test_an_api_key_in_the_cookie_is_nobody(
    service: Service, stranger: Visitor, admin: User
) -> None:
    stranger.token = service.open_key(admin)
    assert not stranger.is_signed_in()
    assert is_valid(stranger, stranger.token)
    stranger.sign_in(admin)
    assert stranger.is_signed_in()


def test_another_portals_session_is_nobody(
    service: Service, visitor: Visitor, portal: Portal
) -> None:
    neighbour = service.open_portal(f"{portal.name}-neighbour")
    there = Visitor(service=service, portal=neighbour, token=visitor.token)
    assert not there.is_signed_in()
    assert visitor.is_signed_in()


def test_a_cookie_that_comes_twice_is_explained(visitor: Visitor) -> None:
    reply = visitor.get("/", Cookie=f"{COOKIE}={visitor.token}; {COOKIE}=other")
    assert reply.status == HTTPStatus.BAD_REQUEST
    assert "Delete the cookies of this site" in Seen(reply.body).text


def test_a_stranger_does_not_learn_that_a_portal_is_suspended(
    service: Service, stranger: Visitor, portal: Portal, admin: User
) -> None:
    with service.suspended(portal):
        assert stranger.get("/").headers["Location"] == "/sign-in"
        assert stranger.get("/sign-in").status == HTTPStatus.OK
        assert stranger.sign_in(admin, password="wrong").status == HTTPStatus.UNAUTHORIZED


def test_a_suspended_portal_lets_nobody_in_and_everybody_out(
    service: Service, visitor: Visitor, stranger: Visitor, portal: Portal, admin: User
) -> None:
    with service.suspended(portal):
        refused = [visitor.get("/"), stranger.sign_in(admin)]
        assert [reply.status for reply in refused] == [HTTPStatus.FORBIDDEN] * 2
        assert all("suspended" in Seen(reply.body).text for reply in refused)
        assert stranger.token is None
        assert visitor.post("/sign-out", {}).status == HTTPStatus.SEE_OTHER
        assert visitor.token is None


def test_a_password_with_any_character_is_taken_as_it_is(
    service: Service, portal: Portal, stranger: Visitor
) -> None:
    password = " ä+&=%00\x00\u202e\U0001f511 "
    user = service.open_user("odd@example.com", portal=portal, password=password)
    assert stranger.sign_in(user, password=password).status == HTTPStatus.SEE_OTHER
    assert stranger.get("/").headers["Location"] == "/mail"
    assert stranger.sign_in(user, password=ADMIN_PASSWORD).status == HTTPStatus.UNAUTHORIZED
