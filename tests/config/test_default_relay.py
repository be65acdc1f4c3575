from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.config import DefaultRelay
from smarthost.config.default_relay import parse_default_relay
from smarthost.config.faults import InvalidValueError
from smarthost.secret import Secret

SENDER = "sender=notify@example.com"


def refusal(url: str) -> str:
    with pytest.raises(InvalidValueError) as caught:
        parse_default_relay(url)
    return " ".join(caught.value.messages)


def test_a_full_url_gives_every_field() -> None:
    url = (
        "smtp://us%40er:p%3A%2f%C3%BC@Mail.Example.com:587"
        f"?{SENDER}&name=Example%20Portal&starttls=required&ca=/etc/ca.pem"
    )
    assert parse_default_relay(url) == DefaultRelay(
        host="mail.example.com",
        port=587,
        sender_address="notify@example.com",
        sender_display_name="Example Portal",
        user_name="us@er",
        password=Secret("p:/ü"),
        enable_ssl=True,
        enable_auth=True,
        ca_file=Path("/etc/ca.pem"),
    )


def test_a_short_url_has_no_login_and_no_required_tls() -> None:
    assert parse_default_relay(f"smtp://mail.example.com?{SENDER}") == DefaultRelay(
        host="mail.example.com",
        port=25,
        sender_address="notify@example.com",
        sender_display_name="",
        user_name="",
        password=None,
        enable_ssl=False,
        enable_auth=False,
        ca_file=None,
    )


@pytest.mark.parametrize(
    ("start", "host", "port", "enable_ssl"),
    [
        ("smtp://relay", "relay", 25, False),
        ("smtp://relay:465", "relay", 465, False),
        ("smtps://relay", "relay", 465, True),
        ("SMTPS://relay:2465/", "relay", 2465, True),
        ("smtp://[2001:DB8::1]", "2001:db8::1", 25, False),
        ("smtp://[::1]:1025", "::1", 1025, False),
        ("smtp://192.0.2.1:1", "192.0.2.1", 1, False),
        ("smtp://mail_relay:25", "mail_relay", 25, False),
    ],
)
def test_scheme_and_port_decide_about_tls(
    start: str, host: str, port: int, enable_ssl: bool
) -> None:
    relay = parse_default_relay(f"{start}?{SENDER}")
    assert (relay.host, relay.port, relay.enable_ssl) == (host, port, enable_ssl)


def test_a_plus_is_a_plus() -> None:
    relay = parse_default_relay("smtp://relay?sender=a+b@example.com&name=A+B")
    assert relay.sender_address == "a+b@example.com"
    assert relay.sender_display_name == "A+B"


def test_a_password_may_hold_a_colon_and_an_at_sign_unencoded() -> None:
    relay = parse_default_relay(f"smtp://user:p:a@ss@relay?{SENDER}")
    assert relay.host == "relay"
    assert relay.password == Secret("p:a@ss")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("relay", "starts with smtp://"),
        ("relay:25", "starts with smtp://"),
        ("http://relay", "starts with smtp://"),
        ("smtp:relay", "starts with smtp://"),
        (f"smtp://?{SENDER}", "the host is no host name"),
        (f"smtp://:25?{SENDER}", "the host is no host name"),
        (f"smtp://a..b?{SENDER}", "the host is no host name"),
        (f"smtp://2001:db8::1:25?{SENDER}", "stands in brackets"),
        (f"smtp://relay:0?{SENDER}", "from 1 to 65535"),
        (f"smtp://relay:?{SENDER}", "from 1 to 65535"),
        (f"smtp://relay:65536?{SENDER}", "from 1 to 65535"),
        (f"smtps://relay:587?{SENDER}", "for port 465 or 2465"),
        (f"smtps://relay?{SENDER}&starttls=required", "leave starttls away"),
        (f"smtp://relay:465?{SENDER}&starttls=required", "write smtps://"),
        (f"smtp://relay?{SENDER}&starttls=optional", "one value, required"),
        (f"smtp://relay?{SENDER}&starttls", "one value, required"),
        ("smtp://relay", "sender is missing"),
        ("smtp://relay?sender=", "sender is missing"),
        ("smtp://relay?sender=nobody", "sender is not one plain e-mail address"),
        ("smtp://relay?sender=N%20<n@example.com>", "sender is not one plain"),
        (f"smtp://relay?{SENDER}&{SENDER}", "sender is given twice"),
        (f"smtp://relay?{SENDER}&color=blue", "only sender, name, starttls, ca are known"),
        (f"smtp://relay?{SENDER}&Name=X", "only sender, name, starttls, ca are known"),
        (f"smtp://relay?{SENDER}&", "only sender, name, starttls, ca are known"),
        (f"smtp://relay?{SENDER}&ca=", "ca is empty"),
        (f"smtp://relay?{SENDER}&name={'x' * 256}", "name has more than 255"),
        (f"smtp://relay?{SENDER}&name=a%0d%0ab", "name holds a control character"),
        (f"smtp://relay/path?{SENDER}", "no path follows the host"),
        (f"smtp://relay?{SENDER}#top", "no fragment"),
        (f"smtp://user@relay?{SENDER}", "belong together"),
        (f"smtp://user:@relay?{SENDER}", "belong together"),
        (f"smtp://:password@relay?{SENDER}", "belong together"),
        (f"smtp://user:50%@relay?{SENDER}", "the password has a %"),
        (f"smtp://user:%zz@relay?{SENDER}", "the password has a %"),
        (f"smtp://user:%ff@relay?{SENDER}", "the password is not UTF-8"),
        (f"smtp://user:a%00b@relay?{SENDER}", "the password holds a control character"),
        (f"smtp://us%0aer:x@relay?{SENDER}", "the user name holds a control character"),
        (f"smtp://{'x' * 256}:x@relay?{SENDER}", "the user name has more than 255"),
        (f"smtp://user:{'ü' * 501}@relay?{SENDER}", "the password has more than 1000"),
    ],
)
def test_a_wrong_url_is_explained(url: str, reason: str) -> None:
    assert reason in refusal(url)


def test_all_faults_of_a_url_are_told_once_each() -> None:
    with pytest.raises(InvalidValueError) as caught:
        parse_default_relay("smtps://user@a..b:25/x?one=1&two=2&starttls=required&name=#y")
    assert len(caught.value.messages) == 8


@pytest.mark.parametrize(
    "odd", ["/", "?", "#", "%", "/@", "?@", "#@", "@:", "&", "=", " ", "[", ":"]
)
def test_no_piece_of_a_password_is_repeated_wherever_it_lands(odd: str) -> None:
    for password in (f"c4n4ry{odd}c4n4ry", f"{odd}c4n4ry", f"c4n4ry{odd}"):
        for url in (
            f"smtp://user:{password}@relay?sender=wrong",
            f"smtp://{password}@relay?sender=wrong",
            f"smtp://relay:{password}?sender={password}",
            f"smtp://relay?{password}&starttls={password}&ca=&name=%zz{password}",
            f"{password}://relay?{SENDER}&x",
        ):
            assert "c4n4ry" not in refusal(url)


@given(
    user=st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=255),
    password=st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=250),
)
def test_a_percent_encoded_login_comes_through_unchanged(user: str, password: str) -> None:
    login = f"{quote(user, safe='')}:{quote(password, safe='')}"
    relay = parse_default_relay(f"smtp://{login}@relay?{SENDER}")
    assert relay.user_name == user
    assert relay.password == Secret(password)


@given(
    text=st.text()
    | st.text("smtp:/@?#%&=[]a.0 ").map("smtp://".__add__)
    | st.text("ab:@%[]0.").map(lambda text: f"smtp://{text}?{SENDER}")
)
def test_any_text_gives_a_relay_or_faults(text: str) -> None:
    try:
        relay = parse_default_relay(text)
    except InvalidValueError:
        return
    assert relay.host
    assert relay.sender_address
    assert 1 <= relay.port <= 65535
    assert relay.enable_auth == (relay.password is not None) == bool(relay.user_name)
