from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path

import pytest

from smarthost.config import Config, ListenAddress, TlsFiles, load_config

Load = Callable[..., Config]
Faults = Callable[..., list[str]]


def test_nothing_set_gives_the_defaults(load: Load, tmp_path: Path) -> None:
    assert load() == Config(
        data_dir=tmp_path / "smarthost-data",
        database_file=tmp_path / "smarthost-data/smarthost.db",
        database_url=None,
        http_listen=ListenAddress(host="127.0.0.1", port=8025),
        http_tls=True,
        submission_listen=ListenAddress(host="127.0.0.1", port=2525),
        submission_tls_listen=None,
        tls=None,
        keyring_file=tmp_path / "smarthost-data/keyring.json",
        admin_email=None,
        base_domain=None,
        default_relay=None,
        relay_networks="any",
        helo_name="mail.example.com",
        ntlm=True,
        rate_limits=True,
        submission_proxy_networks=(),
        trusted_networks=(),
        metrics_networks=(ip_network("127.0.0.0/8"), ip_network("::1/128")),
        open_id_connect=None,
        retry_seconds=300,
        expire_seconds=432_000,
        keep_sent_seconds=0,
        keep_failed_seconds=604_800,
        drain_seconds=0,
        log_format="json",
        log_level="info",
        ignored_names=(),
    )


def test_every_setting_is_read_from_the_environment(load: Load, tmp_path: Path) -> None:
    config = load(
        {
            "SMARTHOST_DATA_DIR": "/srv/data",
            "SMARTHOST_DATABASE_URL": "sqlite:///mail.db",
            "SMARTHOST_HTTP_LISTEN": "[::1]:0",
            "SMARTHOST_HTTP_TLS": "off",
            "SMARTHOST_SUBMISSION_LISTEN": "[::1]:587",
            "SMARTHOST_SUBMISSION_TLS_LISTEN": "0.0.0.0:465",
            "SMARTHOST_TLS_CERTIFICATE_FILE": "tls/chain.pem",
            "SMARTHOST_TLS_KEY_FILE": "tls/key.pem",
            "SMARTHOST_METRICS_NETWORKS": "10.0.0.0/8",
            "SMARTHOST_KEYRING_FILE": "keys/ring.json",
            "SMARTHOST_ADMIN_EMAIL": "admin@EXAMPLE.com",
            "SMARTHOST_BASE_DOMAIN": "Portals.Example.com",
            "SMARTHOST_DEFAULT_RELAY_URL": "smtp://relay?sender=a@example.com",
            "SMARTHOST_HELO_NAME": "out.example.com",
            "SMARTHOST_RELAY_NETWORKS": "192.0.2.0/24",
            "SMARTHOST_NTLM": "off",
            "SMARTHOST_RATE_LIMITS": "off",
            "SMARTHOST_TRUSTED_NETWORKS": "10.0.0.0/8,2001:db8::/32",
            "SMARTHOST_SUBMISSION_PROXY_NETWORKS": "10.0.0.10/32",
            "SMARTHOST_RETRY_SECONDS": "60",
            "SMARTHOST_EXPIRE_SECONDS": "3600",
            "SMARTHOST_KEEP_SENT_SECONDS": "7",
            "SMARTHOST_KEEP_FAILED_SECONDS": "0",
            "SMARTHOST_DRAIN_SECONDS": "10",
            "SMARTHOST_LOG_FORMAT": "console",
            "SMARTHOST_LOG_LEVEL": "debug",
        }
    )
    assert (config.retry_seconds, config.expire_seconds) == (60, 3_600)
    assert (config.keep_sent_seconds, config.keep_failed_seconds) == (7, 0)
    assert config.drain_seconds == 10
    assert config.data_dir == Path("/srv/data")
    assert config.database_file == tmp_path / "mail.db"
    assert config.http_listen == ListenAddress(host="::1", port=0)
    assert config.http_tls is False
    assert config.submission_listen == ListenAddress(host="::1", port=587)
    assert config.submission_tls_listen == ListenAddress(host="0.0.0.0", port=465)
    assert config.tls == TlsFiles(
        certificate=tmp_path / "tls/chain.pem", key=tmp_path / "tls/key.pem"
    )
    assert config.metrics_networks == (ip_network("10.0.0.0/8"),)
    assert config.keyring_file == tmp_path / "keys/ring.json"
    assert config.admin_email == "admin@example.com"
    assert config.base_domain == "portals.example.com"
    assert config.default_relay is not None
    assert config.default_relay.host == "relay"
    assert config.helo_name == "out.example.com"
    assert config.relay_networks == (ip_network("192.0.2.0/24"),)
    assert config.ntlm is False
    assert config.rate_limits is False
    assert config.trusted_networks == (ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"))
    assert config.submission_proxy_networks == (ip_network("10.0.0.10/32"),)
    assert config.log_format == "console"
    assert config.log_level == "debug"


def test_database_and_key_ring_follow_the_data_directory(load: Load) -> None:
    config = load({"SMARTHOST_DATA_DIR": "/srv/data"})
    assert config.database_file == Path("/srv/data/smarthost.db")
    assert config.keyring_file == Path("/srv/data/keyring.json")


def test_a_relative_working_directory_gives_absolute_paths() -> None:
    config = load_config(
        {}, working_directory=Path("x"), machine_name=str, stderr_is_terminal=True
    )
    assert config.data_dir == Path.cwd() / "x/smarthost-data"


def test_empty_and_blank_are_not_set(load: Load) -> None:
    config = load({"SMARTHOST_LOG_LEVEL": "", "SMARTHOST_HTTP_LISTEN": "  "})
    assert config.log_level == "info"
    assert config.http_listen.port == 8025


def test_an_empty_address_switches_submission_off(load: Load) -> None:
    assert load({"SMARTHOST_SUBMISSION_LISTEN": " "}).submission_listen is None
    assert load(toml='submission_listen = ""').submission_listen is None
    assert load({"SMARTHOST_SUBMISSION_TLS_LISTEN": ""}).submission_tls_listen is None


def test_the_key_may_be_in_the_file_of_the_certificate(load: Load, tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    assert load({"SMARTHOST_TLS_CERTIFICATE_FILE": "both.pem"}).tls == TlsFiles(
        certificate=both, key=both
    )


def test_tls_needs_a_certificate(faults: Faults) -> None:
    needing = {"SMARTHOST_TLS_KEY_FILE": "key.pem", "SMARTHOST_SUBMISSION_TLS_LISTEN": "[::1]:465"}
    told = "this needs a certificate: set SMARTHOST_TLS_CERTIFICATE_FILE too."
    assert faults(needing) == [f"{name}: {told}" for name in needing]


def test_blanks_around_a_value_are_dropped(load: Load) -> None:
    assert load({"SMARTHOST_LOG_LEVEL": " error "}).log_level == "error"


def test_a_terminal_gets_the_console_format(load: Load) -> None:
    assert load(stderr_is_terminal=True).log_format == "console"
    assert load({"SMARTHOST_LOG_FORMAT": "json"}, stderr_is_terminal=True).log_format == "json"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "localhost",
        "localhost.localdomain",
        "box.localdomain",
        "box",
        "127.0.0.1",
        "::1",
        "1.0.0.127.in-addr.arpa",
        "odd name",
        "my_box.example.com",
    ],
)
def test_a_machine_without_a_full_name_has_no_helo_name(load: Load, name: str) -> None:
    assert load(machine_name=lambda: name).helo_name is None


def test_the_machine_is_not_asked_for_its_name_when_one_is_set(load: Load) -> None:
    def asked() -> str:
        raise AssertionError

    assert load({"SMARTHOST_HELO_NAME": "out.example.com"}, machine_name=asked).helo_name


def test_all_faults_come_at_once_and_each_is_one_line(faults: Faults) -> None:
    lines = faults(
        {
            "SMARTHOST_HTTP_LISTEN": "8025",
            "SMARTHOST_RATE_LIMITS": "yes",
            "SMARTHOST_LOG_LEVEL": "loud",
            "SMARTHOST_TRUSTED_NETWORKS": "10.0.0.1/8, nonsense",
            "SMARTHOST_LGO_LEVEL": "info",
        },
        toml='admin_email = "nobody"\nbase_domain = "10.0.0.1"\n',
    )
    assert [line.split(": ")[0] for line in lines] == [
        "SMARTHOST_LGO_LEVEL",
        "SMARTHOST_HTTP_LISTEN",
        "smarthost.toml",
        "smarthost.toml",
        "SMARTHOST_RATE_LIMITS",
        "SMARTHOST_TRUSTED_NETWORKS",
        "SMARTHOST_TRUSTED_NETWORKS",
        "SMARTHOST_LOG_LEVEL",
    ]


@pytest.mark.parametrize(
    ("environ", "networks"),
    [
        ({}, "any"),
        ({"SMARTHOST_BASE_DOMAIN": "portals.example.com"}, "public"),
        (
            {"SMARTHOST_BASE_DOMAIN": "portals.example.com", "SMARTHOST_RELAY_NETWORKS": "any"},
            "any",
        ),
        ({"SMARTHOST_RELAY_NETWORKS": "public"}, "public"),
    ],
)
def test_relays_may_be_anywhere_if_there_is_one_portal_and_nothing_else_is_said(
    load: Load, environ: dict[str, str], networks: str
) -> None:
    assert load(environ).relay_networks == networks


@pytest.mark.parametrize("odd", ["a\nb", "a\x00b", "a\x7fb", "a\u2028b", "a\u200bb", "a\udcffb"])
def test_a_control_or_invisible_character_is_refused(faults: Faults, odd: str) -> None:
    (line,) = faults({"SMARTHOST_DATA_DIR": odd})
    assert line.isprintable()
    assert "control character" in line


def test_a_ca_file_that_cannot_be_read_is_a_fault(faults: Faults, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for ca in ("missing.pem", "folder", "x" * 5_000):
        url = f"smtp://relay?sender=a@example.com&ca={ca}"
        (line,) = faults({"SMARTHOST_DEFAULT_RELAY_URL": url})
        assert line.startswith("SMARTHOST_DEFAULT_RELAY_URL: ca does not name a file")


def test_a_ca_file_is_found_from_the_working_directory(load: Load, tmp_path: Path) -> None:
    (tmp_path / "my ca.pem").write_text("certificates")
    url = "smtps://relay?sender=a@example.com&ca=my%20ca.pem"
    relay = load({"SMARTHOST_DEFAULT_RELAY_URL": url}).default_relay
    assert relay is not None
    assert relay.ca_file == tmp_path / "my ca.pem"


def test_the_password_of_the_default_relay_is_not_in_the_repr(load: Load) -> None:
    url = "smtp://user:c4n4ry@relay?sender=a@example.com"
    config = load({"SMARTHOST_DEFAULT_RELAY_URL": url})
    assert "c4n4ry" not in repr(config)
    assert config.default_relay is not None
    assert config.default_relay.password is not None
    assert config.default_relay.password.reveal() == "c4n4ry"
