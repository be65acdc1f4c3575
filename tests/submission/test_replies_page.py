from smarthost.submission.limits import Limits
from tests.submission.replies_page import PAGE, written


def test_the_page_has_every_reply_that_tells_of_an_error() -> None:
    again = "To write it anew: .venv/bin/python -m tests.submission.replies_page"
    page = PAGE.read_text(encoding="utf-8")
    assert page == written(page), again


def test_the_page_names_the_limits() -> None:
    page = PAGE.read_text(encoding="utf-8")
    limits = Limits()
    for words in (
        f"{limits.sessions:,} sessions",
        f"{limits.strangers} of one address",
        f"{limits.command_seconds:.0f} seconds for each command",
        f"{limits.login_seconds:.0f} seconds together",
        f"{limits.idle_seconds:.0f} seconds between commands",
        f"{limits.data_rate} octets a second",
        f"{limits.errors} errors",
        f"{limits.bad_logins} refused logins",
        f"{limits.bad_logins_a_minute} refused logins of one address",
        f"{limits.recipients:,} recipients",
        f"{limits.message_octets:,} octets",
        "an hour",
    ):
        assert words in page, words
    assert limits.session_seconds == 3_600
