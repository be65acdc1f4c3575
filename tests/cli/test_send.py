"""`send`: what is typed, or comes on standard input, is what arrives."""

import email.policy
import re
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from tests.cli.mailboxes import Mailboxes
from tests.cli.program import ADMIN, Ended, Program
from tests.cli.test_settings_test import save
from tests.contract.relays import Pausing, running_relay
from tests.journeys.served import serving

TO = "anna@example.org"
CTRL_C = "\x03"
NOWHERE = 9  # discard: nobody listens there


@pytest.fixture
def sender(installed: Program) -> Program:
    save(installed, NOWHERE)
    return installed


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """Return an installation with a relay, for what changes nothing."""
    program = Program(folder=tmp_path_factory.mktemp("unchanged"))
    program.init()
    save(program, NOWHERE)
    return program


def sent(program: Program, *arguments: str, typed: str = "", to: int = 1) -> EmailMessage:
    """Send with `--wait` and return the one message that arrives, for `to` recipients."""
    mailboxes = Mailboxes()
    with running_relay(mailboxes) as relay:
        save(program, relay.port)
        ended = program("send", "--wait", *arguments, typed=typed)
    assert (ended.code, ended.err) == (0, "")
    assert len(mailboxes.messages) == 1
    assert len(mailboxes.recipients[0]) == to
    return parsed(mailboxes.messages[0])


def parsed(message: bytes) -> EmailMessage:
    found = email.message_from_bytes(message, policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    return found


def listed(program: Program) -> list[Any]:
    data = program("messages", "list", "--json").json()["data"]
    assert isinstance(data, list)
    return data


def refused(ended: Ended, code: int, *lines: str) -> None:
    assert (ended.code, ended.out) == (code, ""), ended.err
    told = ended.err.splitlines()
    assert len(told) == len(lines), told
    for line, words in zip(told, lines, strict=True):
        assert line.startswith("smarthost: ")
        assert words in line


def test_the_id_is_printed_and_the_message_is_in_the_queue(sender: Program) -> None:
    ended = sender("send", "--to", TO, "--subject", "Hello", typed="It works.\n")
    assert (ended.code, ended.err) == (0, "")
    [message] = listed(sender)
    assert ended.out == f"{message['id']}\n"
    assert (message["to"], message["subject"]) == ([TO], "Hello")
    assert message["from"] == ADMIN


def test_as_json_it_is_the_apis_answer(sender: Program) -> None:
    answer = sender("send", TO, "--text", "Hello", "--json").json()
    assert answer == {"id": listed(sender)[0]["id"]}


def test_what_is_typed_is_what_arrives(installed: Program, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<p>Grüße</p>")
    (tmp_path / "Maß.csv").write_bytes(b"a;b\r\n\x00")
    message = sent(
        installed,
        "--to", f"Anna Ö <{TO}>", "--cc", "bo@example.org", "--bcc", "carla@example.org",
        "--from", f"The Shop <{ADMIN}>", "--reply-to", "desk@example.com",
        "--subject", "Maße", "--text", "Grüße", "--html-file", "page.html",
        "--attach", "Maß.csv", "--header", "References: <a@b>", "--header", "X-Shop: 7",
        to=3,
    )  # fmt: skip
    assert str(message["From"]) == f"The Shop <{ADMIN}>"
    assert (str(message["To"]), str(message["Cc"])) == (f"Anna Ö <{TO}>", "bo@example.org")
    assert (message["Bcc"], str(message["Reply-To"])) == (None, "desk@example.com")
    assert (str(message["Subject"]), message["X-Shop"]) == ("Maße", "7")
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert html is not None
    assert text.get_content().splitlines() == ["Grüße"]
    assert html.get_content().splitlines() == ["<p>Grüße</p>"]
    [attachment] = message.iter_attachments()
    assert attachment.get_filename() == "Maß.csv"
    assert attachment.get_payload(decode=True) == b"a;b\r\n\x00"


def test_the_text_comes_from_standard_input_as_with_mail(installed: Program) -> None:
    message = sent(
        installed, "-s", "Report", "-c", "bo@example.org", TO, typed="One\n.\nTwo\n", to=2
    )
    assert message.get_content() == "One\n.\nTwo\n"


def test_the_text_comes_from_a_file_or_from_a_dash(installed: Program) -> None:
    (installed.folder / "text").write_text("from a file")
    assert sent(installed, TO, "--text-file", "text").get_content() == "from a file\n"
    assert sent(installed, TO, "--text-file", "-", typed="from -").get_content() == "from -\n"


def test_at_a_terminal_the_text_is_typed(sender: Program) -> None:
    ended = sender.at_terminal("send", TO, press=("Ctrl-D", "Hello\n\x04"))
    assert ended.code == 0
    assert "Ctrl-D" in ended.out
    [message] = listed(sender)
    assert sender("messages", "show", message["id"], "--json").json()["text"] == "Hello\n"


def test_as_sendmail_reads_recipients_and_takes_out_bcc(installed: Program) -> None:
    typed = f"From: {ADMIN}\nTo: Anna <{TO}>,\n bo@example.org\nBcc: c@example.org\nSubject: x\n\n"
    message = sent(installed, "-t", "-i", "-oem", typed=f"{typed}Hello\n.\nthere\n", to=3)
    assert (message["Bcc"], message["Subject"]) == (None, "x")
    assert message.get_content() == "Hello\n.\nthere\n"
    assert message["Message-ID"]
    assert message["Date"]


def test_as_sendmail_it_goes_to_the_arguments_alone(installed: Program) -> None:
    typed = f"From: {ADMIN}\nTo: nobody@example.net\n\nHello\n"
    message = sent(installed, "--mime", "-oi", TO, typed=typed)
    assert message["To"] == "nobody@example.net"


@pytest.mark.parametrize(
    ("more", "sender_then"), [([], ADMIN), (["-f", f"Shop <{ADMIN}>"], f"Shop <{ADMIN}>")]
)
def test_a_message_that_is_from_nobody_is_from_the_portal(
    installed: Program, more: list[str], sender_then: str
) -> None:
    message = sent(installed, "--mime", *more, TO, typed="Subject: cron\n\nHello\n")
    assert message["From"] == sender_then


def test_a_message_with_its_own_sender_keeps_it(installed: Program) -> None:
    typed = f"From: Own <{ADMIN}>\n\nHello\n"
    assert (
        sent(installed, "--mime", "-f", "x@y.example", TO, typed=typed)["From"] == f"Own <{ADMIN}>"
    )


def test_a_service_delivers_what_this_command_waits_for(installed: Program) -> None:
    mailboxes = Mailboxes()
    with running_relay(mailboxes) as relay, serving(installed):
        save(installed, relay.port)
        ended = installed("send", "--wait", "--text", "Hello", TO)
        one = f"localhost:{relay.port} took it."
    assert ended.code == 0
    message_id, told = ended.out.splitlines()
    assert told.startswith(f"{TO}: sent at ")
    assert told.endswith(one)
    assert listed(installed)[0]["id"] == message_id


def test_a_recipient_who_is_refused_is_1_and_explained(installed: Program) -> None:
    mailboxes = Mailboxes({"no@example.org": "550 5.1.1 No such user"})
    with running_relay(mailboxes) as relay:
        save(installed, relay.port)
        ended = installed("send", "--wait", "--text", "Hello", TO, "no@example.org")
        value = installed("send", "--wait", "--text", "Hello", "no@example.org", "--json")
    assert (ended.code, value.code) == (1, 1)
    told = {line.split(":")[0]: line for line in ended.out.splitlines()[1:]}
    assert "took it" in told[TO]
    assert ": failed at " in told["no@example.org"]
    assert "550 5.1.1 No such user" in told["no@example.org"]
    assert value.json()["last_event"] == "failed"
    assert value.json()["attempts"][0]["failure"]["reply"] == "550 5.1.1 No such user"


def test_what_keeps_it_waiting_is_told_meanwhile(installed: Program) -> None:
    full = Mailboxes({TO: "452 4.2.2 Mailbox full"})
    with running_relay(full) as relay:
        save(installed, relay.port)
        ended = installed.at_terminal(
            "send", "--wait", "--text", "Hello", TO, press=("Mailbox full", CTRL_C)
        )
    assert ended.code == 130
    assert f"smarthost: {TO} waits for another try." in ended.out
    [message] = listed(installed)
    assert message["last_event"] == "delivery_delayed"


def test_at_a_terminal_a_bar_shows_where_it_is(installed: Program) -> None:
    with running_relay(Mailboxes()) as relay:
        save(installed, relay.port)
        ended = installed.at_terminal("send", "--wait", "--text", "Hi", TO, term="xterm")
    assert ended.code == 0
    assert "20% Waiting" in ended.out
    assert re.search("% *[0-9a-f]{8}-", ended.out) is None, "the id is above the bar"
    assert "took it." in ended.out


def test_a_message_can_be_put_off(sender: Program) -> None:
    assert sender("send", TO, "--text", "Hi", "--at", "in 2 hours").code == 0
    assert listed(sender)[0]["last_event"] == "scheduled"


def test_the_same_key_sends_once(sender: Program) -> None:
    line = ("send", TO, "--text", "Hi", "--idempotency-key", "2026-11-22 report")
    first, again = sender(*line), sender(*line)
    assert (first.code, again.code) == (0, 0)
    assert first.out == again.out
    assert len(listed(sender)) == 1
    other = sender(*line, "--subject", "Another")
    refused(other, 4, "idempotency key")
    assert sender("settings", "reset").code == 0
    assert sender(*line).out == first.out


def test_in_a_users_name_it_is_theirs(sender: Program) -> None:
    assert sender("user", "create", "shop@example.com").code == 0
    message_id = sender("send", TO, "--text", "Hi", "--as", "shop@example.com").out.strip()
    assert "by operator as shop@example.com" in sender("messages", "show", message_id).out
    refused(
        sender("send", TO, "--text", "Hi", "--as", "x@example.com"), 1, "no user x@example.com"
    )


def test_without_a_relay_it_is_a_no(installed: Program) -> None:
    refused(installed("send", TO, "--text", "Hi"), 1, "No mail server is saved")
    refused(installed("send", "-t", typed=f"To: {TO}\n\nHi\n"), 1, "No mail server is saved")


def test_a_sender_of_somebody_else_is_a_no(unchanged: Program) -> None:
    refused(unchanged("send", TO, "--text", "Hi", "--from", "x@example.net"), 1, "may not send as")
    typed = "From: x@example.net\n\nHi\n"
    refused(unchanged("send", "--mime", TO, typed=typed), 1, "may not send as x@example.net")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (["--to", "a@@b", "--to", TO, "--cc", "c d@x"], ["--to a@@b: ", "--cc c d@x: "]),
        (["--text", "Hi"], ["--to: Name at least one recipient."]),
        ([TO, "--header", "nonsense"], ["--header: Write it as 'Name: value'"]),
        ([TO, "--header", "A: b", "--header", "a: c"], ["--header: a is there twice"]),
        ([TO, "--header", "Subject: x"], ["--header Subject: "]),
        ([TO, "--subject", "a\nb"], ["--subject: "]),
        ([TO, "--attach", "none", "--html-file", "."], ["--html-file: .", "--attach: none"]),
        ([TO, "--at", "tomorrow"], ["--at: "]),
        ([TO, "--text", "a", "--text-file", "b"], ["--text or --text-file"]),
        ([TO, "--idempotency-key", ""], ["--idempotency-key: "]),
        ([TO, "--text", "\udcff"], ["--text: This is not UTF-8 text."]),
        (["--mime", "--subject", "x", TO, "--attach", "x"], ["--subject: ", "--attach: "]),
        (["--mime"], ["Name the recipients"]),
        (["-t", TO], ["not both"]),
        (["-t"], ["The message on standard input: The message is empty."]),
        (["--mime", TO], ["The message on standard input: The message is empty."]),
    ],
)
def test_everything_that_is_wrong_is_named_by_its_option(
    unchanged: Program, line: list[str], told: list[str]
) -> None:
    refused(unchanged("send", *line), 2, *told)


def test_a_sender_that_is_no_address_is_named_for_a_whole_message_too(unchanged: Program) -> None:
    typed = "Subject: x\n\nHello\n"
    refused(unchanged("send", "--mime", "-f", "a@@b", TO, typed=typed), 2, "--from: ")


def test_what_is_too_large_is_refused_before_it_fills_the_memory(unchanged: Program) -> None:
    with (unchanged.folder / "large").open("wb") as file:
        file.truncate(1 << 40)
    refused(unchanged("send", TO, "--attach", "large"), 2, "large: This is too large")


def test_a_waiting_command_leaves_the_message_in_the_queue_when_it_is_stopped(
    installed: Program,
) -> None:
    relay_script = Pausing()
    with running_relay(relay_script) as relay:
        save(installed, relay.port)
        ended = installed.at_terminal(
            "send", "--wait", "--text", "Hi", TO, term="xterm", press=("Being sent", CTRL_C)
        )
        relay_script.let_go()
    assert ended.code == 130
    assert listed(installed)[0]["recipients"][0]["state"] == "queued"
