import pytest

from smarthost.relay_check.suggestions.model import (
    NOBODY_KNOWS,
    Confidence,
    Found,
    Source,
    suggestion,
)


def user_name(template: str | None, local_part: str | None = "anna", login: bool = True) -> object:
    found = Found(
        host="mail.example.com",
        port=587,
        enable_ssl=True,
        enable_auth=login,
        user_name=template,
        source=Source.DNS_SRV,
        confidence=Confidence.HIGH,
    )
    return suggestion(found, "example.com", local_part).user_name


@pytest.mark.parametrize(
    ("template", "name"),
    [
        (None, "anna@example.com"),
        ("%EMAILADDRESS%", "anna@example.com"),
        ("%EMAILLOCALPART%", "anna"),
        ("%EMAILLOCALPART%.%EMAILDOMAIN%", "anna.example.com"),
        ("EXAMPLE\\%EMAILLOCALPART%", "EXAMPLE\\anna"),
        ("apikey", "apikey"),
        ("%EMAILWHATEVER%", "%EMAILWHATEVER%"),
        (NOBODY_KNOWS, None),
        ("%EMAILADDRESS%" * 20, None),
    ],
)
def test_the_user_name_is_made_of_the_address(template: str | None, name: str | None) -> None:
    assert user_name(template) == name


def test_what_is_filled_in_is_not_read_as_a_template() -> None:
    assert user_name("%EMAILLOCALPART%", "%EMAILDOMAIN%") == "%EMAILDOMAIN%"


def test_of_a_domain_alone_no_name_is_made_up() -> None:
    assert user_name(None, None) is None
    assert user_name("%EMAILLOCALPART%", None) is None
    assert user_name("%EMAILDOMAIN%", None) == "example.com"
    assert user_name("apikey", None) == "apikey"


def test_without_a_login_there_is_no_user_name() -> None:
    assert user_name("%EMAILADDRESS%", login=False) is None
