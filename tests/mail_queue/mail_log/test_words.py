import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.mail_queue.accepted.model import Details
from smarthost.mail_queue.mail_log.words import SearchError, Words, parse_words

DETAILS = Details(
    message_id="<0Abc@example.com>",
    from_='"Ann \\ Lee" <ann@example.com>',
    to=("jane@example.net",),
    cc=("Straße 7 <cc@example.net>",),
    bcc=("hidden@example.net",),
    reply_to=("answers@example.net",),
    subject="Your ORDER\tno. 7: Grüße",
)

texts = st.text(alphabet=st.sampled_from('aAßİé\u0301"\\\t\x01 <@ü'), max_size=8)


@pytest.mark.parametrize(
    "search",
    [
        "order", "ORDER your", "7 jane", "grüsse", "STRASSE", "hidden@EXAMPLE.net", "<0abc@",
        '"Ann', "\\ lee", "rde", "  order   order ",
    ],
)  # fmt: skip
def test_all_words_are_found_in_any_part_without_regard_to_case(search: str) -> None:
    assert parse_words(search).are_in(DETAILS)


@pytest.mark.parametrize("search", ["order nowhere", "answers", "subject", "7:grüße", "comjane"])
def test_a_word_that_is_not_there_is_not_found(search: str) -> None:
    assert not parse_words(search).are_in(DETAILS)


def test_no_words_are_in_everything() -> None:
    assert Words().are_in(Details())
    assert Words().may_be_in("{}")


@given(subject=texts, name=texts, search=texts)
def test_what_is_there_is_seen_in_the_json(subject: str, name: str, search: str) -> None:
    try:
        words = parse_words(search)
    except SearchError:
        assert not search.strip()
        return
    details = Details(subject=subject, to=(name,))
    if words.are_in(details):
        assert words.may_be_in(msgspec.json.encode(details).decode())


@pytest.mark.parametrize(
    "search", ["", " \t ", "a b c d e f g h i j k", "x" * 201, "\udcff", "a \ud800"]
)
def test_what_cannot_be_looked_for_is_refused(search: str) -> None:
    with pytest.raises(SearchError):
        parse_words(search)
