import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.mail.host import parse_host
from smarthost.relay_check.suggestions.autoconfig_reader import (
    DEEPEST,
    MOST_SERVERS,
    NoConfigError,
    read_autoconfig,
)
from smarthost.relay_check.suggestions.model import Confidence, Found, Source

DOMAIN = "example.com"
WHOLE = """\
<?xml version="1.0" encoding="UTF-8"?>
<clientConfig version="1.1">
  <emailProvider id="example.com">
    <domain>example.com</domain>
    <displayName>Example &amp; Sons</displayName>
    <incomingServer type="imap">
      <hostname>imap.example.com</hostname>
      <port>993</port>
      <socketType>SSL</socketType>
      <username>%EMAILADDRESS%</username>
      <authentication>password-cleartext</authentication>
    </incomingServer>
    <outgoingServer type="smtp">
      <hostname> smtp.%EMAILDOMAIN% </hostname>
      <port>465</port>
      <socketType>SSL</socketType>
      <username>%EMAILLOCALPART%</username>
      <authentication>OAuth2</authentication>
      <authentication>password-cleartext</authentication>
    </outgoingServer>
    <outgoingServer type="smtp">
      <hostname>MAIL.example.com</hostname>
      <port>587</port>
      <socketType>STARTTLS</socketType>
      <authentication>password-encrypted</authentication>
    </outgoingServer>
  </emailProvider>
  <webMail><loginPage url="https://example.com/"/></webMail>
</clientConfig>
"""


def server(**changed: str) -> str:
    values = {
        "kind": "smtp",
        "hostname": "mail.example.com",
        "port": "587",
        "socketType": "STARTTLS",
        "username": "%EMAILADDRESS%",
        "authentication": "password-cleartext",
    } | changed
    kind = values.pop("kind")
    inside = "".join(f"<{name}>{value}</{name}>" for name, value in values.items())
    return f'<outgoingServer type="{kind}">{inside}</outgoingServer>'


def document(*servers: str) -> bytes:
    inside = "".join(servers)
    return f"<clientConfig><emailProvider>{inside}</emailProvider></clientConfig>".encode()


def read(octets: bytes | str) -> list[Found]:
    octets = octets.encode() if isinstance(octets, str) else octets
    return read_autoconfig(octets, DOMAIN, Confidence.MEDIUM)


def test_the_outgoing_servers_are_read_in_their_order() -> None:
    first, second = read(WHOLE)
    assert first == Found(
        host="smtp.example.com",
        port=465,
        enable_ssl=True,
        user_name="%EMAILLOCALPART%",
        source=Source.AUTOCONFIG,
        confidence=Confidence.MEDIUM,
        oauth2=True,
    )
    assert second.place == ("mail.example.com", 587, True)
    assert (second.user_name, second.enable_auth, second.oauth2) == (None, True, False)


def test_a_server_without_tls_is_relied_on_the_least() -> None:
    (found,) = read(document(server(port="25", socketType="plain")))
    assert (found.enable_ssl, found.confidence) == (False, Confidence.LOW)


@pytest.mark.parametrize(
    ("ways", "login", "ntlm", "oauth2"),
    [
        (["password-cleartext"], True, False, False),
        (["plain"], True, False, False),
        (["NTLM"], True, True, False),
        (["NTLM", "password-encrypted"], True, False, False),
        (["none"], False, False, False),
        (["client-IP-address"], False, False, False),
        (["none", "password-cleartext"], True, False, False),
        (["OAuth2"], True, False, True),
        (["GSSAPI", "secure"], True, False, False),
    ],
)
def test_of_the_ways_to_log_in_the_easiest_counts(
    ways: list[str], login: bool, ntlm: bool, oauth2: bool
) -> None:
    (found,) = read(
        document(server(authentication="</authentication><authentication>".join(ways)))
    )
    assert (found.enable_auth, found.use_ntlm, found.oauth2) == (login, ntlm, oauth2)


def test_a_server_that_takes_tokens_alone_says_what_to_do_first() -> None:
    (found,) = read(document(server(authentication="OAuth2")))
    assert found.first is not None
    assert "OAuth2" in found.first


@pytest.mark.parametrize(
    "changed",
    [
        {"kind": "imap"},
        {"kind": ""},
        {"hostname": ""},
        {"hostname": "mail example com"},
        {"hostname": "mail.example.com:25"},
        {"hostname": "%EMAILLOCALPART%.example.com"},
        {"hostname": "0x7f.1"},
        {"hostname": "https://mail.example.com/"},
        {"port": ""},
        {"port": "0"},
        {"port": "-25"},
        {"port": "65536"},
        {"port": "587 x"},
        {"port": "٥٨٧"},
        {"port": "9" * 1000},
        {"socketType": ""},
        {"socketType": "TLS"},
        # What the settings could not say.
        {"socketType": "SSL"},
        {"socketType": "STARTTLS", "port": "465"},
        {"socketType": "plain", "port": "465"},
        {"authentication": "GSSAPI"},
        {"authentication": "TLS-client-cert"},
    ],
)
def test_what_our_rules_refuse_is_passed_over(changed: dict[str, str]) -> None:
    good = server(hostname="good.example.com")
    assert [one.host for one in read(document(server(**changed), good))] == ["good.example.com"]


@pytest.mark.parametrize("name", ["a\u202eb", "a" * 256, "&#9;a&#10;b"])
def test_a_user_name_that_is_none_is_left_out(name: str) -> None:
    (found,) = read(document(server(username=name)))
    assert found.user_name is None


BILLION = """<?xml version="1.0"?>
<!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>
<clientConfig>&c;</clientConfig>"""
EXTERNAL = """<?xml version="1.0"?>
<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>
<clientConfig>&e;</clientConfig>"""
OTHER_DTD = '<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd"><clientConfig/>'
PARAMETER = '<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:1/"> %p;]><clientConfig/>'


@pytest.mark.parametrize(
    "octets",
    [
        BILLION,
        EXTERNAL,
        OTHER_DTD,
        PARAMETER,
        "<clientConfig>&e;</clientConfig>",
        "<!DOCTYPE html><html></html>",
        "",
        "not XML",
        "<clientConfig>",
        "<clientConfig></emailProvider>",
        "<a/><b/>",
        b"\xff\xfe\x00",
        b"<clientConfig>\xff</clientConfig>",
        b'<?xml version="1.0" encoding="utf-7"?><clientConfig/>',
        b'<?xml version="1.0" encoding="unicode_escape"?><clientConfig/>',
        b'<?xml version="1.0" encoding="rot13"?><clientConfig/>',
        b'<?xml version="1.0" encoding="nonsense"?><clientConfig/>',
        b'<?xml version="1.0" encoding="UTF-16"?><clientConfig/>',
        "<a>" * 10_000 + "</a>" * 10_000,
        "<a>" * (DEEPEST + 1),
        document(*[server()] * (MOST_SERVERS + 1)),
    ],
    ids=range(21),
)
def test_a_hostile_document_is_refused(octets: bytes | str) -> None:
    with pytest.raises(NoConfigError):
        read(octets)


def test_as_deep_and_as_many_as_is_allowed_is_read() -> None:
    assert read("<a>" * DEEPEST + "</a>" * DEEPEST) == []
    assert len(read(document(*[server()] * MOST_SERVERS))) == MOST_SERVERS


def test_servers_elsewhere_in_the_document_are_none() -> None:
    wrong = f"<clientConfig>{server()}<x>{document(server()).decode()}</x></clientConfig>"
    assert read(wrong) == []


def test_an_encoding_that_expat_itself_knows_is_read() -> None:
    octets = '<?xml version="1.0" encoding="ISO-8859-1"?>'.encode("latin-1") + document(server())
    assert len(read(octets)) == 1
    assert len(read(b"\xef\xbb\xbf" + document(server()))) == 1


VALUES = st.text(string.printable + "%äß\u202e\0", max_size=40)


@given(
    st.lists(
        st.dictionaries(st.sampled_from(["hostname", "port", "socketType", "username"]), VALUES),
        max_size=4,
    )
)
def test_whatever_stands_in_a_server_what_comes_out_keeps_our_rules(
    servers: list[dict[str, str]],
) -> None:
    clean = [
        {name: value.translate({ord(char): None for char in "<&>"}) for name, value in one.items()}
        for one in servers
    ]
    try:
        found = read(document(*(server(**one) for one in clean)))
    except NoConfigError:
        return
    for one in found:
        assert parse_host(one.host) == one.host
        assert 1 <= one.port <= 65535
        assert one.user_name is None or (one.user_name.isprintable() and one.user_name)


@given(st.binary(max_size=300))
def test_any_octets_are_a_document_or_refused(octets: bytes) -> None:
    for whole in (octets, b"<clientConfig>" + octets + b"</clientConfig>"):
        try:
            read(whole)
        except NoConfigError:
            continue


@given(
    st.lists(
        st.sampled_from(
            [
                "<clientConfig>",
                "</clientConfig>",
                "<emailProvider>",
                "</emailProvider>",
                '<outgoingServer type="smtp">',
                "</outgoingServer>",
                "<port>",
                "</port>",
                "465",
                "<!--",
                "-->",
                "<![CDATA[",
                "]]>",
                "<?pi ?>",
                "&lt;",
                "&#1;",
                "<hostname>",
                "</hostname>",
                "a.b",
            ]
        ),
        max_size=30,
    ).map("".join)
)
def test_pieces_in_any_order_are_a_document_or_refused(text: str) -> None:
    try:
        assert read(text) == []
    except NoConfigError:
        return
