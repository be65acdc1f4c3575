"""The Dockerfile and the Compose files agree with the program, each other and the lock file."""

import re
from pathlib import Path

import pytest

from smarthost import __version__
from smarthost.config.settings import HTTP_LISTEN, SUBMISSION_LISTEN
from tests.journeys.image import Stage, instructions, last_stage
from tests.repository.handed_out import COMPOSE, DEPLOY, ROOT, named, text_of


@pytest.fixture(scope="module")
def stage() -> Stage:
    return last_stage()


def test_the_image_has_this_version(stage: Stage) -> None:
    assert stage.labels["org.opencontainers.image.version"] == __version__


def test_the_image_listens_at_the_usual_ports_for_all(stage: Stage) -> None:
    settings = (HTTP_LISTEN, SUBMISSION_LISTEN)
    ports = [setting.default.rpartition(":")[2] for setting in settings]
    assert stage.ports == [int(port) for port in ports]
    for setting, port in zip(settings, ports, strict=True):
        assert stage.environment[setting.variable] == f"0.0.0.0:{port}"


def test_the_image_keeps_everything_in_its_volumes(stage: Stage) -> None:
    data, ring = stage.volumes
    assert stage.environment["SMARTHOST_DATA_DIR"] == data
    assert Path(stage.environment["SMARTHOST_KEYRING_FILE"]).parent == Path(ring)
    assert stage.user == "10001:10001"


def test_no_base_image_names_a_registry() -> None:
    froms = re.findall(r"^FROM (\S+)", text_of(ROOT / "Dockerfile"), re.MULTILINE)
    assert froms == ["debian:bookworm-slim", "python", "python"]


def test_what_the_image_is_built_from_is_sent_and_nothing_else() -> None:
    ignored = [line for line in text_of(ROOT / ".dockerignore").splitlines() if line[:1] != "#"]
    sent = {line[1:] for line in ignored if line.startswith("!")}
    copies = [rest.split() for one in instructions() for name, rest in one if name == "COPY"]
    sources = {word for words in copies if words[0][:2] != "--" for word in words[:-1]}
    assert ignored[0] == "*"
    assert sent == sources


def test_what_only_building_needs_is_taken_out_and_nothing_else() -> None:
    """As the lock file says it: what nothing but the build's own packages has asked for."""
    lock = text_of(ROOT / "requirements" / "run.txt")
    asked_by = {
        match[1]: set(re.findall(r"^    #(?: via)?\s+(?:via )?(\S.*)$", match[0], re.MULTILINE))
        for match in re.finditer(r"^([a-z0-9-]+)==.*\n(?:    .*\n)+", lock, re.MULTILINE)
    }
    building: set[str] = set()
    while (
        more := {
            name
            for name, asking in asked_by.items()
            if asking - {""} <= building | {"-r requirements/build.in"}
        }
        - building
    ):
        building |= more
    assert "hatchling" in building
    script = text_of(DEPLOY / "venv").replace("\\\n", " ")
    removed = re.search(r"^pip uninstall --yes (setuptools .*)$", script, re.MULTILINE)
    assert removed
    assert set(removed[1].split()) == building | {"setuptools"}


@pytest.mark.parametrize("path", COMPOSE, ids=named)
def test_compose_publishes_ports_of_the_image(path: Path, stage: Stage) -> None:
    text = text_of(path)
    own = {int(port) for port in re.findall(r"_LISTEN: \S+:(\d+)$", text, re.MULTILINE)}
    # A proxy's own are not the image's.
    text = text.partition("\n  proxy:\n")[0]
    for published in re.findall(r'^      - "([\d.:]+)"$', text, re.MULTILINE):
        assert int(published.rpartition(":")[2]) in {*stage.ports, *own}, published
    # A number with a colon is one number to some readers of YAML.
    assert not re.search(r"^\s+- [\d.]+:\d", text, re.MULTILINE)


def test_compose_mounts_the_volumes_of_the_image(stage: Stage) -> None:
    text = text_of(ROOT / "compose.yaml")
    assert re.findall(r"^      - [a-z]+:(/\S+)$", text, re.MULTILINE) == stage.volumes
    for line in (
        "read_only: true",
        "cap_drop:\n      - ALL",
        "no-new-privileges:true",
        "127.0.0.1:8025:8025",
    ):
        assert line in text
