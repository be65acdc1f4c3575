"""A relay that hands all mail back to the submission port: it goes round a few times and stops."""

from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.journeys.postfix import DOMAIN, folder_for_postfix, postfix
from tests.journeys.reconciled import assert_ledger_closes, rows
from tests.journeys.sink import until
from tests.journeys.submission import USER, opened

SENDER = f"shop@{DOMAIN}"
TO = f"jane@{DOMAIN}"
MOST_HOPS = 30
"""Fields `Received` of a message that is still taken; the service and the relay add one each."""


@pytest.mark.needs("postfix", "saslpasswd2", "postqueue")
def test_mail_that_a_relay_hands_back_is_refused_after_30_hops_with_one_notice(
    tmp_path: Path,
) -> None:
    with opened(tmp_path) as house, folder_for_postfix() as folder:
        back = {"content_filter": f"smtp:[127.0.0.1]:{house.service.smtp_port}"}
        with_key = {
            "smtp_sasl_auth_enable": "yes",
            "smtp_sasl_password_maps": f"static:{USER}:{house.key.text}",
            "smtp_sasl_security_options": "noanonymous",
        }
        with postfix(folder, "127.0.0.1", {"relay": back}, with_key) as relay:
            house.application.save(relay.services["relay"][1], SENDER)
            with house.session() as session:
                message = f"From: {SENDER}\nSubject: Round and round\n\nx\n"
                assert session.sendmail(SENDER, [TO], message) == {}

            notice = relay.delivered()
            until(relay.is_idle)
            until(house.is_idle)
            assert list((folder / "inbox/new").iterdir()) == [], "one notice"
        rounds = rows(house.program.data_dir, "SELECT count(*) FROM messages")[0][0]
        assert_ledger_closes(house.program.data_dir)
    # The relay has accepted the mail, and so it is the relay that tells the sender.
    assert notice["To"] == SENDER
    assert "554 5.4.6" in notice.as_string()
    hops = len(returned(notice).get_all("Received", []))
    assert (rounds, hops) == (MOST_HOPS // 2 + 1, MOST_HOPS + 2)


def returned(notice: EmailMessage) -> EmailMessage:
    """Return the message that a notice tells of."""
    for part in notice.walk():
        if part.get_content_type() == "message/rfc822":
            message = part.get_payload(0)
            assert isinstance(message, EmailMessage)
            return message
    raise AssertionError(notice.as_string())
