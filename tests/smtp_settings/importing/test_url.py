import pytest

from smarthost.secret import Secret
from smarthost.smtp_settings.importing.model import Left
from tests.smtp_settings.importing.files import imported, notes, refusal


@pytest.mark.parametrize(
    ("url", "port", "enable_ssl"),
    [
        ("smtp://a.test", 25, False),
        ("smtp://a.test:587", 587, False),
        ("smtp://a.test:465", 465, True),
        ("smtps://a.test", 465, True),
        ("SMTPS://a.test:2465/", 2465, True),
        ("smtp+ssl://a.test", 465, True),
        ("smtp+tls://a.test", 587, True),
        ("submission://a.test", 587, True),
        ("smtp://a.test?starttls=required", 25, True),
        ("smtp://a.test?require_tls=true", 25, True),
        ("smtp://a.test?requireTLS=true", 25, True),
        ("smtp://a.test?encryption=tls", 25, True),
        ("smtp://a.test:587?secure=false&ignoreTLS=true", 587, False),
        ("smtp://a.test?ssl=True", 465, True),
    ],
)
def test_scheme_options_and_port_decide_about_tls(url: str, port: int, enable_ssl: bool) -> None:
    found = imported(url)
    assert (found.recognised, found.typed.host) == ("a URL", "a.test")
    assert (found.typed.port, found.typed.enable_ssl) == (port, enable_ssl)


def test_smtps_is_starttls_for_djangos_libraries() -> None:
    assert imported("EMAIL_URL=smtps://a.test").typed.port == 587
    assert notes("EMAIL_URL=smtps://a.test:587") == ""
    assert "wants TLS from the first octet" in notes("MAILER_DSN=smtps://a.test:587")


def test_a_login_is_decoded() -> None:
    typed = imported("smtp://u%40a.test:p%3A%2F+@a.test").typed
    assert (typed.user_name, typed.password) == ("u@a.test", Secret("p:/+"))
    assert imported("smtp://u@a.test").typed.enable_auth is True


def test_comments_and_empty_lines_around_a_url_are_passed_over() -> None:
    assert imported("\n# ours\nsmtp://a.test\n\n").recognised == "a URL"


def test_a_name_is_the_senders_beside_a_sender_and_else_the_one_for_ehlo() -> None:
    named = imported("smtp://a.test?name=Shop&sender=a@b.test").typed
    assert (named.sender_display_name, named.sender_address) == ("Shop", "a@b.test")
    assert imported("smtp://a.test?name=Shop").typed.sender_display_name is None
    assert f"name was left out: {Left.EHLO}" in notes("smtp://a.test?name=Shop")


def test_options_of_others_are_left_out_and_told() -> None:
    told = notes("smtp://a.test?pool=true&tls.rejectUnauthorized=false&socketTimeout=5&colour=1")
    assert f"pool was left out: {Left.POOL}" in told
    assert "tls.rejectUnauthorized was left out: it lets a certificate go unverified" in told
    assert f"socketTimeout was left out: {Left.TIMES}" in told
    assert "an option that is not known was left out" in told
    assert "colour" not in told


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("smtp://u:p@a.test/path", "no path follows the host"),
        ("smtp://u:p#1@a.test", "there is no fragment"),
        ("smtp://u:12?3@a.test", "looks like a login"),
        ("smtp://u:p%zz@a.test", "the password has a %"),
        ("smtp://2001:db8::1:25", "stands in brackets"),
        ("smtp://a.test:port", "the port is a number"),
        ("smtp://a.test?starttls=perhaps", "starttls: known are required"),
        ("smtp://a.test?sender=a@b.test&sender=b@b.test", "these say different things"),
        ("sendmail://default", "starts with smtp:// or smtps://"),
    ],
)
def test_what_cannot_be_is_a_fault_that_repeats_nothing(url: str, fault: str) -> None:
    assert fault in refusal(url)


@pytest.mark.parametrize(
    "url",
    [
        "smtp://user:CANARY/CANARY@a.test",
        "smtp://user:1?CANARY@a.test",
        "smtp://user:1?CANARY=CANARY@a.test",
        "smtp://user:1#CANARY@a.test",
        "smtp://user:CANARY%@a.test",
        "smtp:CANARY@a.test",
        "ftp://CANARY",
    ],
)
def test_a_password_in_the_wrong_place_is_not_repeated(url: str) -> None:
    assert "CANARY" not in refusal(url)
