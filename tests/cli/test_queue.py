"""`queue`: how the mail of all portals stands."""

from tests.cli.mailboxes import Mailboxes
from tests.cli.program import Program
from tests.cli.test_portals import SEVERAL
from tests.cli.test_settings_test import save
from tests.contract.relays import refuse_login, running_relay

CTRL_C = "\x03"
ANNA = "anna@example.org"


def test_recipients_are_counted_by_portal_state_and_relay(installed: Program) -> None:
    assert installed("portal", "create", "acme", **SEVERAL).code == 0
    with running_relay(Mailboxes({"bo@example.org": "550 5.1.1 No"})) as relay:
        save(installed, relay.port, "--portal", "acme")
        line = ("send", "--portal", "acme", "--text", "x")
        assert installed(*line, "--wait", ANNA, "bo@example.org", **SEVERAL).code == 1
        assert installed(*line, ANNA, "--at", "in 1 hour", **SEVERAL).code == 0
        assert installed(*line, ANNA, **SEVERAL).code == 0
        named = f"localhost:{relay.port}"
    [row] = installed("queue", "--json", **SEVERAL).json()
    assert (row["portal"], row["relay"], row["defaultRelay"]) == ("acme", named, False)
    counts = {state: count for state, count in row["recipients"].items() if count}
    assert counts == {"queued": 2, "sent": 1, "failed": 1}
    assert (row["scheduled"], row["hold"]) == (1, None)
    assert row["lastSentAt"]
    headings, cells = (line.split("\t") for line in installed("queue", **SEVERAL).out.splitlines())
    told = dict(zip(headings, cells, strict=True))
    assert (told["QUEUED"], told["SCHEDULED"], told["SENT"], told["FAILED"]) == (
        "1",
        "1",
        "1",
        "1",
    )
    assert told["OLDEST"].endswith("s")


def test_a_hold_is_told_with_its_reason(installed: Program) -> None:
    with running_relay(refuse_login) as relay:
        save(installed, relay.port, "--user-name", "u", "--password-stdin", typed="CANARY-99")
        line = ("send", "--wait", "--text", "x", ANNA)
        ended = installed.at_terminal(*line, press=("535 5.7.8", CTRL_C))
    assert ended.code == 130
    [row] = installed("queue", "--json").json()
    assert row["hold"]["failure"]["code"] == "login_refused"
    assert row["hold"]["failures"] == 1
    assert row["hold"]["nextTryAt"] > row["hold"]["since"]
    assert "refused the login" in installed("queue").out
    shown = installed.at_terminal("queue", "--once").out
    assert "default: on hold since " in shown
    assert "The mail server said: 535 5.7.8" in shown
    listed = installed("messages", "list", "--json").json()["data"]
    assert listed[0]["last_event"] == "delivery_delayed"
    told = installed("messages", "show", listed[0]["id"]).out
    assert "\non hold:     with all mail of the portal since " in told


def test_the_default_relay_is_named_as_such(installed: Program) -> None:
    url = "smtp://relay.example.com:25?sender=notify@example.com"
    default = {"SMARTHOST_DEFAULT_RELAY_URL": url}
    assert installed("send", "--text", "x", ANNA, **default).code == 0
    assert "\trelay.example.com:25 (default)\t" in installed("queue", **default).out


def test_an_empty_queue_is_an_empty_list(untouched: Program) -> None:
    assert untouched("queue", "--json").out == "[]\n"
    assert untouched("queue", "--once").out.count("\n") == 1


def test_at_a_terminal_it_goes_on_until_ctrl_c(installed: Program) -> None:
    save(installed, 9)
    assert installed("send", "--text", "x", ANNA).code == 0
    ended = installed.at_terminal("queue", press=("2 s", CTRL_C), term="xterm")
    assert ended.code == 0
    assert ended.out.count("PORTAL") > 1
    assert "Traceback" not in ended.out
