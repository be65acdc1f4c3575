"""`portal suspend` and `portal resume`: what the operator types, sees, and is refused."""

from tests.cli.mailboxes import Mailboxes
from tests.cli.program import Program
from tests.cli.test_settings_test import save
from tests.contract.relays import running_relay
from tests.journeys.served import serving

ANNA = "anna@example.org"
RESUME = "smarthost portal resume default"


def test_a_portal_is_suspended_and_resumed_once(installed: Program) -> None:
    before = installed("portal", "list", "--json").json()
    suspended = installed("portal", "suspend", "default", "--json")
    assert suspended.code == 0
    assert suspended.json() == before[0] | {"suspendedAt": suspended.json()["suspendedAt"]}
    assert suspended.json()["suspendedAt"]
    installed("portal", "suspend", "default").assert_one_line(4, "suspended already")
    assert "\tsuspended\t" in installed("portal", "list").out.splitlines()[1]
    resumed = installed("portal", "resume", "default")
    assert (resumed.code, resumed.err) == (0, "")
    installed("portal", "resume", "default").assert_one_line(4, "not suspended")
    assert installed("portal", "list", "--json").json() == before
    installed("portal", "suspend", "acme").assert_one_line(1, "no portal named acme")


def test_a_running_service_keeps_its_mail_and_sends_it_afterwards(installed: Program) -> None:
    mailboxes = Mailboxes()
    with running_relay(mailboxes) as relay:
        save(installed, relay.port)
        assert installed("send", "--text", "first", ANNA).code == 0
        assert installed("portal", "suspend", "default").code == 0
        with serving(installed):
            for refused in (("send", "--text", "x", ANNA), ("settings", "test")):
                installed(*refused).assert_one_line(1, RESUME)
            [row] = installed("queue", "--json").json()
            assert (row["recipients"]["queued"], row["hold"]) == (1, None)
            assert row["suspendedAt"]
            assert installed("queue").out.splitlines()[1].endswith("\tSuspended")
            assert RESUME in installed.at_terminal("queue", "--once").out
            [message] = installed("messages", "list", "--json").json()["data"]
            assert message["last_event"] == "delivery_delayed"
            told = installed("messages", "show", message["id"]).out
            assert "\nsuspended:   with its portal since " in told
            assert mailboxes.messages == []
            assert installed("portal", "resume", "default").code == 0
            assert installed("send", "--wait", "--text", "second", ANNA).code == 0
    assert len(mailboxes.messages) == 2
