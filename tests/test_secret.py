import copy
import json
import pickle
import traceback

import msgspec
import pytest

from smarthost.secret import Secret

CANARY = "c4nary-p4ssw0rd"


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    secret: Secret


@pytest.mark.parametrize(
    "shown",
    [
        repr(Secret(CANARY)),
        str(Secret(CANARY)),
        f"{Secret(CANARY)}",
        f"{Secret(CANARY)!r:>40}",
        f"{Secret(CANARY):>40}",
        "%s %r" % (Secret(CANARY), Secret(CANARY)),  # noqa: UP031 - what loggers do
        repr([Secret(CANARY)]),
        repr({"password": Secret(CANARY)}),
        repr(Holder(secret=Secret(CANARY))),
    ],
)
def test_it_does_not_show_itself(shown: str) -> None:
    assert CANARY not in shown
    assert "***" in shown


def test_it_is_revealed_to_who_asks() -> None:
    assert Secret(CANARY).reveal() == CANARY


def test_no_encoder_takes_it() -> None:
    for encode in (json.dumps, msgspec.json.encode, msgspec.msgpack.encode, pickle.dumps):
        with pytest.raises(TypeError) as caught:
            encode(Secret(CANARY))
        assert CANARY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("take", [copy.copy, copy.deepcopy])
def test_it_is_not_copied(take: object) -> None:
    assert callable(take)
    with pytest.raises(TypeError, match="not pickled"):
        take(Secret(CANARY))


def test_it_is_equal_to_the_same_secret_alone() -> None:
    assert Secret(CANARY) == Secret(CANARY)
    assert Secret("é\U0001f511") == Secret("é\U0001f511")
    assert Secret(CANARY) != Secret(CANARY.upper())
    assert Secret(CANARY) != CANARY
    assert Secret("") != Secret(" ")


def test_it_is_not_looked_up() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(Secret(CANARY))


def test_an_empty_one_is_false() -> None:
    assert not Secret("")
    assert Secret(" ")


def test_it_holds_nothing_but_its_text() -> None:
    with pytest.raises(TypeError):
        vars(Secret(CANARY))
