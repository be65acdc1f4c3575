import contextlib
import string
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.secret import Secret
from smarthost.smtp_settings.binding.kept import Stored
from smarthost.smtp_settings.binding.model import BINDING_NAMES, BindingInput
from smarthost.smtp_settings.binding.rules import (
    LONGEST_SCOPE,
    LONGEST_SECRET,
    Checked,
    check_binding,
)
from smarthost.smtp_settings.binding.sealing import binding_in, to_be_sealed
from smarthost.smtp_settings.binding.service_account import ServiceAccount
from smarthost.smtp_settings.binding.urls import LONGEST_URL, https_url
from smarthost.smtp_settings.model import InvalidSettingsError, SmtpSettings
from smarthost.smtp_settings.oauth2 import Grant, OAuth2, OAuth2Secrets
from smarthost.smtp_settings.rules import LONGEST_TEXT
from tests.smtp_settings.binding.bindings import (
    ACCOUNT,
    APPLICATION,
    CONSENTED,
    EMAIL,
    KNOWN,
    REFRESHED,
    TOKEN_URL,
    Known,
    typed,
)
from tests.smtp_settings.relays import RELAY, relay

KEY = Secret("-----BEGIN PRIVATE KEY-----")
OF_THE_FILE = ServiceAccount(private_key=KEY, client_email=EMAIL, token_uri=TOKEN_URL)
AT_EXAMPLE = relay(host="smtp.example.net")


@dataclass(frozen=True)
class At:
    """Something typed for a relay."""

    settings: SmtpSettings = RELAY
    account: ServiceAccount | None = None
    unread: frozenset[str] = frozenset()

    def check(self, asked: BindingInput) -> Checked:
        stored = Stored(self.settings, None)
        return check_binding(asked, self.account, stored, Known(), unread=self.unread)

    def faults(self, asked: BindingInput) -> dict[str, list[str]]:
        with pytest.raises(InvalidSettingsError) as caught:
            self.check(asked)
        return caught.value.faults


def test_every_field_has_a_name_of_the_api() -> None:
    assert set(BINDING_NAMES) == set(BindingInput.__struct_fields__)


@pytest.mark.parametrize("grant", Grant)
def test_what_is_typed_whole_is_taken_as_it_is(grant: Grant) -> None:
    asked = {
        Grant.CLIENT_CREDENTIALS: APPLICATION,
        Grant.AUTHORIZATION_CODE: CONSENTED,
        Grant.REFRESH_TOKEN: REFRESHED,
        Grant.SERVICE_ACCOUNT: ACCOUNT,
    }[grant]
    account = OF_THE_FILE if grant is Grant.SERVICE_ACCOUNT else None
    checked = At(account=account).check(asked)
    assert checked.user_name == "notify@example.com"
    assert checked.binding.oauth2 == OAuth2(
        grant=grant,
        client_id=EMAIL if account else "app-4711",
        token_url=TOKEN_URL,
        scope="smtp.send",
        authorization_url=asked.authorization_url,
    )
    assert checked.binding.secrets == OAuth2Secrets(
        client_secret=asked.client_secret,
        refresh_token=asked.refresh_token,
        private_key=KEY if account else None,
    )


@pytest.mark.parametrize(
    ("settings", "provider"), [(AT_EXAMPLE, None), (AT_EXAMPLE, "example"), (RELAY, "example")]
)
def test_end_points_come_from_the_table_by_provider_or_relay(
    settings: SmtpSettings, provider: str | None
) -> None:
    short: dict[str, Any] = {
        "token_url": None,
        "scope": None,
        "tenant": "acme.example",
        "provider": provider,
    }
    oauth2 = At(settings).check(typed(**short)).binding.oauth2
    assert oauth2.token_url == "https://login.example.net/acme.example/token"
    assert (oauth2.scope, oauth2.provider, oauth2.tenant) == (
        ".default",
        "example",
        "acme.example",
    )
    consented = typed(CONSENTED, authorization_url=None, **short)
    oauth2 = At(settings).check(consented).binding.oauth2
    assert oauth2.scope == KNOWN.scope
    assert oauth2.authorization_url == "https://login.example.net/acme.example/authorize"


def test_a_provider_that_nothing_was_taken_from_is_not_told() -> None:
    assert At(AT_EXAMPLE).check(APPLICATION).binding.oauth2.provider is None
    assert At(AT_EXAMPLE).check(typed(scope=None)).binding.oauth2.provider == "example"
    assert At().check(typed(provider="example")).binding.oauth2.provider == "example"


def test_all_faults_are_told_at_once() -> None:
    nothing = BindingInput(grant=Grant.AUTHORIZATION_CODE)
    needed = {"authorization_url", "token_url", "scope", "client_id", "user_name"}
    assert set(At().faults(nothing)) == needed
    assert set(At(unread=frozenset({"scope"})).faults(nothing)) == needed - {"scope"}
    assert set(At().faults(BindingInput(provider="?", tenant="a b"))) == {
        "grant",
        "user_name",
        "provider",
        "tenant",
    }


def test_what_was_no_value_is_not_said_to_be_missing_too() -> None:
    every = frozenset(BINDING_NAMES)
    for grant in (None, *Grant):
        assert At(unread=every).faults(BindingInput(grant=grant)) == {}


@pytest.mark.parametrize(
    ("base", "missing"),
    [
        (APPLICATION, "client_secret"),
        (REFRESHED, "refresh_token"),
        (ACCOUNT, "service_account"),
    ],
)
def test_each_grant_asks_for_its_secret(base: BindingInput, missing: str) -> None:
    asked = typed(base, client_id="app-4711", **{missing: None})
    assert set(At().faults(asked)) == {missing}
    empty = typed(asked, **{missing: Secret("")})
    assert set(At().faults(empty)) == {missing}


def test_an_application_that_people_consent_to_may_have_no_secret() -> None:
    secrets = At().check(typed(CONSENTED, client_secret=None)).binding.secrets
    assert secrets == OAuth2Secrets()


@pytest.mark.parametrize(
    ("base", "field", "value"),
    [
        (APPLICATION, "refresh_token", Secret("x")),
        (APPLICATION, "service_account", Secret("x")),
        (APPLICATION, "subject", "boss@example.com"),
        (APPLICATION, "authorization_url", "https://a.test/"),
        (CONSENTED, "refresh_token", Secret("x")),
        (REFRESHED, "subject", "boss@example.com"),
        (ACCOUNT, "client_secret", Secret("x")),
    ],
)
def test_what_a_grant_has_no_use_for_is_refused(
    base: BindingInput, field: str, value: Any
) -> None:
    account = OF_THE_FILE if base is ACCOUNT else None
    assert set(At(account=account).faults(typed(base, **{field: value}))) == {field}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("token_url", "http://login.example.net/token"),
        ("token_url", "https://me:pw@login.example.net/token"),
        ("token_url", "https://login.example.net/token#x"),
        ("token_url", "https://login.example.net/to ken"),
        ("token_url", "https://login.example.net/tok\nen"),
        ("token_url", "https:///token"),
        ("token_url", "https://[::1/token"),
        ("token_url", "https://a.test:0/"),
        ("token_url", "https://a.test:99999/"),
        ("token_url", "https://" + "a" * LONGEST_URL),
        ("token_url", "https://login.example.net/\u0430"),
        ("scope", "a  b"),
        ("scope", 'a"b'),
        ("scope", "a\tb"),
        ("scope", "a" * (LONGEST_SCOPE + 1)),
        ("client_id", "\u00fc"),
        ("client_id", "a" * (LONGEST_TEXT + 1)),
        ("client_secret", Secret("line\nend")),
        ("client_secret", Secret("a" * (LONGEST_SECRET + 1))),
        ("user_name", "a\x01b"),
        ("user_name", "a" * (LONGEST_TEXT + 1)),
        ("provider", "nobody"),
        ("tenant", "../common"),
        ("tenant", "a/b"),
        ("tenant", "."),
    ],
)
def test_a_wrong_value_is_told_by_its_field(field: str, value: Any) -> None:
    assert set(At().faults(typed(**{field: value}))) == {field}


def test_a_tenant_is_asked_for_once_where_a_url_has_a_place_for_it() -> None:
    short = typed(CONSENTED, token_url=None, authorization_url=None)
    assert len(At(AT_EXAMPLE).faults(short)["tenant"]) == 1


def test_the_relay_has_to_be_one_that_a_token_may_be_shown_to() -> None:
    unfit = relay(enable_ssl=False, use_ntlm=True)
    assert set(At(unfit).faults(APPLICATION)) == {"enable_ssl", "use_ntlm"}


def test_a_service_account_is_whose_its_file_says() -> None:
    other = typed(ACCOUNT, client_id="app-4711")
    assert set(At(account=OF_THE_FILE).faults(other)) == {"client_id"}
    moved = typed(ACCOUNT, token_url="https://evil.example.org/token")
    assert set(At(account=OF_THE_FILE).faults(moved)) == {"service_account"}
    nobodys = ServiceAccount(private_key=KEY, client_email=" ", token_uri=TOKEN_URL)
    assert set(At(account=nobodys).faults(ACCOUNT)) == {"service_account"}
    alone = ServiceAccount(private_key=KEY)
    assert set(At(account=alone).faults(ACCOUNT)) == {"client_id"}
    named = At(account=alone).check(typed(ACCOUNT, client_id=EMAIL, subject="boss@example.com"))
    assert named.binding.oauth2.client_id == EMAIL
    assert named.binding.oauth2.subject == "boss@example.com"


SECRETS = st.none() | st.text(max_size=20).map(Secret) | st.just(Secret("s3cret"))
TEXTS = st.none() | st.text(max_size=20) | st.sampled_from([TOKEN_URL, "example", "x.y", EMAIL])
CHANGES = st.fixed_dictionaries(
    {},
    optional={
        name: SECRETS if name in ("client_secret", "refresh_token") else TEXTS
        for name in BINDING_NAMES
        if name not in ("grant", "service_account")
    },
)


@given(
    st.sampled_from([APPLICATION, CONSENTED, REFRESHED, ACCOUNT, BindingInput()]),
    CHANGES,
    st.sampled_from([RELAY, AT_EXAMPLE]),
)
def test_whatever_is_typed_is_right_or_refused_by_its_fields(
    base: BindingInput, changes: dict[str, Any], settings: SmtpSettings
) -> None:
    asked = typed(base, **changes)
    account = OF_THE_FILE if base is ACCOUNT else None
    checked, faults = _judged(asked, settings, account)
    assert set(faults) <= set(BINDING_NAMES)
    assert (checked is None) == bool(faults)
    if checked is None:
        return
    oauth2 = checked.binding.oauth2
    assert https_url(oauth2.token_url) == oauth2.token_url
    assert (oauth2.authorization_url is not None) == (oauth2.grant is Grant.AUTHORIZATION_CODE)
    assert oauth2.scope.isascii()
    assert oauth2.client_id
    assert checked.user_name.isprintable()
    assert binding_in(to_be_sealed(checked.binding)) == checked.binding
    stored = Stored(
        msgspec.structs.replace(settings, user_name=checked.user_name, oauth2=oauth2),
        checked.binding,
    )
    again = typed(asked, client_secret=None, refresh_token=None)
    kept = check_binding(again, account, stored, Known())
    assert kept.binding == checked.binding, "what is stored stays for the same place"


def _judged(
    asked: BindingInput, settings: SmtpSettings, account: ServiceAccount | None
) -> tuple[Checked | None, dict[str, list[str]]]:
    try:
        return At(settings, account).check(asked), {}
    except InvalidSettingsError as error:
        return None, error.faults


@given(st.text(alphabet=string.printable, max_size=60))
def test_every_url_that_is_taken_is_https_without_a_login(text: str) -> None:
    for candidate in (text, f"https://{text}", f"https://a.test/{text}"):
        with contextlib.suppress(ValueError):
            url = https_url(candidate)
            assert url.lower().startswith("https://")
            assert "@" not in url.split("/")[2]
            assert "#" not in url
