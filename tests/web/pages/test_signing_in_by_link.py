"""A sign-in link: looking uses nothing up, the button does, and it works once."""

import sqlite3
from contextlib import closing
from http import HTTPStatus

import pytest

from smarthost.audit.model import OPERATOR, Actor
from smarthost.portals.model import Portal, User
from smarthost.web.auth import COOKIE
from smarthost.web.sign_in_link import SIGN_IN_LINK_PATH as PATH
from tests.contract.service import AUTHENTICATION, Service
from tests.web.pages.visitor import Seen, Visitor


@pytest.fixture
def link(service: Service, admin: User) -> str:
    """The token of a link for the administrator."""
    _, token = service.run(service.parts.links.make(admin, Actor(name=OPERATOR)))
    return token.text().reveal()


def test_looking_says_whom_the_link_signs_in_and_uses_nothing_up(
    stranger: Visitor, admin: User, link: str
) -> None:
    asked = f"{PATH}?token={link}"
    for method in ("HEAD", "GET", "OPTIONS", "GET"):
        reply = stranger.ask(method, asked, headers={"Sec-Purpose": "prefetch"})
        assert reply.status in (HTTPStatus.OK, HTTPStatus.NO_CONTENT)
        assert "Set-Cookie" not in reply.headers
    page = Seen(reply.body)
    assert admin.email in page.text
    assert page.field("token") == link
    assert stranger.post(PATH, {"token": link}).status == HTTPStatus.SEE_OTHER


def test_the_button_signs_in_once(stranger: Visitor, admin: User, link: str) -> None:
    reply = stranger.post(PATH, {"token": link})
    assert reply.headers["Location"] == "/"
    assert reply.headers["Set-Cookie"].startswith(f"{COOKIE}=ss_")
    assert stranger.get("/").headers["Location"] == "/settings"

    other = Visitor(service=stranger.service, portal=stranger.portal)
    for reply in (other.post(PATH, {"token": link}), other.get(f"{PATH}?token={link}")):
        page = Seen(reply.body)
        assert reply.status == HTTPStatus.NOT_FOUND
        assert "does not work any more" in page.text
        assert "smarthost user link" in page.text
        assert link.encode() not in reply.body
        assert admin.email not in page.text
    assert other.token is None


def test_whoever_is_signed_in_already_goes_on(stranger: Visitor, link: str) -> None:
    """A button that was pressed twice, or a link that is opened again."""
    stranger.post(PATH, {"token": link})
    assert stranger.post(PATH, {"token": link}).headers["Location"] == "/"
    assert stranger.get(f"{PATH}?token={link}").headers["Location"] == "/"


def test_the_session_that_the_browser_showed_ends(visitor: Visitor, link: str) -> None:
    planted = visitor.token
    assert "That session ends." in Seen(visitor.get(f"{PATH}?token={link}").body).text
    visitor.post(PATH, {"token": link})
    assert visitor.token not in (None, planted)
    reply = visitor.service.ask("GET", AUTHENTICATION, key=planted, portal=visitor.portal)
    assert reply.status == HTTPStatus.UNAUTHORIZED


@pytest.mark.parametrize("token", ["", "sl_x", "sl_" + "0" * 8, "<script>", "x" * 5000, "\x00"])
def test_what_is_no_link_is_told_as_one_that_has_ended(stranger: Visitor, token: str) -> None:
    reply = stranger.post(PATH, {"token": token})
    assert reply.status == HTTPStatus.NOT_FOUND
    assert "does not work any more" in Seen(reply.body).text


def test_a_link_is_no_credential(stranger: Visitor, link: str) -> None:
    stranger.token = link
    assert not stranger.is_signed_in()


def test_another_portals_link_is_none(service: Service, portal: Portal, link: str) -> None:
    neighbour = service.open_portal(f"{portal.name}-next")
    there = Visitor(service=service, portal=neighbour)
    assert there.get(f"{PATH}?token={link}").status == HTTPStatus.NOT_FOUND
    assert there.post(PATH, {"token": link}).status == HTTPStatus.NOT_FOUND


def test_a_suspended_portals_link_is_refused_and_stays(
    service: Service, stranger: Visitor, portal: Portal, link: str
) -> None:
    with service.suspended(portal):
        assert stranger.get(f"{PATH}?token={link}").status == HTTPStatus.FORBIDDEN
        assert stranger.post(PATH, {"token": link}).status == HTTPStatus.FORBIDDEN
        assert stranger.get(f"{PATH}?token=sl_wrong").status == HTTPStatus.NOT_FOUND
    assert stranger.post(PATH, {"token": link}).status == HTTPStatus.SEE_OTHER


@pytest.mark.parametrize("origin", ["http://other.example", "null"])
def test_another_site_cannot_press_the_button(stranger: Visitor, link: str, origin: str) -> None:
    reply = stranger.post(PATH, {"token": link}, Origin=origin)
    assert reply.status == HTTPStatus.FORBIDDEN
    assert stranger.post(PATH, {"token": link}).status == HTTPStatus.SEE_OTHER


def test_the_audit_names_whom_the_link_signed_in(
    service: Service, stranger: Visitor, admin: User, link: str
) -> None:
    stranger.post(PATH, {"token": link})
    with closing(sqlite3.connect(service.config.database_file)) as database:
        rows = database.execute(
            "SELECT actor, address FROM audit_events WHERE action = 'session.started' "
            "AND portal_id = ?",
            (admin.portal_id,),
        ).fetchall()
    assert rows == [(admin.email, stranger.headers["X-Forwarded-For"])]
