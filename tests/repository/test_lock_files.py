"""The lock files pin what pyproject.toml asks for, by hash, and tie nobody to one registry."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCK_FILES = ("run", "test", "uv")


def text_of(lock: str) -> str:
    return (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")


def pins_of(lock: str) -> dict[str, str]:
    found = re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", text_of(lock), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in found}


def project() -> dict[str, Any]:
    parsed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return {"build": parsed["build-system"]["requires"], **parsed["project"]}


@pytest.mark.parametrize("lock", LOCK_FILES)
def test_every_pin_has_a_hash(lock: str) -> None:
    for entry in re.split(r"\n(?=\S)", text_of(lock).strip()):
        assert re.match(r"\S+==\S+.* \\\n +--hash=sha256:[0-9a-f]{64}", entry), entry[:80]


@pytest.mark.parametrize("lock", LOCK_FILES)
def test_no_registry_and_no_path_is_named(lock: str) -> None:
    assert not re.search(r"://|--index|--find-links|@ ", text_of(lock))


@pytest.mark.parametrize("lock", ["run", "test"])
def test_the_pins_are_what_the_project_asks_for(lock: str) -> None:
    pins = pins_of(lock)
    asked = [*project()["build"], *project()["dependencies"]]
    if lock == "test":
        asked += project()["optional-dependencies"]["test"]
    for requirement in map(Requirement, asked):
        pin = pins.get(canonicalize_name(requirement.name), "nothing")
        assert pin in requirement.specifier, f"{requirement} is pinned to {pin}: make lock"


def test_what_is_tested_is_what_runs() -> None:
    assert pins_of("run").items() <= pins_of("test").items()
