"""Every pattern explains what it was written for, and changes nothing but words."""

import json
import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.delivery.classify import Situation, classify
from smarthost.delivery.outcome import Code, Step
from smarthost.explanations.catalogue import rule_of
from smarthost.explanations.explain import explain
from smarthost.explanations.failure import Facts, RelayShown, Who
from smarthost.explanations.patterns import Pattern, Patterns
from smarthost.explanations.words import Words
from smarthost.providers import Provider, Providers
from smarthost.smtp.replies import ReplyReader
from smarthost.smtp.reply import TEXT_LIMIT

ALL = Patterns.load().all
TAKEN_IN = json.loads(Path(__file__).with_name("taken_in.json").read_text(encoding="utf-8"))
TLS = "TLSv1.3"
PHRASES = [phrase for pattern in ALL for phrase in pattern.says]
TABLES_FOR_PROGRAMS = "https://github.com/"

every_pattern = pytest.mark.parametrize("pattern", [pytest.param(one, id=one.id) for one in ALL])


def facts_of(pattern: Pattern) -> Facts:
    """Return the facts of its example, as an attempt would record them."""
    example = pattern.example
    relay = RelayShown(
        host=example.host, port=example.port, enable_ssl=True, enable_auth=example.login
    )
    if example.reply is None:
        return Facts(step=example.step, code=pattern.codes[0], relay=relay, tls=TLS)
    (reply,) = ReplyReader().feed(example.reply.encode() + b"\r\n")
    behind_login = list(Step).index(example.step) > list(Step).index(Step.AUTHENTICATE)
    situation = Situation(
        tls=True,
        logged_in=example.login and behind_login,
        helo_name="app.example.org",
        sender="noreply@example.com",
        recipient="someone@example.net",
    )
    verdict = classify(example.step, reply, situation)
    return Facts(
        step=example.step,
        code=verdict.code,
        permanent=verdict.permanent,
        reply=reply.text,
        relay=relay,
        tls=TLS,
    )


def provider_of(facts: Facts) -> Provider | None:
    return None if facts.relay is None else Providers.load().of_host(facts.relay.host)


def found(facts: Facts) -> Pattern | None:
    provider = provider_of(facts)
    return Patterns.load().of(facts, None if provider is None else provider.id)


def at(host: str, code: Code = Code.LOGIN_REFUSED, reply: str | None = None) -> Facts:
    relay = RelayShown(host=host, port=587, enable_ssl=True, enable_auth=True)
    return Facts(step=Step.AUTHENTICATE, code=code, permanent=True, reply=reply, relay=relay)


@every_pattern
def test_a_pattern_explains_its_example_and_none_before_it_does(pattern: Pattern) -> None:
    assert found(facts_of(pattern)) is pattern


@every_pattern
def test_a_pattern_changes_words_and_no_facts(pattern: Pattern) -> None:
    facts = facts_of(pattern)

    failure = explain(facts)

    assert failure.code in pattern.codes
    assert (failure.step, failure.code, failure.permanent, failure.reply) == (
        facts.step,
        facts.code,
        facts.permanent,
        facts.reply,
    )
    assert (failure.who, failure.fields) == (pattern.who, pattern.fields)
    assert "{" not in failure.text


@every_pattern
def test_a_hidden_relay_stays_hidden_whatever_it_replies(pattern: Pattern) -> None:
    facts = facts_of(pattern)
    hidden = Facts(step=facts.step, code=facts.code, reply=facts.reply, tls=facts.tls)

    failure = explain(hidden)

    names = {one.name.split()[0] for one in Providers.load().all}
    said = set(re.findall(r"[\w.&+-]+", failure.text))
    assert failure.link is None
    assert failure.reply is None
    assert not (names | {"Google", "Exchange", "587", "smtp.gmail.com"}) & said
    if not pattern.for_everybody:
        assert failure.title == explain(hidden_without_reply(hidden)).title
        assert failure.who is Who.OPERATOR or rule_of(hidden).for_everybody


def hidden_without_reply(hidden: Facts) -> Facts:
    return Facts(step=hidden.step, code=hidden.code, tls=hidden.tls)


@every_pattern
def test_a_pattern_is_written_as_it_has_to_be(pattern: Pattern) -> None:
    ids = {one.id for one in Providers.load().all}

    assert pattern.codes
    assert pattern.source
    assert pattern.providers <= ids
    assert pattern.link is None or pattern.link.startswith("https://")
    assert (
        pattern.says
        or pattern.enhanced
        or pattern.reply_codes
        or pattern.providers | {str(port) for port in pattern.ports}
    )
    for phrase in pattern.says:
        assert phrase == phrase.lower()
        assert max(map(len, phrase.split("*"))) >= 4
    if pattern.for_everybody:  # it is read where nobody may know which provider it is
        assert not pattern.providers
        assert pattern.link is None
        assert pattern.fields == ()


def test_patterns_and_rules_have_ids_of_their_own() -> None:
    ids = [one.id for one in ALL]

    assert len(set(ids)) == len(ids)
    assert not set(ids) & Words.load().codes.keys()


def test_what_is_known_of_failures_was_taken_in_or_left_out_for_a_reason() -> None:
    patterns, codes = {one.id for one in ALL}, set(Code)

    assert len(TAKEN_IN) == 184
    for id_, became in TAKEN_IN.items():
        kind, _, what = became.partition(": ")
        if kind == "pattern":
            assert what in patterns, id_
        elif kind == "code":
            assert set(what.split(", ")) <= codes, id_
        else:
            assert kind in {"provider", "dropped"}, id_
            assert what, id_


@pytest.mark.parametrize("provider", [one for one in Providers.load().all if one.first])
def test_a_known_provider_says_what_it_wants_first(provider: Provider) -> None:
    host = provider.hosts[0].replace("<", "").replace(">", "").replace(" ", "")
    facts = at(host, reply="535 No")
    if found(facts) is not None:
        return  # a pattern for this provider alone says it closer

    failure = explain(facts)

    assert f"{provider.name} asks for this first: {provider.first}" in failure.fix
    readable = not provider.source.startswith(TABLES_FOR_PROGRAMS)
    assert failure.link == (provider.source if readable else None)


def test_an_unknown_provider_asks_for_nothing() -> None:
    failure = explain(at("mail.example.org", reply="535 No"))

    assert "first" not in failure.fix
    assert failure.link is None


def test_a_mailbox_is_not_told_how_to_log_in_when_the_sender_was_refused() -> None:
    mailbox = explain(at("smtp.gmail.com", Code.SENDER_REFUSED))
    service = explain(at("smtp.resend.com", Code.SENDER_REFUSED))

    assert "first" not in mailbox.fix
    assert "Verify the sender's domain" in service.fix
    assert service.link == "https://resend.com/docs/send-with-smtp"


def test_a_phrase_in_a_name_that_is_held_to_whole_words_is_none() -> None:
    reply = "554 5.7.1 <postspam@example.net>: No"

    assert found(at("mail.example.org", Code.MESSAGE_REFUSED, reply)) is None


def test_who_has_logged_in_is_not_told_to_turn_the_login_on() -> None:
    shown = RelayShown(host="mail.example.org", port=587, enable_ssl=True, enable_auth=True)
    reply = "530 5.7.0 Authentication required"

    failure = explain(Facts(step=Step.SENDER, code=Code.LOGIN_REQUIRED, reply=reply, relay=shown))

    assert failure.title == "mail.example.org asks for a login although there was one"


def test_a_name_that_ehlo_gave_is_not_taken_for_the_machine() -> None:
    reply = "550 5.7.1 <app.example.org>: Helo command rejected: Host not found"

    assert found(at("mail.example.org", Code.HELO_REFUSED, reply)) is None


@pytest.mark.parametrize("phrase", [one for one in PHRASES if re.fullmatch(r"[a-z0-9.-]+", one)])
@pytest.mark.parametrize("address", ["<{}@example.net>", "a@{}.example", "<a@{}.example>:"])
def test_an_address_that_has_a_phrase_in_it_says_nothing(phrase: str, address: str) -> None:
    def title(name: str) -> str:
        reply = f"550 5.1.1 {address.format(name)} User unknown"
        code = Code.RECIPIENT_REFUSED
        relay = RelayShown(host="mail.example.org", port=587, enable_ssl=True, enable_auth=True)
        return explain(Facts(step=Step.RECIPIENT, code=code, reply=reply, relay=relay)).title

    assert title(phrase) == title("anna")


def test_parts_of_a_phrase_come_one_behind_the_other() -> None:
    pattern = next(one for one in ALL if one.id == "ses_not_allowed")
    right = "554 is not authorized to perform `ses:SendRawEmail`"
    wrong = "554 ses: who is not authorized to perform?"

    assert found(at("mail.example.org", Code.MESSAGE_REFUSED, right)) is pattern
    assert found(at("mail.example.org", Code.MESSAGE_REFUSED, wrong)) is not pattern


hostile = st.one_of(
    st.text(max_size=TEXT_LIMIT),
    st.lists(st.sampled_from(PHRASES)).map(
        lambda some: f"550 5.7.1 {' '.join(some)}"[:TEXT_LIMIT]
    ),
    st.from_regex(r"[2-5]\d\d [245]\.\d{1,3}\.\d{1,3} .{0,100}", fullmatch=True),
)


@given(
    step=st.sampled_from(Step),
    code=st.sampled_from(Code),
    reply=st.none() | hostile,
    relay=st.none()
    | st.builds(
        RelayShown,
        host=st.sampled_from(["mail.example.org", "smtp.gmail.com", "smtp.office365.com"]),
        port=st.sampled_from([25, 465, 587]),
        enable_ssl=st.booleans(),
        enable_auth=st.booleans(),
    ),
)
def test_whatever_a_relay_replies_is_explained_and_the_facts_stay(
    step: Step, code: Code, reply: str | None, relay: RelayShown | None
) -> None:
    facts = Facts(step=step, code=code, reply=reply, relay=relay)

    failure = explain(facts)

    assert (failure.step, failure.code, failure.permanent) == (step, code, False)
    assert failure.title
    assert failure.reply == (None if relay is None else reply)


def test_the_longest_reply_made_of_phrases_is_explained_at_once() -> None:
    # What the search for phrases finds hardest: as many of them as there is room for.
    worst = f"550 5.7.1 {' '.join(sorted(PHRASES, key=len))}"[:TEXT_LIMIT]
    facts = at("mail.example.org", Code.RECIPIENT_REFUSED, worst)
    explain(facts)

    started = time.perf_counter()
    for _ in range(100):
        explain(facts)

    # Microseconds each on any machine; the bound leaves room for one that is busy.
    assert time.perf_counter() - started < 0.5
