"""What is handed out to run Smarthost with says what the program says, and the guide names what is
there: settings, commands, files, addresses.
"""

import re
import tomllib
from pathlib import Path

import pytest

from smarthost.cli.program import COMMANDS, GROUPS
from smarthost.config import load_config
from smarthost.config.settings import HTTP_LISTEN, SETTINGS
from smarthost.web.emails.family import LARGEST_BODY
from tests.repository.handed_out import DEPLOY, EVERYTHING, GUIDE, ROOT, named, text_of

SECRETS = [setting for setting in SETTINGS if setting.secret]
VARIABLES = {one.variable for one in SETTINGS} | {f"{one.variable}_FILE" for one in SECRETS}
KEYS = {one.key for one in SETTINGS} | {f"{one.key}_file" for one in SECRETS}
OF_GROUPS = {f"{group} {name}" for group, _, commands in GROUPS for name, _, _ in commands}
ALONE = {name for name, _, _ in COMMANDS}
# As somebody types it, as a unit or a script starts it, and as the text quotes it.
COMMAND = re.compile(
    r"(?:sudo |exec smarthost |/bin/|`|^)smarthost ([a-z][a-z-]*)( [a-z][a-z-]*)?", re.MULTILINE
)


@pytest.mark.parametrize("path", EVERYTHING, ids=named)
def test_every_variable_is_a_setting(path: Path) -> None:
    used = set(re.findall(r"\bSMARTHOST_[A-Z_]+\b", text_of(path)))
    assert used <= VARIABLES, used - VARIABLES


@pytest.mark.parametrize("path", EVERYTHING, ids=named)
def test_every_command_is_one_of_the_program(path: Path) -> None:
    for first, second in COMMAND.findall(text_of(path)):
        assert first in ALONE or first + second in OF_GROUPS, first + second


def test_commands_are_found_in_each_form() -> None:
    found = {
        first + second for path in EVERYTHING for first, second in COMMAND.findall(text_of(path))
    }
    assert found >= {"serve", "doctor", "portal create", "database backup"}


def test_every_link_of_the_guide_leads_somewhere() -> None:
    text = text_of(GUIDE)
    headings = {
        re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }
    for target in re.findall(r"\]\(([^)]+)\)", text):
        file, _, anchor = target.partition("#")
        assert not file or (GUIDE.parent / file).exists(), target
        assert file or anchor in headings, target


def test_every_file_that_the_guide_names_is_there() -> None:
    for name in re.findall(r"(?<![\w/])deploy/[\w./-]*[\w]", text_of(GUIDE)):
        assert (ROOT / name).exists(), name


def test_every_setting_in_the_guide_is_valid_toml_and_known() -> None:
    text = text_of(GUIDE)
    blocks = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    inline = re.findall(r"`([a-z_]+ = \"[^`]*\")`", text)
    assert blocks
    assert inline
    for given in [*blocks, *inline]:
        assert tomllib.loads(given).keys() <= KEYS


def test_the_sample_settings_are_valid_with_and_without_what_is_commented_out(
    tmp_path: Path,
) -> None:
    sample = text_of(DEPLOY / "systemd" / "smarthost.toml")
    whole = re.sub(r"^# ([a-z_]+ = )", r"\1", sample, flags=re.MULTILINE)
    assert len(tomllib.loads(whole)) >= len(tomllib.loads(sample)) + 8
    secret = tmp_path / "default-relay-url"
    secret.write_text("smtp://localhost?sender=notify@example.com\n")
    for text in (sample, whole.replace("/etc/smarthost/default-relay-url", str(secret))):
        (tmp_path / "smarthost.toml").write_text(text)
        config = load_config(
            {}, working_directory=tmp_path, machine_name=str, stderr_is_terminal=False
        )
        assert config.data_dir == Path("/var/lib/smarthost")
        assert config.keyring_file == Path("/var/lib/smarthost-keyring/keyring.json")


@pytest.mark.parametrize("name", ["nginx/smarthost.conf", "caddy/Caddyfile"])
def test_proxies_reach_the_usual_address_and_let_the_largest_body_through(name: str) -> None:
    text = text_of(DEPLOY / name)
    assert f" {HTTP_LISTEN.default}" in text
    (most,) = re.findall(r"(?:client_max_body_size|max_size) (\d+)(?:m;|MiB)", text)
    assert int(most) << 20 == LARGEST_BODY
