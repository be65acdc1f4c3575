from hypothesis import given
from hypothesis import strategies as st

from smarthost.mail.smtp_url import scheme_of, split_smtp_url
from smarthost.secret import Secret


def test_a_url_is_parted_and_only_the_login_is_decoded() -> None:
    faults: list[str] = []
    url = split_smtp_url("smtp://us%40er:p%3A+@[2001:db8::1]:587/?a=b%20c&d", faults)
    assert (url.user_name, url.password) == ("us@er", Secret("p:+"))
    assert (url.host, url.port) == ("[2001:db8::1]", "587")
    assert url.options == (("a", "b%20c"), ("d", ""))
    assert faults == []


def test_what_is_not_there_is_not_empty() -> None:
    faults: list[str] = []
    url = split_smtp_url("smtp://relay", faults)
    assert (url.user_name, url.password, url.host, url.port) == (None, None, "relay", None)
    assert url.options == ()
    assert faults == []


def test_a_scheme_is_what_a_url_begins_with() -> None:
    assert scheme_of("SMTP+TLS://relay") == "smtp+tls"
    assert scheme_of("smtp:relay") == ""
    assert scheme_of(" smtp://relay") == ""
    assert scheme_of("pass word://relay") == ""


@given(st.text(max_size=80))
def test_no_fault_repeats_what_was_written(rest: str) -> None:
    faults: list[str] = []
    split_smtp_url(f"smtp://user:CANARY{rest}@relay?x=CANARY#{rest}", faults)
    assert faults
    assert "CANARY" not in " ".join(faults)
