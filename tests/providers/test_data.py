"""Every row of `providers.json` is one that a program can use and a person can read."""

import re
from collections import Counter
from collections.abc import Iterator
from importlib import resources
from urllib.parse import urlsplit

import msgspec
import pytest

from smarthost.delivery.relay import IMPLICIT_TLS_PORTS
from smarthost.mail.domain import to_a_labels
from smarthost.mail.host import parse_host
from smarthost.providers import Kind, Limits, Login, Provider, Providers
from smarthost.smtp.egress import PUBLIC_PORTS

KNOWN = Providers.load().all
PLACEHOLDER = re.compile(r"<[a-z-]+>")
NUMBERS = (
    "connections",
    "messages_a_minute",
    "messages_a_day",
    "recipients_a_day",
    "recipients_a_message",
    "message_octets",
)
every_provider = pytest.mark.parametrize("one", KNOWN, ids=[one.id for one in KNOWN])


def filled_in(host: str, word: str = "eu-west-1") -> str:
    return PLACEHOLDER.sub(word, host)


def numbers(limits: Limits) -> dict[str, int]:
    given = {name: getattr(limits, name) for name in NUMBERS}
    return {name: number for name, number in given.items() if number is not None}


def texts(one: Provider) -> Iterator[str]:
    yield from filter(None, (one.first, one.notes, one.limits.notes))


def urls(one: Provider) -> Iterator[str]:
    yield one.source
    if one.limits.source:
        yield one.limits.source
    if one.oauth2:
        yield from (one.oauth2.authorization_url, one.oauth2.token_url)


def test_a_field_that_nobody_knows_is_refused() -> None:
    rows = msgspec.json.decode(
        (resources.files("smarthost.providers") / "providers.json").read_bytes()
    )
    for wrong in ({"hots": ["a.example"]}, {"limits": {"messages": 3}}, {"ports": ["587"]}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({**rows[0], **wrong}, Provider)


def test_ids_are_unique_and_in_order() -> None:
    ids = [one.id for one in KNOWN]
    assert ids == sorted(set(ids))
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", id_) for id_ in ids)


def test_names_are_unique() -> None:
    names = [one.name for one in KNOWN]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("field", ["hosts", "domains", "mx"])
def test_what_leads_to_a_provider_leads_to_one(field: str) -> None:
    every = Counter(name for one in KNOWN for name in getattr(one, field))
    assert [name for name, count in every.items() if count > 1] == []


@every_provider
def test_every_host_is_its_own_provider_s_and_nobody_else_s(one: Provider) -> None:
    assert one.hosts
    others = Providers(other for other in KNOWN if other.id != one.id)
    for host in one.hosts:
        for word in ("a", "7", "eu-west-1", "example-com"):
            name = filled_in(host, word)
            assert Providers([one]).of_host(name) == one
            assert others.of_host(name) is None


@every_provider
def test_every_host_is_one_that_the_settings_take(one: Provider) -> None:
    for host in one.hosts:
        name = filled_in(host)
        assert parse_host(name) == name
        assert "." in name
        # One placeholder a label: so looking for a host stays linear.
        assert all(label.count("<") <= 1 for label in host.split("."))


@every_provider
def test_every_port_is_of_mail_and_may_be_reached(one: Provider) -> None:
    assert one.ports
    assert len(set(one.ports)) == len(one.ports)
    assert set(one.ports) <= PUBLIC_PORTS
    # Nobody begins with port 25, which many networks block, where there is another.
    assert one.ports[0] != 25 or one.ports == (25,)
    assert {465, 2465} == IMPLICIT_TLS_PORTS


@every_provider
def test_a_user_name_is_there_exactly_if_there_is_a_login(one: Provider) -> None:
    assert (one.user_name is None) == (one.login is Login.NONE)
    if one.user_name and "<" in one.user_name:
        assert re.fullmatch(r"<[A-Za-z][A-Za-z ,-]+>", one.user_name)
    elif one.user_name:
        assert re.fullmatch(r"\w+", one.user_name)


@every_provider
def test_domains_are_names_in_order_without_what_is_below_them(one: Provider) -> None:
    for names in (one.domains, one.mx):
        assert list(names) == sorted(set(names))
        for name in names:
            assert to_a_labels(name) == name
            assert "." in name
            assert not any(name.endswith("." + other) for other in names)


@every_provider
def test_what_must_be_done_is_said_where_the_account_s_password_is_refused(one: Provider) -> None:
    if one.login is not Login.PASSWORD:
        assert one.first


@every_provider
def test_texts_are_sentences_in_plain_words(one: Provider) -> None:
    for text in texts(one):
        assert text == " ".join(text.split())
        assert text.endswith(".")
        assert len(text) <= 400
        words = re.sub(r"https://\S+", "", text)
        assert re.fullmatch(r"[A-Za-z0-9 .,:;()&'-]+", words)
        # What a relay answers is explained elsewhere.
        assert not re.search(r"\b[245]\.\d\.\d+\b|\b[45]\d\d \d\.\d", words)
        filler = r"\b(simply|just|please|easily|e\.g|i\.e|etc)\b"
        assert not re.search(filler, words, re.IGNORECASE)


@every_provider
def test_the_name_is_printable_and_short(one: Provider) -> None:
    assert one.name.isprintable()
    assert len(one.name) <= 60
    assert "|" not in one.name


@every_provider
def test_urls_are_https_and_have_no_login_in_them(one: Provider) -> None:
    for url in urls(one):
        parts = urlsplit(url)
        assert (parts.scheme, parts.query, parts.fragment) == ("https", "", "")
        assert parts.netloc == parts.hostname
        assert PLACEHOLDER.findall(url) in ([], ["<tenant>"])
        assert "<" not in parts.netloc


@every_provider
def test_both_ends_of_oauth2_are_of_one_organisation(one: Provider) -> None:
    if one.oauth2 is None:
        assert one.login is not Login.OAUTH2
        return
    ends = (one.oauth2.authorization_url, one.oauth2.token_url)
    domains = {
        ".".join(host.split(".")[-2:]) for host in (urlsplit(end).hostname or "" for end in ends)
    }
    assert len(domains) == 1 or domains == {"google.com", "googleapis.com"}
    assert one.oauth2.scope.split()


@every_provider
def test_a_number_has_its_source(one: Provider) -> None:
    limits = one.limits
    found = numbers(limits)
    assert all(number > 0 for number in found.values())
    assert bool(found) == bool(limits.source) == bool(limits.checked)
    assert (limits.message_octets or 10**6) >= 10**6


def test_what_senders_keep_to_is_known_for_microsoft_365() -> None:
    known = Providers.load().of_host("smtp.office365.com")
    assert known
    assert (known.limits.connections, known.limits.messages_a_minute) == (3, 30)


def test_a_service_that_delivers_nothing_says_so() -> None:
    for one in KNOWN:
        assert (one.kind is Kind.TESTING) == (one.notes or "").startswith("Nothing is delivered")
