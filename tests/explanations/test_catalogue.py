"""Every code has a rule in every situation, and every language has the words."""

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from smarthost.delivery.outcome import Code, Step
from smarthost.explanations import words as words_module
from smarthost.explanations.catalogue import CATALOGUE, rule_of
from smarthost.explanations.failure import Facts, Recommended, RelayShown
from smarthost.explanations.patterns import Pattern, Patterns
from smarthost.explanations.rule import Choice
from smarthost.explanations.rules import (
    encryption,
    login,
    message,
    own_side,
    the_way,
    warnings,
)
from smarthost.explanations.words import Text, Words
from smarthost.web.api.smtp_settings_dto import SmtpSettingsRequestDto

FILES = Path(words_module.__file__).with_name("words")
LANGUAGES = {folder.name: Words.of(folder.name) for folder in FILES.iterdir()}
ENGLISH = LANGUAGES["en"]
RULES = [rule for rules in CATALOGUE.values() for rule in rules]
FIELDS = {
    "host",
    "port",
    "senderAddress",
    "senderDisplayName",
    "credentialsUserName",
    "credentialsUserPassword",
    "enableSSL",
    "enableAuth",
    "useNtlm",
}
PLACES = {"server", "Server", "port", "during"}
RECOMMENDED = Recommended(provider="Example Mail", port=587)
# What the contract fixes word by word has no room for a reason.
WITHOUT_A_REASON = {"settings_changed"}
SENTENCES = 5


def situations() -> list[Facts]:
    relays = [
        RelayShown(
            host="mail.example.org",
            port=port,
            enable_ssl=ssl,
            enable_auth=auth,
            use_ntlm=ntlm,
            oauth2=oauth2,
        )
        for port, ssl, auth, ntlm, oauth2 in itertools.product(
            (25, 465), (False, True), (False, True), (False, True), (False, True)
        )
    ]
    return [
        Facts(step=step, code=code, relay=relay, tls=tls, recommended=recommended)
        for step, code, relay, tls, recommended in itertools.product(
            Step, Code, [None, *relays], (None, "TLSv1.3"), (None, RECOMMENDED)
        )
    ]


def chosen() -> Iterator[tuple[Choice, str, Text]]:
    """Return everything that can be chosen with its words in each language."""
    for language, words in LANGUAGES.items():
        for rule in RULES:
            yield rule, language, words.codes[rule.id]
        for pattern in Patterns.load().all:
            yield pattern, language, words.patterns[pattern.id]


def places(text: str) -> list[str]:
    return sorted(re.findall(r"{(\w*)}", text))


def test_every_code_has_a_rule() -> None:
    assert set(CATALOGUE) == set(Code)


def test_no_code_has_its_rules_in_two_places() -> None:
    parts = (the_way, encryption, login, message, own_side, warnings)

    assert sum(len(part.RULES) for part in parts) == len(CATALOGUE)


def test_every_situation_has_a_rule_and_every_rule_a_situation() -> None:
    used = {id(rule_of(facts)) for facts in situations()}

    assert used == set(map(id, RULES))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_has_the_words_for_every_id_and_for_no_other(language: str) -> None:
    words = LANGUAGES[language]

    assert list(words.codes) == [rule.id for rule in RULES]
    assert list(words.patterns) == [pattern.id for pattern in Patterns.load().all]
    assert list(words.during) == list(Step)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_leaves_the_same_places_to_fill_as_english(language: str) -> None:
    words = LANGUAGES[language]

    for name, sentence in msgspec.structs.asdict(words.sentences).items():
        assert places(sentence) == places(getattr(ENGLISH.sentences, name)), name
    for ours, theirs in ((ENGLISH.codes, words.codes), (ENGLISH.patterns, words.patterns)):
        for id_, text in ours.items():
            assert places(theirs[id_].fix) == places(text.fix), id_


@pytest.mark.parametrize(
    ("choice", "text"), [pytest.param(one, text, id=one.id) for one, _, text in chosen()]
)
def test_a_text_says_what_why_and_what_to_do(choice: Choice, text: Text) -> None:
    assert text.title
    assert text.fix
    assert text.why or choice.id in WITHOUT_A_REASON
    assert not text.title.endswith(".")
    assert len(re.findall(r"[.?!](?= |$)", f"{text.title}. {text.why} {text.fix}")) <= SENTENCES
    for sentence in filter(None, (text.why, text.fix)):
        assert sentence.endswith(".")
        assert "  " not in sentence


@pytest.mark.parametrize(
    ("choice", "text"), [pytest.param(one, text, id=one.id) for one, _, text in chosen()]
)
def test_a_text_names_each_of_its_fields_in_the_fix_and_no_other(
    choice: Choice, text: Text
) -> None:
    named = set(re.findall(r"\((\w+)\)", text.fix)) & FIELDS

    assert named == set(choice.fields)
    assert not set(re.findall(r"\((\w+)\)", text.title + text.why)) & FIELDS


@pytest.mark.parametrize(
    ("choice", "text"), [pytest.param(one, text, id=one.id) for one, _, text in chosen()]
)
def test_a_text_has_only_places_that_are_filled(choice: Choice, text: Text) -> None:
    # Whose relay it is, is known where the pattern is that provider's alone.
    known = {"provider"} if isinstance(choice, Pattern) and choice.providers else set()
    if choice.id == "provider_recommends_other.which":
        known = {"provider", "recommended"}

    assert set(places(text.title + text.why + text.fix)) <= PLACES | known
    # Title and reason are also shown where the relay is hidden.
    assert "{port}" not in text.title + text.why
    assert "{port}" not in text.fix or not choice.for_everybody


def test_the_fields_are_those_of_the_body_that_saves_settings() -> None:
    names = set(SmtpSettingsRequestDto.__struct_encode_fields__)

    assert names >= FIELDS
