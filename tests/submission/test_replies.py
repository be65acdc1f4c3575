"""The table of replies: every one well formed, used, and there for all that can happen."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.database.engine import StoreFullError, StoreUnavailableError
from smarthost.mail_queue.accepted.model import NotAcceptableError
from smarthost.sending.model import Fault as SendingFault
from smarthost.sending.model import FaultKind, Refused
from smarthost.smtp.command_parser import CommandError, Fault
from smarthost.smtp.command_reader import LineFault
from smarthost.smtp.data_reader import DataEnd
from smarthost.submission import replies
from smarthost.submission.replies import Reply

ROOM = Path(replies.__file__).parent
NAMED = {name: one for name, one in vars(replies).items() if isinstance(one, Reply)}
ALL = [
    *NAMED.values(),
    *replies.LINE_FAULTS.values(),
    *replies.COMMAND_FAULTS.values(),
    *replies.DATA_ENDS.values(),
    *replies.REFUSALS.values(),
    *replies.ERRORS.values(),
]
# RFC 2034, section 4: neither the greeting nor the answer to EHLO; 3yz has no class.
WITHOUT_ENHANCED = {"GREETING", "HELLO", "CHALLENGE", "SEND_DATA"}


def test_the_tables_are_complete() -> None:
    assert set(replies.LINE_FAULTS) == set(LineFault)
    assert set(replies.COMMAND_FAULTS) == set(Fault)
    assert set(replies.DATA_ENDS) == set(DataEnd) - {DataEnd.WHOLE}
    assert set(replies.REFUSALS) == set(FaultKind)


def test_every_reply_is_said_somewhere() -> None:
    sources = "".join(file.read_text(encoding="utf-8") for file in ROOM.glob("*.py"))
    for name in NAMED:
        assert len(re.findall(rf"\b{name}\b", sources)) > 1, name


@pytest.mark.parametrize("reply", ALL, ids=lambda reply: f"{reply.code} {reply.enhanced}")
def test_codes_and_enhanced_codes_agree(reply: Reply) -> None:
    assert re.fullmatch("[2-5][0-5][0-9]", str(reply.code))
    if reply.enhanced is not None:
        assert re.fullmatch(rf"{reply.code // 100}\.[0-7]\.[0-9]{{1,2}}", reply.enhanced)
    if reply.code == 421:
        assert reply.ends, "RFC 5321, section 3.8: the connection is closed behind it"


def test_all_but_some_have_an_enhanced_code() -> None:
    assert {name for name, one in NAMED.items() if one.enhanced is None} == WITHOUT_ENHANCED


def test_several_lines_are_one_reply() -> None:
    reply = replies.SENDER_NOT_ALLOWED.saying("One.", "Two.")
    assert reply.octets == b"550-5.7.1 One.\r\n550 5.7.1 Two.\r\n"


@given(st.lists(st.text(max_size=2_000), max_size=30))
def test_whatever_is_said_it_is_one_reply_of_ascii_in_lines_of_512(texts: list[str]) -> None:
    octets = replies.REFUSALS[FaultKind.INVALID].saying(*texts).octets
    assert octets.isascii()
    *lines, last, nothing = octets.split(b"\r\n")
    assert nothing == b""
    assert re.fullmatch(rb"554 5\.6\.0 [ -~]+", last)
    assert all(re.fullmatch(rb"554-5\.6\.0 [ -~]+", line) for line in lines)
    assert all(len(line) <= 510 for line in (*lines, last))
    assert len(lines) < 20


def test_a_command_is_refused_with_each_fault_on_its_line() -> None:
    error = CommandError(Fault.PARAMETER, "SIZE is wrong.", "RET is wrong.")
    assert replies.of_command(error).octets == (
        b"501-5.5.4 SIZE is wrong.\r\n501 5.5.4 RET is wrong.\r\n"
    )


def test_a_refused_message_has_the_code_of_its_first_fault() -> None:
    faults = (
        SendingFault(field="raw", message="Not you.", kind=FaultKind.NOT_ALLOWED),
        SendingFault(field="raw", message="Not this."),
    )
    assert replies.of_refusal(Refused(faults=faults)).octets == (
        b"550-5.7.1 Not you.\r\n550 5.7.1 Not this.\r\n"
    )


@pytest.mark.parametrize(
    ("error", "begin"),
    [
        (StoreFullError("/secret/path"), "452 4.3.1 "),
        (StoreUnavailableError("/secret/path"), "451 4.3.0 "),
        (NotAcceptableError("Too many."), "554 5.6.0 Too many."),
    ],
)
def test_errors_of_other_rooms_are_told(error: Exception, begin: str) -> None:
    reply = replies.of_error(error)
    assert reply is not None
    assert reply.octets.decode().startswith(begin)
    assert b"/secret/path" not in reply.octets


def test_a_fault_of_ours_is_none_of_them() -> None:
    assert replies.of_error(ZeroDivisionError()) is None
