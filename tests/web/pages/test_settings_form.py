"""What a settings form stands for in the API, and what it shows of settings."""

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.web.pages.form import Form
from smarthost.web.pages.settings_form import (
    BOXES,
    PASSWORD,
    TEXTS,
    body_of,
    if_match_of,
    in_order,
    values_of_settings,
)
from smarthost.web.preconditions import revisions_that_match


def form(**fields: str) -> Form:
    return Form.of(urlencode(fields).encode())


def test_a_form_is_the_body_of_a_save() -> None:
    sent = form(
        host=" mail.example.com ",
        port="465",
        senderAddress="notify@example.com",
        enableSSL="true",
        enableAuth="true",
        credentialsUserName="notify",
        credentialsUserPassword=" secret ",
        revision="7",
    )
    assert body_of(sent) == {
        "host": "mail.example.com",
        "port": "465",
        "senderAddress": "notify@example.com",
        "senderDisplayName": "",
        "credentialsUserName": "notify",
        "credentialsUserPassword": " secret ",  # blanks may be a part of it
        "enableSSL": True,
        "enableAuth": True,
        "useNtlm": False,
    }


@pytest.mark.parametrize("sent", ["false", "", "on", "TRUE"])
def test_only_the_value_true_is_true(sent: str) -> None:
    assert body_of(form(enableSSL=sent))["enableSSL"] is False


@given(st.dictionaries(st.text(min_size=1), st.text(), max_size=20))
def test_whatever_is_sent_the_body_has_the_contracts_fields(sent: dict[str, str]) -> None:
    assert set(body_of(form(**sent))) == {*TEXTS, *BOXES, PASSWORD}


@given(st.text())
def test_a_form_never_writes_over_a_revision_that_it_does_not_name(revision: str) -> None:
    matched = revisions_that_match(if_match_of(form(revision=revision)))
    assert matched is not None
    assert all(str(number) in revision for number in matched)


def test_a_form_without_a_revision_matches_none() -> None:
    assert revisions_that_match(if_match_of(form())) == frozenset()


def test_a_form_matches_the_revision_that_it_was_drawn_with() -> None:
    assert revisions_that_match(if_match_of(form(revision="12"))) == frozenset({12})


def test_of_the_default_relay_the_form_has_the_sender_alone() -> None:
    default = {
        "host": "relay.operator.example",
        "port": 25,
        "senderAddress": "noreply@example.com",
        "enableSSL": False,
        "enableAuth": True,
        "credentialsUserName": "operator",
        "useNtlm": True,
        "isDefaultSettings": True,
    }
    assert values_of_settings(default) == {
        "host": "",
        "port": "587",
        "senderAddress": "noreply@example.com",
        "senderDisplayName": "",
        "credentialsUserName": "",
        "enableSSL": True,
        "enableAuth": True,
        "useNtlm": False,
    }


def test_faults_come_in_the_order_of_the_page_and_others_last() -> None:
    faults = {"other": ["o"], "port": ["p"], "host": ["h"]}
    assert list(in_order(faults, ("host", "port"))) == ["host", "port", "other"]
