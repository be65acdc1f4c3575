"""The right row is found, the most particular one, in bounded time, and nothing is read early."""

import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder
from hypothesis import given
from hypothesis import strategies as st

from smarthost.providers import Checked, Kind, Login, Provider, Providers

WORST = [
    "a" * 253,
    "a" * 255,
    "a." * 126 + "a",
    "a." * 127 + "a",
    "-" * 253,
    "smtpdm-" + "a" * 235 + ".aliyun.com",
    "smtpdm-" + "a" * 234 + ".aliyun.com.",
    "smtpdm" + "-a" * 118 + ".aliyun.co",
    "email-smtp." + "a-" * 60 + "." + "amazonaws." * 10,
    "email-smtp." + ".amazonaws.com" * 17,
    "a" * 120 + "." + "-v1" * 33 + ".mx.microsoft",
    "a." + "-v1" * 75 + ".mx.microsof",
    "www" + "9" * 230 + ".your-server.d",
    "\u212a" * 255,
    "." * 253,
]


def provider(
    id_: str,
    hosts: tuple[str, ...] = (),
    domains: tuple[str, ...] = (),
    mx: tuple[str, ...] = (),
) -> Provider:
    return Provider(
        id=id_,
        name=id_,
        kind=Kind.MAILBOX,
        hosts=hosts,
        ports=(587,),
        login=Login.PASSWORD,
        user_name="<address>",
        domains=domains,
        mx=mx,
        source="https://example.com/",
        checked=Checked.HIGH,
    )


def found(one: Provider | None) -> str | None:
    return one.id if one else None


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("smtp.gmail.com", "gmail"),
        ("SMTP.Gmail.COM", "gmail"),
        ("smtp.gmail.com.", "gmail"),
        ("email-smtp.eu-central-1.amazonaws.com", "amazon-ses"),
        ("smtp.hve.mx.microsoft", "microsoft-365-hve"),
        ("example-com.mail.protection.outlook.com", "microsoft-365-direct-send"),
        ("example-com.w-v1.mx.microsoft", "microsoft-365-direct-send"),
        ("www123.your-server.de", "hetzner"),
        ("mx.smtp.gmail.com", None),
        ("smtp.gmail.com.example.com", None),
        ("xsmtp.gmail.com", None),
        ("email-smtp..amazonaws.com", None),
        ("email-smtp.a.b.amazonaws.com", None),
        ("email-smtp.<region>.amazonaws.com", None),
        ("gmail.com", None),
        ("192.0.2.1", None),
        ("", None),
    ],
)
def test_a_host_is_looked_at_as_a_whole(host: str, expected: str | None) -> None:
    assert found(Providers.load().of_host(host)) == expected


def test_a_host_by_name_goes_before_one_with_a_placeholder() -> None:
    table = Providers(
        [
            provider("family", hosts=("smtp.<region>.example.com",)),
            provider("one", hosts=("smtp.eu.example.com",)),
        ]
    )
    assert found(table.of_host("smtp.eu.example.com")) == "one"
    assert found(table.of_host("smtp.us.example.com")) == "family"


def test_a_dot_in_a_host_is_a_dot() -> None:
    table = Providers([provider("family", hosts=("smtp-<region>.example.com",))])
    assert table.of_host("smtp-eu.example.com")
    assert table.of_host("smtp-euxexample.com") is None


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("gmail.com", "gmail"),
        ("GMAIL.com", "gmail"),
        ("contoso.onmicrosoft.com", "microsoft-365"),
        ("notgmail.com", None),
        ("gmail.com.example.com", None),
        ("com", None),
        ("", None),
        (".", None),
    ],
)
def test_a_domain_is_found_by_whole_labels(domain: str, expected: str | None) -> None:
    assert found(Providers.load().of_domain(domain)) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("alt1.aspmx.l.google.com.", "gmail"),
        ("ASPMX2.GOOGLEMAIL.COM", "gmail"),
        ("example-com.mail.protection.outlook.com", "microsoft-365"),
        ("outlook-com.olc.protection.outlook.com", "outlook-com"),
        ("mx00.ionos.de", "ionos"),
        ("in1-smtp.messagingengine.com", "fastmail"),
        ("mx.example.com", None),
        ("xionos.de", None),
    ],
)
def test_a_mail_exchanger_is_found_by_whole_labels(name: str, expected: str | None) -> None:
    assert found(Providers.load().of_mx(name)) == expected


def test_the_longest_domain_wins() -> None:
    for table in (
        Providers(
            [provider("long", domains=("b.example",)), provider("short", domains=("example",))]
        ),
        Providers(
            [provider("short", domains=("example",)), provider("long", domains=("b.example",))]
        ),
    ):
        assert found(table.of_domain("a.b.example")) == "long"
        assert found(table.of_domain("a.c.example")) == "short"
    mx = Providers([provider("short", mx=("example",)), provider("long", mx=("b.example",))])
    assert found(mx.of_mx("mx1.b.example")) == "long"


def test_domains_and_mail_exchangers_are_kept_apart() -> None:
    table = Providers([provider("one", domains=("a.example",), mx=("b.example",))])
    assert table.of_domain("b.example") is None
    assert table.of_mx("a.example") is None


def test_all_that_is_listed_is_found() -> None:
    table = Providers.load()
    for one in table.all:
        assert all(table.of_domain(domain) == one for domain in one.domains)
        assert all(table.of_mx(f"mx1.{name}") == one for name in one.mx)


@pytest.mark.parametrize("text", WORST, ids=range(len(WORST)))
def test_the_worst_name_is_looked_up_in_bounded_time(text: str) -> None:
    table = Providers.load()
    begun = time.process_time()
    for _ in range(100):
        table.of_host(text)
        table.of_domain(text)
        table.of_mx(text)
    # Far above what it takes and far below what a search that goes back and forth would.
    assert time.process_time() - begun < 1.0


@given(st.text(max_size=300))
def test_no_text_is_too_strange_to_be_looked_up(text: str) -> None:
    table = Providers.load()
    assert table.of_host(text) is None or text.isascii()
    assert table.of_domain(text) is None or text.isascii()
    assert table.of_mx(text) is None or text.isascii()


def test_a_look_alike_letter_is_another_name() -> None:
    # KELVIN SIGN: in lower case it is an ordinary k.
    assert Providers.load().of_domain("ya\u212a.example") is None
    assert Providers([provider("k", domains=("k.example",))]).of_domain("\u212a.example") is None


def test_the_table_is_read_once_and_not_before_it_is_asked_for() -> None:
    program = (
        "import sys\n"
        "opened = []\n"
        "sys.addaudithook(lambda event, args: event == 'open' and opened.append(str(args[0])))\n"
        "from smarthost.providers import Providers\n"
        "def count(): return sum(name.endswith('providers.json') for name in opened)\n"
        "before = count(); first = Providers.load(); second = Providers.load()\n"
        "print(before, count(), first is second)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert run.stdout.split() == ["0", "1", "True"]


def test_the_commands_start_without_the_table() -> None:
    program = "import sys, smarthost.cli; print('smarthost.providers' in sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert run.stdout.strip() == "False"


def test_the_data_are_in_the_wheel(tmp_path: Path) -> None:
    root = str(Path(__file__).parents[2])
    (wheel,) = WheelBuilder(root).build(directory=str(tmp_path), versions=["standard"])
    with zipfile.ZipFile(wheel) as archive:
        assert "smarthost/providers/providers.json" in archive.namelist()
