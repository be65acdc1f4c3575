"""The AUTH command's dialogue, without a network."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.secret import Secret
from smarthost.smtp.authentication import ROUNDS_LIMIT, Authentication
from smarthost.smtp.reply import Reply
from smarthost.smtp.sasl import Login, Plain, SaslError

PASSWORD = Secret("hunter2")


def reply(code: int, text: str = "") -> Reply:
    return Reply(code=code, enhanced=None, lines=(text,))


def test_an_initial_response_goes_with_the_command() -> None:
    dialogue = Authentication(Plain("me", PASSWORD))
    assert dialogue.begin() == b"AUTH PLAIN AG1lAGh1bnRlcjI=\r\n"
    assert dialogue.answer(reply(235)) is None


def test_an_initial_response_too_long_for_a_command_waits_to_be_asked() -> None:
    dialogue = Authentication(Plain("me", Secret("p" * 400)))
    assert dialogue.begin() == b"AUTH PLAIN\r\n"
    line = dialogue.answer(reply(334))
    assert line is not None
    assert base64.b64decode(line) == b"\0me\0" + b"p" * 400
    with pytest.raises(SaslError):
        dialogue.answer(reply(334))


def test_the_longest_command_has_512_octets() -> None:
    # 498 octets of base64, rounded down to whole groups of four.
    longest = Authentication(Plain("me", Secret("p" * (372 - 4)))).begin()
    assert len(longest) == 509
    assert Authentication(Plain("me", Secret("p" * (375 - 4)))).begin() == b"AUTH PLAIN\r\n"


def test_challenges_are_answered_until_the_relay_decides() -> None:
    dialogue = Authentication(Login("me", PASSWORD))
    assert dialogue.begin() == b"AUTH LOGIN\r\n"
    assert dialogue.answer(reply(334, "VXNlcm5hbWU6")) == b"bWU=\r\n"
    assert dialogue.answer(reply(334, "")) == b"aHVudGVyMg==\r\n"
    assert dialogue.answer(reply(535)) is None


@pytest.mark.parametrize(
    "text",
    ["not base64", "VXNlcm5hbWU", "VX=lcm5hbWU6", "é", "VXNl cm5h", "VXNl=", "VXNl==", "VXNl===="],
)
def test_a_challenge_that_is_not_base64_is_refused(text: str) -> None:
    dialogue = Authentication(Login("me", PASSWORD))
    dialogue.begin()
    with pytest.raises(SaslError):
        dialogue.answer(reply(334, text))


def test_a_challenge_is_one_line() -> None:
    dialogue = Authentication(Login("me", PASSWORD))
    dialogue.begin()
    with pytest.raises(SaslError):
        dialogue.answer(Reply(code=334, enhanced=None, lines=("VXNl", "cm5h")))


class Talkative(Login):
    """Would go on for ever."""

    def respond(self, challenge: bytes) -> bytes:
        return challenge


def test_endless_challenges_come_to_an_end() -> None:
    dialogue = Authentication(Talkative("me", PASSWORD))
    dialogue.begin()
    for _ in range(ROUNDS_LIMIT):
        assert dialogue.answer(reply(334)) == b"\r\n"
    with pytest.raises(SaslError):
        dialogue.answer(reply(334))


def test_no_reply_repeats_what_was_said() -> None:
    dialogue = Authentication(Plain("me", PASSWORD))
    dialogue.begin()
    answer = reply(500, "unknown: AUTH PLAIN AG1lAGh1bnRlcjI= (hunter2)")
    assert dialogue.cleaned(answer).text == "500 unknown: AUTH PLAIN [hidden] ([hidden])"


@given(st.text(max_size=100))
def test_no_challenge_upsets_it(text: str) -> None:
    dialogue = Authentication(Talkative("me", PASSWORD))
    dialogue.begin()
    try:
        line = dialogue.answer(reply(334, text))
    except SaslError:
        return
    assert line == text.encode() + b"\r\n"
