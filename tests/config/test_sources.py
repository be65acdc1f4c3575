from collections.abc import Callable
from pathlib import Path

import pytest

from smarthost.config import Config
from smarthost.config.sources import read_sources

Load = Callable[..., Config]
Faults = Callable[..., list[str]]

CANARY = "c4n4ry"
RELAY = f"smtp://user:{CANARY}@relay?sender=a@example.com"


def test_the_environment_goes_before_the_file(load: Load) -> None:
    toml = 'log_level = "error"\nrate_limits = "off"\n'
    config = load({"SMARTHOST_LOG_LEVEL": "debug"}, toml=toml)
    assert config.log_level == "debug"
    assert config.rate_limits is False


def test_an_empty_variable_leaves_the_file_in_force(load: Load) -> None:
    assert load({"SMARTHOST_LOG_LEVEL": ""}, toml='log_level = "error"').log_level == "error"


def test_variables_of_other_programs_are_left_alone(load: Load) -> None:
    assert load({"PATH": "/bin", "MY_SMARTHOST_THING": "x"}).ignored_names == ()


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("SMARTHOST_LOG_LEVLE", "SMARTHOST_LOG_LEVEL"),
        ("SMARTHOST_LISTEN", "SMARTHOST_HTTP_LISTEN"),
        ("SMARTHOST_log_level", "SMARTHOST_LOG_LEVEL"),
        ("SMARTHOST_HTTP_LISTEN_FILE", "SMARTHOST_HTTP_LISTEN"),
        ("SMARTHOST_DATABASE_URL_FIL", "SMARTHOST_DATABASE_URL_FILE"),
    ],
)
def test_an_unknown_variable_is_a_fault_that_names_a_near_one(
    faults: Faults, name: str, meant: str
) -> None:
    (line,) = faults({name: CANARY})
    assert line == f"{name}: there is no such setting. Did you mean {meant}?"


@pytest.mark.parametrize("name", ["SMARTHOST_", "SMARTHOST_WEATHER", "SMARTHOST_" + "X" * 100_000])
def test_an_unknown_variable_with_nothing_near_is_a_fault(faults: Faults, name: str) -> None:
    (line,) = faults({name: "x"})
    assert line.endswith(": there is no such setting.")
    assert len(line) < 120


@pytest.mark.parametrize(
    "key", ["Log_Level", "LOG_LEVEL", "SMARTHOST_LOG_LEVEL", "log-level", "loglevel"]
)
def test_an_unknown_key_in_the_file_is_a_fault_that_names_a_near_one(
    faults: Faults, key: str
) -> None:
    (line,) = faults(toml=f'{key} = "info"')
    expected = f"smarthost.toml: {key}: there is no such setting. Did you mean log_level?"
    assert line == expected


@pytest.mark.parametrize("key", ["admin_ema\u0131l", "a\\nb"])
def test_an_odd_key_in_the_file_is_a_fault_of_one_printable_line(faults: Faults, key: str) -> None:
    (line,) = faults(toml=f'"{key}" = "a@example.com"')
    assert line.isprintable()
    assert "there is no such setting" in line


@pytest.mark.parametrize("value", ["true", "1", '["10.0.0.0/8"]', "{}", "2020-01-01"])
def test_a_value_in_the_file_that_is_no_text_is_a_fault(faults: Faults, value: str) -> None:
    (line,) = faults(toml=f"trusted_networks = {value}")
    assert line == "smarthost.toml: trusted_networks: write the value as text, in quotes."


def test_a_section_in_the_file_is_a_fault(faults: Faults) -> None:
    (line,) = faults(toml='[http]\nlisten = "127.0.0.1:8025"')
    assert line == "smarthost.toml: http: there is no such setting."


@pytest.mark.parametrize(
    "text",
    [
        f"default_relay_url = {RELAY}",
        f'default_relay_url = "{RELAY}',
        f'{CANARY} = 1\n{CANARY} = 2\n"',
        "a = " + "[" * 100_000,
        "a = " + "9" * 10_000,
    ],
)
def test_a_file_that_is_no_toml_is_one_fault_without_its_text(faults: Faults, text: str) -> None:
    (line,) = faults(toml=text)
    assert line.startswith("smarthost.toml: this is not TOML")
    assert CANARY not in line


def test_the_position_of_a_fault_in_the_file_is_told(faults: Faults) -> None:
    (line,) = faults(toml="# log\nlog_level = loud")
    assert "(at line 2, column " in line


def test_a_file_that_is_not_utf_8_is_a_fault(faults: Faults, tmp_path: Path) -> None:
    (tmp_path / "smarthost.toml").write_bytes(b'log_level = "\xff"')
    assert faults() == ["smarthost.toml: the file is not UTF-8 text."]


def test_a_huge_file_is_a_fault(faults: Faults) -> None:
    assert faults(toml="#" * 1_048_577) == ["smarthost.toml: the file is larger than 1 MiB."]


def test_a_file_that_cannot_be_read_is_a_fault(faults: Faults, tmp_path: Path) -> None:
    (tmp_path / "smarthost.toml").mkdir()
    assert faults() == ["smarthost.toml: the file cannot be read: Is a directory."]


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_secret_comes_from_a_file_without_its_last_line_end(
    load: Load, tmp_path: Path, ending: str
) -> None:
    (tmp_path / "relay").write_bytes((RELAY + ending).encode())
    for settings in (
        {"environ": {"SMARTHOST_DEFAULT_RELAY_URL_FILE": "relay"}},
        {"environ": {"SMARTHOST_DEFAULT_RELAY_URL_FILE": str(tmp_path / "relay")}},
        {"toml": 'default_relay_url_file = "relay"'},
    ):
        relay = load(**settings).default_relay
        assert relay is not None
        assert relay.sender_address == "a@example.com"


def test_only_one_line_end_is_dropped(faults: Faults, tmp_path: Path) -> None:
    (tmp_path / "relay").write_text(RELAY + "\n\n")
    (line,) = faults({"SMARTHOST_DEFAULT_RELAY_URL_FILE": "relay"})
    assert line.startswith("SMARTHOST_DEFAULT_RELAY_URL_FILE: the value holds a control character")


def test_a_secret_given_both_ways_is_a_fault(faults: Faults, tmp_path: Path) -> None:
    (tmp_path / "relay").write_text(RELAY)
    (line,) = faults(
        {"SMARTHOST_DEFAULT_RELAY_URL": RELAY, "SMARTHOST_DEFAULT_RELAY_URL_FILE": "relay"}
    )
    assert line == (
        "SMARTHOST_DEFAULT_RELAY_URL_FILE: SMARTHOST_DEFAULT_RELAY_URL gives the same setting;"
        " keep one of the two."
    )


def test_a_secret_in_the_environment_goes_before_either_form_in_the_file(load: Load) -> None:
    config = load(
        {"SMARTHOST_DATABASE_URL": "sqlite:////srv/x.db"}, toml='database_url_file = "missing"'
    )
    assert config.database_file == Path("/srv/x.db")


def test_a_secret_file_that_cannot_be_used_is_a_fault_that_hides_its_path(
    faults: Faults, tmp_path: Path
) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "folder").mkdir()
    reasons = {
        RELAY: "cannot be read: No such file or directory.",
        "folder": "cannot be read: Is a directory.",
        "empty": "is empty.",
        "binary": "is not UTF-8 text.",
        "a\x00b": "has a control character or an invisible one in its path.",
        "x" * 5_000: "cannot be read: File name too long.",
    }
    for path, reason in reasons.items():
        (line,) = faults({"SMARTHOST_DATABASE_URL_FILE": path})
        assert line == f"SMARTHOST_DATABASE_URL_FILE: the file that it names {reason}"


INJECTED = (
    "SMARTHOST_HTTP_PORT_8025_UDP",
    "SMARTHOST_HTTP_SERVICE_HOST",
    "SMARTHOST_PORT",
    "SMARTHOST_PORT_8025_TCP",
    "SMARTHOST_PORT_8025_TCP_ADDR",
    "SMARTHOST_PORT_8025_TCP_PORT",
    "SMARTHOST_PORT_8025_TCP_PROTO",
    "SMARTHOST_SERVICE_HOST",
    "SMARTHOST_SERVICE_PORT",
    "SMARTHOST_SERVICE_PORT_HTTP_API",
)


def test_names_that_container_platforms_inject_are_ignored_and_listed(load: Load) -> None:
    names = dict.fromkeys(reversed(INJECTED), "tcp://10.0.0.1:8025")
    assert load(names).ignored_names == INJECTED


@pytest.mark.parametrize(
    "name", ["SMARTHOST_PORTAL", "SMARTHOST_PORT_TCP", "SMARTHOST_SERVICE", "SMARTHOST_SUPPORT"]
)
def test_names_that_only_look_injected_are_faults(faults: Faults, name: str) -> None:
    (line,) = faults({name: "x"})
    assert line.startswith(f"{name}: there is no such setting.")


def test_injected_names_are_not_ignored_in_the_file(faults: Faults) -> None:
    (line,) = faults(toml='service_host = "x"')
    assert "there is no such setting" in line


def test_what_was_given_does_not_show_its_text(tmp_path: Path) -> None:
    sources = read_sources({"SMARTHOST_DEFAULT_RELAY_URL": RELAY}, working_directory=tmp_path)
    assert sources.given["DEFAULT_RELAY_URL"].text == RELAY
    assert CANARY not in repr(sources)
