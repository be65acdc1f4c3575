"""The history page as a browser without scripts gets it, and restoring from it."""

import re
from dataclasses import dataclass

import pytest

from smarthost.database.engine import Transaction
from smarthost.portals.model import Portal, Role, User
from tests.contract.service import (
    SETTINGS,
    Reply,
    Service,
)
from tests.web.pages.visitor import Visitor, signed_in

RELAY: dict[str, object] = {
    "host": "mail.example.com",
    "port": 587,
    "senderAddress": "notify@example.com",
    "enableSSL": True,
    "enableAuth": True,
    "credentialsUserName": "postman",
    "credentialsUserPassword": "canary-of-a-password",
}
OPEN: dict[str, object] = {"host": "192.0.2.25", "port": 25, "senderAddress": "a@example.com"}
LARGEST = 60_000


def html(reply: Reply) -> str:
    return reply.body.decode()


@dataclass(frozen=True, kw_only=True)
class Desk:
    service: Service
    portal: Portal
    admin: User
    key: str
    page: Visitor

    def save(self, *bodies: dict[str, object]) -> None:
        for body in bodies:
            reply = self.service.ask("POST", SETTINGS, body, key=self.key, portal=self.portal)
            assert reply.status == 200, reply.body

    def reset(self) -> None:
        self.service.ask("DELETE", SETTINGS, key=self.key, portal=self.portal)

    def restore(self, revision: int, seen: int) -> Reply:
        return self.page.post(f"/history/{revision}/restore", {"revision": str(seen)})

    def in_force(self) -> tuple[int, str]:
        """Return the number of the revision in force, and its host."""
        reply = self.service.ask("GET", SETTINGS, key=self.key, portal=self.portal)
        return int(reply.headers["ETag"].strip('"')), reply.json()["response"].get("host", "")


@pytest.fixture
def desk(service: Service, portal: Portal) -> Desk:
    """A portal of the test's own."""
    admin = service.open_user(f"admin@{portal.name}.test", Role.ADMINISTRATOR, portal=portal)
    page = signed_in(service, portal, admin)
    return Desk(
        service=service, portal=portal, admin=admin, key=service.open_key(admin), page=page
    )


def revision(page: str, number: int) -> str:
    """Return the text of one revision's block, without its markup."""
    found = re.search(rf'<li id="revision-{number}".*?</li>', page, re.DOTALL)
    assert found is not None
    return re.sub(r"\s+", " ", re.sub("<[^>]*>", " ", found[0]))


def test_without_any_revision_there_is_nothing_to_restore(desk: Desk) -> None:
    page = html(desk.page.get("/history"))
    assert "Nothing was saved yet" in page
    assert "/restore" not in page


def test_a_revision_shows_what_it_changed_and_never_a_password(desk: Desk) -> None:
    desk.save(RELAY, RELAY | {"port": 2525, "credentialsUserPassword": "another-canary"})
    page = html(desk.page.get("/history"))

    newest = revision(page, 2)
    assert "in force" in newest
    assert f"Saved by {desk.admin.email}," in newest
    assert "Port 587 2525" in newest
    assert "Password changed (never shown)" in newest
    assert "Encryption" not in newest
    assert "Restore" not in newest
    first = revision(page, 1)
    assert "Encryption required" in first
    assert "Password stored (never shown)" in first
    assert "canary" not in page


def test_the_way_back_says_what_it_changes_and_what_of_the_password(desk: Desk) -> None:
    desk.save(RELAY, OPEN)
    desk.reset()
    desk.save(RELAY | {"host": "smtp.example.net"})
    page = html(desk.page.get("/history"))

    assert "Server smtp.example.net mail.example.com" in revision(page, 1)
    assert "comes back with it" in revision(page, 1)
    assert "no password to come back" in revision(page, 2)
    assert "through the installation&#39;s mail server again" in revision(page, 3)


def test_restoring_puts_the_revision_in_force_with_its_password(desk: Desk) -> None:
    desk.save(RELAY, OPEN)
    reply = desk.restore(1, seen=2)

    assert (reply.status, reply.headers["Location"]) == (303, "/history?done=restored")
    assert desk.in_force() == (3, "mail.example.com")
    assert "Restored." in html(desk.page.get("/history?done=restored"))
    # An empty password stays, so one is there.
    desk.save(RELAY | {"credentialsUserPassword": ""})


def test_restoring_what_is_in_force_is_said_to_change_nothing(desk: Desk) -> None:
    desk.save(OPEN)
    reply = desk.restore(1, seen=1)
    assert (reply.status, reply.headers["Location"]) == (303, "/history?done=same")
    assert "Nothing was changed." in html(desk.page.get("/history?done=same"))


def test_a_password_that_does_not_open_is_told_and_nothing_changes(desk: Desk) -> None:
    desk.save(RELAY, OPEN)
    spoil = (
        "UPDATE smtp_settings_revisions SET sealed_password = zeroblob(60) WHERE portal_id = $1"
    )

    async def work(tx: Transaction) -> None:
        await tx.execute(f"{spoil} AND revision = 1", desk.portal.id)

    desk.service.run(desk.service.parts.database.transact(work))
    reply = desk.restore(1, seen=2)
    assert reply.status == 400
    assert "Nothing was restored." in html(reply)
    assert "The password of this revision does not open any more" in html(reply)
    assert "credentialsUserPassword:" not in html(reply)
    assert desk.in_force() == (2, "192.0.2.25")


def test_nothing_is_restored_over_what_somebody_saved_meanwhile(desk: Desk) -> None:
    desk.save(RELAY, OPEN)
    desk.save(OPEN | {"port": 2525})
    reply = desk.restore(1, seen=2)

    assert reply.status == 412
    assert "Nothing was restored." in html(reply)
    assert f"revision 3 saved by {desk.admin.email} (port)" in html(reply)
    # The page is that of now: the next try is about what it shows.
    assert '<input type="hidden" name="revision" value="3">' in html(reply)
    assert desk.in_force() == (3, "192.0.2.25")


@pytest.mark.parametrize("seen", ["", "*", "2, 3"])
def test_a_form_that_names_no_revision_restores_nothing(desk: Desk, seen: str) -> None:
    desk.save(RELAY, OPEN)
    assert desk.page.post("/history/1/restore", {"revision": seen}).status == 412
    assert desk.in_force() == (2, "192.0.2.25")


@pytest.mark.parametrize("named", ["0", "7", "99999999999999999999", "x", "%2e%2e"])
def test_a_revision_that_there_is_not_is_not_found(desk: Desk, named: str) -> None:
    desk.save(OPEN)
    assert desk.page.post(f"/history/{named}/restore", {"revision": "1"}).status == 404


def test_a_long_history_comes_by_the_page(desk: Desk) -> None:
    desk.save(*(OPEN | {"port": 1000 + number} for number in range(1, 24)))
    newest = html(desk.page.get("/history"))
    older = html(desk.page.get("/history?before=4"))

    assert [int(one) for one in re.findall(r'<li id="revision-(\d+)"', newest)] == [
        *range(23, 3, -1)
    ]
    assert 'href="/history?before=4"' in newest
    assert re.findall(r'<li id="revision-(\d+)"', older) == ["3", "2", "1"]
    # On each page the way back is from what is in force, which is on the first.
    assert "Port 1023 1002" in revision(older, 2)
    assert '<input type="hidden" name="revision" value="23">' in older
    assert "Port 1003 1004" in revision(newest, 4)
    assert len(newest) < LARGEST


def test_a_page_of_something_else_than_a_number_is_refused(desk: Desk) -> None:
    assert desk.page.get("/history?before=x").status == 400


def test_who_is_no_administrator_sees_no_history(desk: Desk) -> None:
    user = desk.service.open_user(f"user@{desk.portal.name}.test", portal=desk.portal)
    desk.save(RELAY, OPEN)
    page = signed_in(desk.service, desk.portal, user)
    reply = page.get("/history")
    assert reply.status == 403
    assert "mail.example.com" not in html(reply)
    assert page.post("/history/1/restore", {"revision": "2"}).status == 403
    assert desk.in_force()[0] == 2


def test_where_settings_are_switched_off_it_is_said(desk: Desk) -> None:
    desk.service.allow_settings(desk.portal, allowed=False)
    assert desk.page.get("/history").status == 402


def test_what_people_typed_is_text(desk: Desk) -> None:
    desk.save(OPEN | {"senderDisplayName": "<script>alert(1)</script>{{7*7}}"})
    page = html(desk.page.get("/history"))
    assert "&lt;script&gt;alert(1)&lt;/script&gt;{{7*7}}" in page
