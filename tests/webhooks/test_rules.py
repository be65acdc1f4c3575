import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.smtp.egress import Policy
from smarthost.webhooks.model import InvalidUrlError
from smarthost.webhooks.rules import LONGEST_URL, PUBLIC_PORTS, checked_url

ANY = Policy("any", PUBLIC_PORTS)
PUBLIC = Policy("public", PUBLIC_PORTS)
LAN = Policy((ipaddress.ip_network("10.1.0.0/16"),), PUBLIC_PORTS)


def refused(text: str, policy: Policy = ANY) -> str:
    with pytest.raises(InvalidUrlError) as caught:
        checked_url(text, policy)
    return str(caught.value)


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("https://app.example.com/hook", "https://app.example.com/hook"),
        (" HTTPS://App.Example.com ", "https://app.example.com/"),
        ("https://app.example.com:443/a?b=c&d", "https://app.example.com/a?b=c&d"),
        ("https://app.example.com:8443", "https://app.example.com:8443/"),
        ("https://app.example.com?x=%20", "https://app.example.com/?x=%20"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://[2001:DB8::1]:444/", "https://[2001:db8::1]:444/"),
        ("http://localhost:3000/hook", "http://localhost:3000/hook"),
        ("http://10.1.2.3:80/", "http://10.1.2.3/"),
    ],
)
def test_a_url_is_stored_in_one_form(typed: str, stored: str) -> None:
    assert checked_url(typed, ANY) == stored
    assert checked_url(stored, ANY) == stored


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("", "is needed"),
        ("   ", "is needed"),
        ("app.example.com/hook", "begin with https://"),
        ("ftp://app.example.com/", "begin with https://"),
        ("javascript:alert(1)", "begin with https://"),
        ("https:///hook", "no host name"),
        ("https://", "no host name"),
        ("https://ann:secret@app.example.com/", "user name and password"),
        ("https://app.example.com\\@evil.example/", "user name and password"),
        ("https://app.example.com/#part", "from # on"),
        ("https://app.example.com/a b", "blank"),
        ("https://app.exa\tmple.com/", "invisible"),
        ("https://app.example.com/\r\nHost: evil", "blank"),
        ("https://app.example.com/grüße", "Percent-encode"),
        ("https://app.example.com/<x>", "Percent-encode"),
        ("https://app.example.com:0/", "port"),
        ("https://app.example.com:65536/", "port"),
        ("https://app.example.com:x/", "port"),
        ("https://0x7f000001/", "host name"),
        ("https://2130706433/", "host name"),
        ("https://[::ffff:127.0.0.1]/", "host name"),
        ("https://[fe80::1%25eth0]/", "host name"),
        ("https://[::1/", "no valid URL"),
        ("https://a..b/", "host name"),
        ("https://app.example.com/" + "a" * LONGEST_URL, f"at most {LONGEST_URL}"),
        ("http://192.0.43.8/", "begin with https://"),
    ],
)
def test_what_is_no_receivers_url_is_refused_in_plain_words(typed: str, told: str) -> None:
    assert told in refused(typed)


def test_a_password_in_a_url_is_not_repeated() -> None:
    assert "secret" not in refused("https://ann:secret@app.example.com/")


@pytest.mark.parametrize(
    ("typed", "policy"),
    [
        ("https://127.0.0.1/", PUBLIC),
        ("https://[::1]/", PUBLIC),
        ("https://169.254.169.254/", PUBLIC),
        ("https://[64:ff9b::a00:1]/", PUBLIC),
        ("https://192.0.43.8:25/", PUBLIC),
        ("https://10.2.0.1/", LAN),
        ("https://192.0.43.8/", LAN),
    ],
)
def test_an_address_that_the_operator_does_not_allow_is_refused_at_once(
    typed: str, policy: Policy
) -> None:
    assert "operator does not allow" in refused(typed, policy)


def test_clear_text_stays_in_ones_own_network() -> None:
    assert "https://" in refused("http://app.example.com/", PUBLIC)
    assert checked_url("http://10.1.0.9:8080/", LAN) == "http://10.1.0.9:8080/"


@given(st.text(max_size=60))
def test_any_text_is_stored_or_refused(text: str) -> None:
    for typed in (text, f"https://{text}", f"https://app.example.com/{text}"):
        try:
            url = checked_url(typed, PUBLIC)
        except InvalidUrlError:
            continue
        assert url.isascii()
        assert url.isprintable()
        assert url.startswith("https://")
        assert checked_url(url, PUBLIC) == url
