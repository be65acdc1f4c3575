"""Every code has words, in every situation that changes them."""

import itertools
import re

import pytest

from smarthost.delivery.outcome import Code, Step
from smarthost.explanations.catalogue import CATALOGUE
from smarthost.explanations.failure import Facts, Recommended, RelayShown
from smarthost.explanations.text import DURING, Text
from smarthost.explanations.texts import (
    encryption,
    login,
    message,
    own_side,
    the_way,
    warnings,
)
from smarthost.web.api.smtp_settings_dto import SmtpSettingsRequestDto

TEXTS = [(code, text) for code, texts in CATALOGUE.items() for text in texts]
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
PLACEHOLDERS = {"server", "Server", "port", "during", "provider", "recommended"}
RECOMMENDED = Recommended(provider="Example Mail", port=587)
# What the contract fixes word by word has no room for a reason.
WITHOUT_A_REASON = {Code.SETTINGS_CHANGED}


def situations() -> list[Facts]:
    relays = [
        RelayShown(
            host="mail.example.org", port=port, enable_ssl=ssl, enable_auth=auth, use_ntlm=ntlm
        )
        for port, ssl, auth, ntlm in itertools.product(
            (25, 465), (False, True), (False, True), (False, True)
        )
    ]
    return [
        Facts(step=step, code=code, relay=relay, tls=tls, recommended=recommended)
        for step, code, relay, tls, recommended in itertools.product(
            Step, Code, [None, *relays], (None, "TLSv1.3"), (None, RECOMMENDED)
        )
    ]


def test_every_code_has_a_text() -> None:
    assert set(CATALOGUE) == set(Code)


def test_no_code_has_its_texts_in_two_places() -> None:
    parts = (the_way, encryption, login, message, own_side, warnings)

    assert sum(len(part.TEXTS) for part in parts) == len(CATALOGUE)


def test_every_step_has_words_for_when_it_was() -> None:
    assert set(DURING) == set(Step)


def test_every_situation_has_a_text_and_every_text_a_situation() -> None:
    used = {
        id(next(text for text in CATALOGUE[facts.code] if text.fits(facts)))
        for facts in situations()
    }

    assert used == {id(text) for _, text in TEXTS}


@pytest.mark.parametrize(("code", "text"), TEXTS)
def test_a_text_says_what_why_and_what_to_do(code: Code, text: Text) -> None:
    assert text.title
    assert text.fix
    assert text.why or code in WITHOUT_A_REASON
    assert not text.title.endswith(".")
    for sentence in filter(None, (text.why, text.fix)):
        assert sentence.endswith(".")
        assert "  " not in sentence


@pytest.mark.parametrize(("code", "text"), TEXTS)
def test_a_text_names_each_of_its_fields_in_the_fix_and_no_other(code: Code, text: Text) -> None:
    named = set(re.findall(r"\((\w+)\)", text.fix)) & FIELDS

    assert named == set(text.fields)
    assert not set(re.findall(r"\((\w+)\)", text.title + text.why)) & FIELDS


@pytest.mark.parametrize(("code", "text"), TEXTS)
def test_a_text_has_only_known_places_to_fill(code: Code, text: Text) -> None:
    everything = text.title + text.why + text.fix

    assert set(re.findall(r"{(\w*)}", everything)) <= PLACEHOLDERS
    # Title and reason are also shown where the relay is hidden.
    assert "{port}" not in text.title + text.why
    assert "{port}" not in text.fix or not text.for_everybody


def test_the_fields_are_those_of_the_body_that_saves_settings() -> None:
    names = set(SmtpSettingsRequestDto.__struct_encode_fields__)

    assert names >= FIELDS
