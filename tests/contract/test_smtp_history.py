"""The history of a portal's settings, and the way back to an earlier revision."""

import zlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from smarthost.audit.model import OPERATOR, Actor
from smarthost.portals.model import Permission, Portal, Role
from smarthost.secret import Secret
from smarthost.smtp_settings.model import (
    PastRevision,
    Revision,
    RevisionAction,
    RevisionConflictError,
    SettingsInput,
    SmtpSettings,
)
from smarthost.smtp_settings.rules import check
from tests.contract.bodies import LOGIN, OPEN, PASSWORD
from tests.contract.service import SETTINGS, Reply, Service, running_service

HISTORY = f"{SETTINGS}/history"
EVERY = [
    "host",
    "port",
    "senderAddress",
    "senderDisplayName",
    "credentialsUserName",
    "enableSSL",
    "enableAuth",
    "useNtlm",
]


class Desk:
    """An administrator at a portal of their own."""

    def __init__(self, service: Service, name: str) -> None:
        self.service = service
        self.portal: Portal = service.open_portal(name)
        self.key = self.another("anna@example.org")

    def another(self, email: str) -> str:
        """The key of another administrator."""
        user = self.service.open_user(email, Role.ADMINISTRATOR, portal=self.portal)
        return self.service.open_key(user)

    def ask(
        self, method: str, path: str, body: Any = None, key: str = "", if_match: str | None = None
    ) -> Reply:
        headers = {} if if_match is None else {"If-Match": if_match}
        return self.service.ask(
            method, path, body, headers=headers, key=key or self.key, portal=self.portal
        )

    def save(self, key: str = "", if_match: str | None = None, **fields: Any) -> Reply:
        return self.ask("POST", SETTINGS, LOGIN | fields, key, if_match)

    def history(self, query: str = "") -> Any:
        reply = self.ask("GET", f"{HISTORY}{query}")
        assert reply.status == 200, reply.body
        assert reply.json()["count"] == len(reply.json()["response"])
        return reply.json()["response"]

    def restore(self, revision: object, key: str = "", if_match: str | None = None) -> Reply:
        return self.ask("POST", f"{HISTORY}/{revision}/restore", None, key, if_match)

    def password(self) -> str:
        """The password in force, as it would be sent."""

        async def work() -> Secret:
            revision = await self.service.parts.settings.current(self.portal.id)
            assert revision.settings is not None
            assert revision.sealed_password is not None
            destination = revision.settings.destination(self.portal.id)
            return self.service.parts.key_ring.open(revision.sealed_password, destination)

        return self.service.run(work()).reveal()


@pytest.fixture
def desk(portals_service: Service, request: pytest.FixtureRequest) -> Desk:
    return Desk(portals_service, f"d{zlib.crc32(request.node.name.encode()):x}")


def message(reply: Reply) -> str:
    return str(reply.json()["error"]["message"])


def test_a_portal_that_saved_nothing_has_an_empty_history(desk: Desk) -> None:
    assert desk.history() == []


def test_the_history_tells_who_saved_what_and_when(desk: Desk) -> None:
    bob = desk.another("bob@example.org")
    began = datetime.now(UTC)
    saved = desk.save().json()["response"]
    desk.save(bob, host="b.example.com", credentialsUserPassword="another")
    desk.ask("DELETE", SETTINGS)
    restored = desk.restore(1, bob).json()["response"]
    told = desk.history()
    assert [(one["revision"], one["action"], one["savedBy"]) for one in told] == [
        (4, "restore", "bob@example.org"),
        (3, "reset", "anna@example.org"),
        (2, "save", "bob@example.org"),
        (1, "save", "anna@example.org"),
    ]
    assert [one["changed"] for one in told] == [
        [*EVERY, "credentialsUserPassword"],
        EVERY,
        ["host", "credentialsUserPassword"],
        [*EVERY, "credentialsUserPassword"],
    ]
    assert told[0]["settings"] == restored == told[3]["settings"] == saved
    assert told[2]["settings"] == saved | {"host": "b.example.com"}
    assert told[1]["settings"] == desk_default()
    times = [datetime.fromisoformat(one["savedAt"]) for one in told]
    assert began <= times[3] <= times[2] <= times[1] <= times[0] <= datetime.now(UTC)
    assert all(one["savedAt"].endswith("Z") for one in told)


def desk_default() -> dict[str, object]:
    """What reading answers where the default relay is the operator's own affair."""
    return {
        "port": 25,
        "credentialsUserPassword": "",
        "enableSSL": False,
        "enableAuth": False,
        "useNtlm": False,
        "isDefaultSettings": True,
    }


def test_no_answer_has_a_password_in_it(desk: Desk) -> None:
    desk.save()
    desk.save(port=465)
    restored = desk.restore(1)
    listed = desk.ask("GET", HISTORY)
    assert (restored.status, listed.status) == (200, 200)
    assert PASSWORD.encode() not in restored.body + listed.body
    assert {one["settings"]["credentialsUserPassword"] for one in desk.history()} == {""}


def test_restoring_answers_as_a_save_does_and_brings_the_password_back(desk: Desk) -> None:
    saved = desk.save()
    assert desk.save(host="b.example.com", credentialsUserPassword="another").status == 200
    reply = desk.restore(1, if_match='"2"')
    assert (reply.status, reply.headers["ETag"]) == (200, '"3"')
    assert reply.json()["response"] == saved.json()["response"]
    assert reply.json()["links"][0]["action"] == "POST"
    read = desk.ask("GET", SETTINGS)
    assert (read.headers["ETag"], read.json()["response"]) == ('"3"', saved.json()["response"])
    assert desk.password() == PASSWORD
    # What stays now is the password that came back.
    assert desk.save(credentialsUserPassword="", senderDisplayName="New").status == 200
    assert desk.password() == PASSWORD


def test_restoring_what_is_in_force_makes_no_revision(desk: Desk) -> None:
    desk.save()
    assert desk.restore(1).headers["ETag"] == '"1"'
    assert len(desk.history()) == 1


def test_restoring_settings_without_a_login_and_after_a_reset(desk: Desk) -> None:
    without = desk.ask("POST", SETTINGS, OPEN).json()["response"]
    desk.save()
    assert desk.restore(1).json()["response"] == without
    desk.ask("DELETE", SETTINGS)
    assert desk.restore(2).json()["response"]["credentialsUserName"] == "postman"
    assert desk.password() == PASSWORD
    reset = desk.restore(4)
    assert (reset.json()["response"], reset.headers["ETag"]) == (desk_default(), '"6"')
    assert [one["action"] for one in desk.history()][:3] == ["reset", "restore", "reset"]


@pytest.mark.parametrize(
    "revision", ["0", "3", "999999999", "1" * 30, "-1", "1.0", "one", "%31%20", "%D9%A1", "1e0"]
)
def test_a_revision_that_is_not_there_is_404(desk: Desk, revision: str) -> None:
    desk.save()
    desk.ask("DELETE", SETTINGS)
    for if_match in (None, '"0"'):
        reply = desk.restore(revision, if_match=if_match)
        assert reply.status == 404, reply.body
        assert "no such revision" in message(reply)
    assert len(desk.history()) == 2


def test_another_portals_revision_is_404(desk: Desk, portals_service: Service) -> None:
    other = Desk(portals_service, "beside")
    for port in (25, 26, 27):
        other.save(port=port)
    assert desk.restore(2).status == 404
    assert desk.history() == []


def test_a_password_that_does_not_open_is_400_on_its_field(desk: Desk) -> None:
    desk.save()
    desk.save(host="b.example.com")

    async def swap() -> None:
        database = desk.service.parts.database

        async def work(tx: Any) -> None:
            for number in (1, 2):
                await tx.execute(
                    "UPDATE smtp_settings_revisions SET sealed_password = (SELECT sealed_password "
                    "FROM smtp_settings_revisions WHERE portal_id = $1 AND revision = 2) "
                    "WHERE portal_id = $1 AND revision = $2",
                    desk.portal.id,
                    number,
                )

        await database.transact(work)

    desk.service.run(swap())
    reply = desk.restore(1)
    assert reply.status == 400
    (told,) = reply.json()["response"]["errors"]["credentialsUserPassword"]
    assert "does not open any more" in told
    assert desk.ask("GET", SETTINGS).headers["ETag"] == '"2"'


def test_pages_go_back_to_the_first_revision(desk: Desk) -> None:
    actor = Actor(name=OPERATOR)

    async def fill() -> None:
        for port in range(1, 131):
            typed = SettingsInput(host="a.example.com", port=port, sender_address="a@example.com")
            await desk.service.parts.settings.save(desk.portal.id, check(typed, None), actor)

    desk.service.run(fill())
    first = desk.history()
    assert [one["revision"] for one in first] == list(range(130, 30, -1))
    assert desk.history("?limit=100") == first
    second = desk.history("?before=31")
    assert [one["revision"] for one in second] == list(range(30, 0, -1))
    assert desk.history("?limit=7&before=31") == second[:7]
    assert desk.history("?before=1") == []
    assert desk.history("?before=999999999&limit=1") == first[:1]
    assert {tuple(one["changed"]) for one in first} == {("port",)}


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("limit=0", {"limit"}),
        ("limit=101", {"limit"}),
        ("limit=", {"limit"}),
        ("limit=ten&before=0", {"limit", "before"}),
        ("limit=-1", {"limit"}),
        ("before=1.5", {"before"}),
        ("before=9999999999", {"before"}),
        ("before=%D9%A1", {"before"}),
    ],
)
def test_a_page_that_is_none_is_400_with_every_fault(
    service: Service, query: str, wrong: set[str]
) -> None:
    reply = service.ask("GET", f"{HISTORY}?{query}", key=service.key)
    assert reply.status == 400
    assert set(reply.json()["response"]["errors"]) == wrong


def test_who_may_not_read_or_change_the_settings_may_not_here(desk: Desk) -> None:
    service, portal = desk.service, desk.portal
    admin = service.open_user("carl@example.org", Role.ADMINISTRATOR, portal=portal)
    user = service.open_user("dora@example.org", portal=portal)
    desk.save()
    desk.save(port=465)

    def statuses(key: str | None) -> tuple[int, int]:
        read = service.ask("GET", HISTORY, key=key, portal=portal)
        restored = service.ask("POST", f"{HISTORY}/1/restore", key=key, portal=portal)
        return read.status, restored.status

    assert statuses(None) == (401, 401)
    assert statuses(service.open_key(user)) == (403, 403)
    assert statuses(service.open_key(admin, Permission.SEND)) == (403, 403)
    assert statuses(service.open_key(admin, Permission.READ)) == (200, 403)
    assert statuses(service.open_key(admin, Permission.WRITE)) == (403, 200)
    assert len(desk.history()) == 3
    service.allow_settings(portal, allowed=False)
    assert statuses(service.open_key(user)) == (402, 402)
    assert statuses(desk.key) == (402, 402)
    service.allow_settings(portal, allowed=True)
    with service.suspended(portal):
        assert statuses(desk.key) == (403, 403)


def test_another_sites_request_with_the_cookie_alone_restores_nothing(desk: Desk) -> None:
    desk.save()
    desk.save(port=465)
    headers = {"Cookie": f"asc_auth_key={desk.key}", "Sec-Fetch-Site": "cross-site"}
    reply = desk.service.ask("POST", f"{HISTORY}/1/restore", headers=headers, portal=desk.portal)
    assert reply.status == 403
    assert len(desk.history()) == 2


def test_two_administrators_who_undo_the_same_are_told_of_each_other(desk: Desk) -> None:
    bob = desk.another("bob@example.org")
    desk.save()
    desk.save(port=465)
    desk.ask("DELETE", SETTINGS)
    assert desk.restore(2, bob, '"3"').status == 200
    late = desk.restore(1, if_match='"3"')
    assert late.status == 412
    assert message(late).startswith("Since revision 3: revision 4 restored by bob@example.org (")
    assert message(late).endswith("Read the settings again before you change them.")
    saved = desk.save(if_match='"2"', port=25)
    assert saved.status == 412
    assert "Since revision 2: revision 3 reset by anna@example.org; revision 4 " in message(saved)
    assert desk.ask("DELETE", SETTINGS, if_match='"3"').status == 412
    assert len(desk.history()) == 4


def test_of_racing_restores_and_saves_one_alone_is_done(desk: Desk) -> None:
    bob = desk.another("bob@example.org")
    for port in (25, 465, 587):
        desk.save(port=port)

    def change(number: int) -> Reply:
        if number % 2:
            return desk.restore(1 + number % 4 // 2, desk.key, '"3"')
        return desk.save(bob, '"3"', port=1000 + number)

    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(change, range(16)))
    assert sorted(reply.status for reply in replies) == [200, *[412] * 15]
    newest = desk.history("?limit=1")[0]
    assert newest["revision"] == 4
    did = {"save": "saved", "restore": "restored"}[newest["action"]]
    told = f"Since revision 3: revision 4 {did} by {newest['savedBy']} ("
    assert all(message(reply).startswith(told) for reply in replies if reply.status == 412)


def test_the_412_that_is_documented_is_the_one_that_is_told(service: Service) -> None:
    document = service.ask("GET", "/openapi.json").json()
    shown = document["components"]["responses"]["PreconditionFailed"]["content"]
    example = shown["application/json"]["examples"]["since"]["value"]["error"]["message"]
    settings = SmtpSettings(
        host="mail.example.com",
        port=587,
        sender_address="notify@example.com",
        sender_display_name=None,
        user_name=None,
        enable_ssl=True,
        enable_auth=False,
        use_ntlm=False,
    )
    current = Revision(
        portal_id="p",
        number=7,
        action=RevisionAction.SAVE,
        saved_at=0,
        saved_by="anna@example.org",
        settings=settings,
        sealed_password=None,
    )
    past = PastRevision(revision=current, changed=("host", "port"))
    assert str(RevisionConflictError(current, 6, (past,))) == example


def test_of_a_standalone_installation_the_default_relay_is_shown(tmp_path: Path) -> None:
    default = "smtp://u:hush@relay.test:2525?sender=a@relay.test"
    with running_service(tmp_path, DEFAULT_RELAY_URL=default) as service:
        assert service.ask("POST", SETTINGS, OPEN, key=service.key).status == 200
        service.ask("DELETE", SETTINGS, key=service.key)
        read = service.ask("GET", SETTINGS, key=service.key).json()["response"]
        reset, saved = service.ask("GET", HISTORY, key=service.key).json()["response"]
        assert (read["host"], reset["settings"]) == ("relay.test", read)
        assert saved["settings"]["isDefaultSettings"] is False
        restored = service.ask("POST", f"{HISTORY}/1/restore", key=service.key)
        assert restored.json()["response"] == saved["settings"]
        again = service.ask("POST", f"{HISTORY}/2/restore", key=service.key)
        assert again.json()["response"] == read
