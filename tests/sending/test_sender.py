import msgspec
import pytest

from smarthost.mail.address import parse_address
from smarthost.portals.model import Portal
from smarthost.sending.sender import sender_of
from tests.smtp_settings.relays import relay

PORTAL = Portal(id="p", name="acme", created_at=0, settings_allowed=True)
WHOLE = msgspec.structs.replace(PORTAL, domain_senders_allowed=True)


@pytest.mark.parametrize(
    ("address", "alone", "whole_domain"),
    [
        ("notify@example.com", True, True),
        ("NOTIFY@Example.COM", True, True),
        ("joe@example.com", False, True),
        ("notify@mail.example.com", False, False),
        ("notify@example.com.example", False, False),
        ("notify@xample.com", False, False),
        ("not\u0131fy@example.com", False, True),  # a letter that folds to another
        ('"notify "@example.com', False, True),
    ],
)
def test_whom_a_portal_s_mail_may_be_from(address: str, alone: bool, whole_domain: bool) -> None:
    for portal, allowed in ((PORTAL, alone), (WHOLE, whole_domain)):
        assert sender_of(portal, relay()).allows(parse_address(address)) is allowed


def test_what_is_allowed_is_said_in_words() -> None:
    assert sender_of(PORTAL, relay()).allowed == "notify@example.com"
    assert sender_of(WHOLE, relay()).allowed == "an address of example.com"


def test_the_sender_has_the_name_of_the_settings() -> None:
    assert sender_of(PORTAL, relay()).written == "Postman <notify@example.com>"
    named = relay(sender_display_name="Acme, Inc.")
    assert sender_of(PORTAL, named).written == '"Acme, Inc." <notify@example.com>'
    assert sender_of(PORTAL, relay(sender_display_name=None)).written == "notify@example.com"
