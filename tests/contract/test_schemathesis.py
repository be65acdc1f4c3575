import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.service import SETTINGS, Service, running_service

HERE = Path(__file__).parent
CONFIGURATION = HERE / "schemathesis.toml"
# It needs half a minute alone; below the limit of every test.
PATIENCE = 240


def schemathesis(service: Service, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIGURATION)]
    environment = os.environ | {
        "CONTRACT_KEY": service.key,
        "SCHEMATHESIS_HOOKS": str(HERE / "schemathesis_hooks.py"),
    }
    return subprocess.run(
        [*command, "run", f"{service.url}/openapi.json"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One whose checks and tests, to whatever host, end before they connect."""
    folder = tmp_path_factory.mktemp("schemathesis")
    with running_service(folder, RELAY_NETWORKS="198.51.100.7") as running:
        yield running


@pytest.mark.long
def test_the_service_does_what_its_document_says(service: Service, tmp_path: Path) -> None:
    run = schemathesis(service, tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    seed = tomllib.loads(CONFIGURATION.read_text())["seed"]
    assert f"Seed: {seed}" in run.stdout
    for phase in ("Examples", "Coverage", "Fuzzing", "Stateful"):
        assert f"✅ {phase}" in run.stdout, run.stdout
    # A run that had lost its key would have seen nothing but 401.
    assert service.ask("GET", SETTINGS, key=service.key).status == 200


def test_no_check_is_switched_off() -> None:
    configuration = tomllib.loads(CONFIGURATION.read_text())
    assert set(configuration["checks"]) == {"positive_data_acceptance"}
    assert set(configuration["checks"]["positive_data_acceptance"]) == {"expected-statuses"}
    assert "phases" not in configuration
