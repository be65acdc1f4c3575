import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from smarthost.config import SETTINGS, Config, Setting
from smarthost.config.default_relay import parse_default_relay
from smarthost.config.sources import INJECTED

DOCUMENT = (Path(__file__).parents[2] / "docs/settings.md").read_text()


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_setting_is_documented_with_its_real_default(setting: Setting[object]) -> None:
    default = f"`{setting.default}`" if setting.default else setting.unset
    assert f"| `{setting.variable}` | {default} | {setting.meaning} |\n" in DOCUMENT


def test_no_setting_is_documented_that_does_not_exist() -> None:
    documented = re.findall(r"^\| `(SMARTHOST_\w+)`", DOCUMENT, re.MULTILINE)
    assert documented == [setting.variable for setting in SETTINGS]


def test_the_names_that_may_end_in_file_are_documented() -> None:
    documented = re.findall(r"^- `(SMARTHOST_\w+)`", DOCUMENT, re.MULTILINE)
    assert documented == [f"{setting.variable}_FILE" for setting in SETTINGS if setting.secret]


def test_the_documented_file_holds_the_example_of_every_setting(
    load: Callable[..., Config],
) -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", DOCUMENT, re.DOTALL)
    assert tomllib.loads(text) == {setting.key: setting.example for setting in SETTINGS}
    assert load(toml=text).log_level == "debug"


def test_the_documented_relay_urls_are_good() -> None:
    urls = re.findall(r"^smtps?://.*$", DOCUMENT, re.MULTILINE)
    assert len(urls) == 4
    assert [parse_default_relay(url).sender_address for url in urls] == ["notify@example.com"] * 4


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_default_is_good(setting: Setting[object]) -> None:
    assert bool(setting.default) != bool(setting.unset)
    if setting.default:
        setting.parse(setting.default)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_no_setting_has_a_name_that_a_container_platform_injects(setting: Setting[object]) -> None:
    assert not INJECTED.search(setting.variable)
    assert not INJECTED.search(f"{setting.variable}_FILE")
