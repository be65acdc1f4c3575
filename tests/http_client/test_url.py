import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.http_client.url import Url, read_url, redirected

PORTS = frozenset({80, 443, 8443})


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("https://example.com", "https://example.com/"),
        ("HTTPS://Example.COM:443/a?b=c#d", "https://example.com/a?b=c"),
        ("http://example.com:80/", "http://example.com/"),
        ("http://example.com:443/", "http://example.com:443/"),
        ("https://example.com:8443", "https://example.com:8443/"),
        ("https://[2001:DB8::1]:8443/x", "https://[2001:db8::1]:8443/x"),
        ("https://example.com.", "https://example.com/"),
    ],
)
def test_a_url_is_read_in_one_spelling(text: str, read: str) -> None:
    assert str(read_url(text, PORTS)) == read


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.com",
        "//example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com:443/_x",
        "https://",
        "https:///x",
        "https://user@example.com/",
        "https://user:password@example.com/",
        "https://example.com:22/",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://example.com:x/",
        "https://0x7f000001/",
        "https://127.1/",
        "https://2130706433/",
        "https://exa mple.com/",
        "https://example.com/\r\nX: y",
        "https://example.com/\t",
        "https://example.com\\@evil.example/",
        "https://[::1",
        "https://[fe80::1%25eth0]/",
        "https://bücher.example/",
        "https://example.com/" + "x" * 2048,
    ],
)
def test_what_could_be_read_in_two_ways_is_no_url(text: str) -> None:
    assert read_url(text, PORTS) is None


@pytest.mark.parametrize(
    ("location", "leads"),
    [
        ("/b", "https://example.com/b"),
        ("c", "https://example.com/a/c"),
        ("?q", "https://example.com/a/?q"),
        ("//other.example/", "https://other.example/"),
        ("https://other.example:8443/x", "https://other.example:8443/x"),
    ],
)
def test_a_redirect_leads_where_its_location_says(location: str, leads: str) -> None:
    url = read_url("https://example.com/a/", PORTS)
    assert url is not None
    assert str(redirected(url, location, PORTS)) == leads


@pytest.mark.parametrize(
    "location",
    [
        "http://example.com/",
        "http://example.com:443/",
        "ftp://example.com/",
        "https://example.com:25/",
        "https://user@example.com/",
        "/a b",
        "javascript:alert(1)",
        "//[",
    ],
)
def test_a_redirect_leads_nowhere_else(location: str) -> None:
    assert redirected(Url("https", "example.com", 443, "/"), location, PORTS) is None


def test_a_redirect_may_lead_from_clear_text_to_tls() -> None:
    url = Url("http", "example.com", 80, "/")
    found = redirected(url, "https://example.com/", PORTS)
    assert found == Url("https", "example.com", 443, "/")


@given(st.text(max_size=60) | st.from_regex(r"https?://[a-z0-9:@\[\].%/\\?#-]{0,40}"))
def test_what_was_read_reads_as_the_same_again(text: str) -> None:
    url = read_url(text, PORTS)
    if url is not None:
        assert read_url(str(url), PORTS) == url
        assert str(url).isascii()
        assert url.port in PORTS
