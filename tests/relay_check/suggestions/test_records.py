from smarthost.relay_check.suggestions.model import Confidence, Source
from smarthost.relay_check.suggestions.records import by_mail_exchangers, by_services
from tests.name_server import Zone, name_server
from tests.relay_check.suggestions.asking import ask

ENCRYPTED = "_submissions._tcp.example.com"
UPGRADED = "_submission._tcp.example.com"


async def places(zone: Zone) -> list[tuple[str, int, bool]]:
    with name_server(zone) as server:
        found = await by_services(ask(server, 0.5), "example.com")
    assert all(one.source is Source.DNS_SRV for one in found)
    assert all(one.enable_auth and one.confidence is Confidence.MEDIUM for one in found)
    return [one.place for one in found]


async def test_tls_from_the_first_octet_goes_before_starttls() -> None:
    zone = {
        UPGRADED: {"SRV": ["0 0 587 mail.example.com."]},
        ENCRYPTED: {"SRV": ["10 0 465 mail.example.com.", "5 0 2465 other.example.com."]},
    }
    assert await places(zone) == [
        ("other.example.com", 2465, True),
        ("mail.example.com", 465, True),
        ("mail.example.com", 587, True),
    ]


async def test_a_service_that_is_decidedly_not_there_is_none() -> None:
    zone = {ENCRYPTED: {"SRV": ["0 0 0 ."]}, UPGRADED: {"SRV": ["0 0 587 mail.example.com."]}}
    assert await places(zone) == [("mail.example.com", 587, True)]
    zone = {ENCRYPTED: {"SRV": ["0 0 465 ."]}, UPGRADED: {"SRV": ["0 0 587 ."]}}
    assert await places(zone) == []


async def test_what_the_settings_cannot_say_is_passed_over() -> None:
    zone = {
        ENCRYPTED: {"SRV": ["0 0 587 mail.example.com.", "0 0 0 mail.example.com."]},
        UPGRADED: {"SRV": ["0 0 465 mail.example.com.", "0 0 0 mail.example.com."]},
    }
    # What is at port 465 begins with TLS, whatever its record is called.
    assert await places(zone) == [("mail.example.com", 465, True)]


async def test_a_target_that_is_no_host_of_ours_is_passed_over() -> None:
    targets = [r"a\032b.example.com.", r"a\.b.example.com.", r"\000.example.com.", "-a.example."]
    assert await places({UPGRADED: {"SRV": [f"0 0 587 {one}" for one in targets]}}) == []


async def test_the_mail_exchanger_tells_whose_relay_it_is() -> None:
    zone = {"example.com": {"MX": ["20 aspmx.l.google.com.", "10 alt1.aspmx.l.google.com."]}}
    with name_server(zone) as server:
        found = await by_mail_exchangers(ask(server), "example.com")
    assert [(one.place, one.source, one.confidence) for one in found] == [
        (("smtp.gmail.com", 465, True), Source.MX, Confidence.MEDIUM),
        (("smtp.gmail.com", 587, True), Source.MX, Confidence.MEDIUM),
    ]
    assert all(one.first and one.oauth2 for one in found)


async def test_a_mail_exchanger_of_nobody_known_tells_nothing() -> None:
    zone = {"example.com": {"MX": ["10 mail.example.com.", "20 notgoogle.com."]}}
    with name_server(zone) as server:
        assert await by_mail_exchangers(ask(server), "example.com") == []


async def test_the_first_exchanger_that_is_known_counts() -> None:
    records = ["10 filter.example.net.", "20 example-com.mail.protection.outlook.com."]
    with name_server({"example.com": {"MX": records}}) as server:
        found = await by_mail_exchangers(ask(server), "example.com")
    assert [one.place for one in found] == [("smtp.office365.com", 587, True)]
