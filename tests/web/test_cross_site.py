import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.web.cross_site import check_same_origin
from smarthost.web.errors import RequestError
from smarthost.web.proxies import Client, Scheme

ORIGINS = st.builds(
    "{}://{}{}".format,
    st.sampled_from(["http", "https", "HTTP", "ftp", "null", ""]),
    st.sampled_from(["a.example", "A.example", "b.example", "a.example.b", "[::1]", "[::2]"]),
    st.sampled_from(["", ":80", ":443", ":8080", ":"]),
)


def allowed(
    client: Client, site: str | None = None, origin: str | None = None, referer: str | None = None
) -> bool:
    try:
        check_same_origin(fetch_site=site, origin=origin, referer=referer, client=client)
    except RequestError:
        return False
    return True


def client(scheme: Scheme, host: str) -> Client:
    return Client(address="192.0.2.1", scheme=scheme, host=host)


@pytest.mark.parametrize(
    ("scheme", "host", "origin"),
    [
        ("http", "a.example", "http://a.example:80"),
        ("http", "a.example:80", "http://a.example"),
        ("https", "a.example", "https://a.example:443"),
        ("https", "a.example:443", "https://A.example"),
        ("http", "[::1]:80", "http://[::1]"),
        ("http", "a.example:443", "http://a.example:443"),
    ],
)
def test_default_ports_do_not_matter(scheme: Scheme, host: str, origin: str) -> None:
    assert allowed(client(scheme, host), origin=origin)
    assert allowed(client(scheme, host), referer=f"{origin}/page?a#b")


@pytest.mark.parametrize(
    ("scheme", "host", "origin"),
    [
        ("http", "a.example", "http://a.example:443"),
        ("https", "a.example", "https://a.example:80"),
        ("https", "a.example", "http://a.example"),
        ("http", "a.example:8080", "http://a.example"),
        ("http", "", "http://"),
    ],
)
def test_another_scheme_or_port_is_another_origin(scheme: Scheme, host: str, origin: str) -> None:
    assert allowed(client(scheme, host), origin=origin) == (not host)


@given(ORIGINS, st.sampled_from(["http", "https"]))
def test_only_the_own_origin_is_allowed(origin: str, scheme: Scheme) -> None:
    port = ":80" if scheme == "http" else ":443"
    own = {f"{scheme}://a.example", f"{scheme}://a.example{port}"}

    assert allowed(client(scheme, "a.example"), origin=origin) == (origin.lower() in own)


def test_a_refusal_tells_of_a_proxy_that_is_not_believed() -> None:
    for disbelieved in (False, True):
        behind = Client(
            address="192.0.2.1", scheme="http", host="a.example", disbelieved=disbelieved
        )
        with pytest.raises(RequestError) as refused:
            check_same_origin(
                fetch_site="same-origin", origin="https://a.example", referer=None, client=behind
            )
        assert ("SMARTHOST_TRUSTED_NETWORKS" in str(refused.value)) == disbelieved


@pytest.mark.parametrize("site", ["cross-site", "Same-Site "])
def test_no_proxy_is_blamed_for_what_the_browser_itself_calls_foreign(site: str) -> None:
    behind = Client(address="192.0.2.1", scheme="http", host="a.example", disbelieved=True)
    with pytest.raises(RequestError) as refused:
        check_same_origin(fetch_site=site, origin="https://a.example", referer=None, client=behind)
    assert "SMARTHOST_TRUSTED_NETWORKS" not in str(refused.value)


@given(st.text(), st.text(), st.text())
def test_any_text_is_judged(site: str, origin: str, referer: str) -> None:
    verdict = allowed(client("http", "a.example"), site, origin, referer)

    if verdict:
        assert not origin or "a.example" in origin.lower()
