"""Lists of addresses as other programs write them: the same mailboxes as other readers find."""

import time
from contextlib import suppress
from email import policy
from email.headerregistry import AddressHeader
from email.message import EmailMessage
from email.parser import Parser
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.mail.address import AddressError, parse_address
from smarthost.mail.address_list import Group, parse_address_list, parse_mailbox_list
from smarthost.mail.headers import MailboxHeader, header_block
from smarthost.mail.mailbox import Mailbox

MAILBOX = st.builds(
    lambda name, address: Mailbox(address=parse_address(address), display_name=name or None),
    st.none()
    | st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=1, max_size=40),
    st.sampled_from(
        ["a@x.test", '"a, b"@x.test', "a@[IPv6:2001:db8::1]", "l" * 64 + "@x.test", "ü@x.test"]
    ),
)
GROUP = st.builds(
    lambda name, mailboxes: Group(name=name, mailboxes=tuple(mailboxes)),
    st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=1, max_size=40),
    st.lists(MAILBOX, max_size=3),
)


@pytest.mark.parametrize(
    ("value", "mailboxes"),
    [
        ("", []),
        ("  ", []),
        (", ,", []),
        ("undisclosed-recipients:;", []),
        ("undisclosed-recipients: ;", []),
        ("a@x.test", [(None, "a@x.test")]),
        ("a@x.test, b@x.test", [(None, "a@x.test"), (None, "b@x.test")]),
        ("a@x.test,\tb@x.test,", [(None, "a@x.test"), (None, "b@x.test")]),
        ("Ann B. <a@x.test>", [("Ann B.", "a@x.test")]),
        ('"Ann, B" <a@x.test>', [("Ann, B", "a@x.test")]),
        ('"Ann \\"B\\"" C <a@x.test>', [('Ann "B" C', "a@x.test")]),
        ("Team: a@x.test, Ben <b@x.test>;", [(None, "a@x.test"), ("Ben", "b@x.test")]),
        ("A: a@x.test;, B:;, c@x.test", [(None, "a@x.test"), (None, "c@x.test")]),
        ("Jörg <a@x.test>", [("Jörg", "a@x.test")]),
        ("=?utf-8?q?J=C3=B6rg?= <a@x.test>", [("Jörg", "a@x.test")]),
        ("=?iso-8859-1?Q?J=F6rg?= =?iso-8859-1?Q?_=DC?= <a@x.test>", [("Jörg Ü", "a@x.test")]),
        ("=?utf-8?q?a=0D=0ABcc=3A_x?= <a@x.test>", [("a\ufffd\ufffdBcc: x", "a@x.test")]),
        ("a@x.test (Ann)", [("Ann", "a@x.test")]),
        ("(first) a@x.test", [(None, "a@x.test")]),
        ("(first) a@x.test (Ann \\(B\\))", [("Ann (B)", "a@x.test")]),
        ("Ann (Sales (Berlin)) <a@x.test> (a, b <c@d>)", [("Ann", "a@x.test")]),
        ("a(comment)@x.test", [(None, "a@x.test")]),
        ("a@[IPv6:2001:db8::1]", [(None, "a@[IPv6:2001:db8::1]")]),
        ('"a, b"@x.test', [(None, '"a, b"@x.test')]),
        ("<a@x.test>", [(None, "a@x.test")]),
    ],
)
def test_a_list_is_read(value: str, mailboxes: list[tuple[str | None, str]]) -> None:
    assert [(one.display_name, str(one.address)) for one in parse_mailbox_list(value)] == mailboxes


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("a", "has no @"),
        ("a@x.test b@x.test", "Only one address"),
        ("a@x.test; b@x.test", "; stands where it parts nothing"),
        ("a@x.test <b@x.test>", "Two addresses stand before one comma"),
        ("Ann <a@x.test> Ben <b@x.test>", "Nothing follows <a@x.test> but a comma"),
        ("Ann <a@x.test", "< stands where it parts nothing"),
        ("Ann a@x.test>", "> stands"),
        ('"Ann <a@x.test>', '" stands'),
        ("Ann \\<a@x.test>", r"\\ stands"),
        ("Ann [x] <a@x.test>", r"\[ stands"),
        ("a@x.test (Ann", "comment is not closed"),
        ("(" * 30 + ")" * 30 + "a@x.test", "comment is not closed"),
        ("a@x.test )", r"\) stands"),
        ("Team: a@x.test", "group Team is not closed"),
        ("Team: A: a@x.test;;", ": stands"),
        (": a@x.test;", ": stands"),
        ("<@y.test,@z.test:a@x.test>", "."),
        ("a@x.test, Ann", "has no @"),
        ("a\u202e@x.test", "control or invisible"),
    ],
)
def test_what_two_programs_could_read_in_two_ways_is_refused(value: str, why: str) -> None:
    with pytest.raises(AddressError, match=why):
        parse_mailbox_list(value)


@given(st.lists(MAILBOX | GROUP, min_size=1, max_size=4))
def test_a_list_that_we_write_is_read_back_by_us_and_by_others(
    entries: list[Mailbox | Group],
) -> None:
    block = header_block([MailboxHeader(name="To", mailboxes=entries)])
    value = block.decode().replace("\r\n", "").removeprefix("To:").strip(" ")
    assert list(parse_address_list(value)) == entries
    mailboxes = parse_mailbox_list(value)
    parsed = Parser(EmailMessage, policy=policy.SMTPUTF8).parsestr(f"{block.decode()}\r\n")
    assert [one.addr_spec for one in cast("AddressHeader", parsed["To"]).addresses] == [
        str(mailbox.address) for mailbox in mailboxes
    ]


@given(st.text('a@x.,;:<>()[]"\\ =?é', max_size=40))
def test_any_value_is_read_or_refused(value: str) -> None:
    try:
        mailboxes = parse_mailbox_list(value)
    except AddressError:
        return
    for mailbox in mailboxes:
        assert parse_address(str(mailbox.address)) == mailbox.address


@pytest.mark.parametrize(
    "piece",
    ["(", ")", '"', "\\", '\\"', "<", "[", ",", "a@x.test,", "(a)", ":", "a:;", "=?", "a "],
)
def test_time_grows_no_faster_than_the_list(piece: str) -> None:
    def seconds(times: int) -> float:
        value = piece * (times * 20_000 // len(piece))
        begin = time.process_time()
        with suppress(AddressError):
            parse_mailbox_list(value)
        return time.process_time() - begin

    # Eight times the text: about 8 if it is linear, 64 if it is quadratic.
    assert seconds(8) < 24 * max(seconds(1), 0.005)


def test_thousands_of_addresses_are_refused_before_they_are_read() -> None:
    assert len(parse_mailbox_list(",".join(["a@example.net"] * 2_000))) == 2_000
    begin = time.process_time()
    with pytest.raises(AddressError, match="too many"):
        parse_mailbox_list(",".join(["a@b"] * 65_000))
    assert time.process_time() - begin < 0.05
