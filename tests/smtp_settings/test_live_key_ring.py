import json
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from smarthost.secret import Secret
from smarthost.smtp_settings.key_ring_file import (
    KeyRingError,
    add_key,
    create_key_ring,
    load_key_ring,
)
from smarthost.smtp_settings.live_key_ring import LiveKeyRing
from smarthost.smtp_settings.sealing import SealBrokenError, key_of
from tests.open_files import no_more_files
from tests.smtp_settings.test_sealing import DESTINATION

SECRET = Secret("c4nary p4ssw0rd")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    create_key_ring(tmp_path / "keyring.json")
    return tmp_path / "keyring.json"


def test_what_is_sealed_after_a_rotation_is_sealed_with_its_key(path: Path) -> None:
    ring = LiveKeyRing(path)
    before = ring.active
    added = add_key(path)
    assert key_of(ring.seal(SECRET, DESTINATION)) == added == ring.active
    assert ring.key_ids == {before, added}


def test_what_another_process_has_sealed_since_opens(path: Path) -> None:
    ring = LiveKeyRing(path)
    add_key(path)
    blob = load_key_ring(path).seal(SECRET, DESTINATION)
    assert ring.open(blob, DESTINATION) == SECRET


def test_a_key_that_is_in_no_ring_opens_nothing(path: Path, tmp_path: Path) -> None:
    blob = create_key_ring(tmp_path / "other.json").seal(SECRET, DESTINATION)
    ring = LiveKeyRing(path)
    for _ in range(2):
        with pytest.raises(SealBrokenError, match="is not in the ring"):
            ring.open(blob, DESTINATION)


@pytest.mark.parametrize("harm", ["gone", "damaged", "open to all"])
def test_a_ring_that_cannot_be_read_replaces_none(path: Path, harm: str) -> None:
    ring = LiveKeyRing(path)
    content = path.read_bytes()
    blob = ring.seal(SECRET, DESTINATION)
    if harm == "gone":
        path.unlink()
    elif harm == "damaged":
        path.write_bytes(content[:-5])
    else:
        path.chmod(0o644)
    assert ring.open(ring.seal(SECRET, DESTINATION), DESTINATION) == SECRET
    assert ring.open(blob, DESTINATION) == SECRET
    path.write_bytes(content)
    path.chmod(0o600)
    added = add_key(path)
    assert ring.active == added


def test_a_ring_that_could_not_be_read_for_a_moment_is_read_later(path: Path) -> None:
    ring = LiveKeyRing(path)
    added = add_key(path)
    with capture_logs() as lines, no_more_files():
        for _ in range(3):
            assert added not in ring.key_ids
    assert ring.active == added
    assert len(lines) == 1, "the reason is told once"


def test_another_ring_in_its_place_counts(path: Path, tmp_path: Path) -> None:
    """Keys that were taken out of the file are of no use any more."""
    ring = LiveKeyRing(path)
    blob = ring.seal(SECRET, DESTINATION)
    other = create_key_ring(tmp_path / "other.json")
    (tmp_path / "other.json").replace(path)
    assert ring.active == other.active
    with pytest.raises(SealBrokenError):
        ring.open(blob, DESTINATION)


def test_without_a_ring_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(KeyRingError, match="is missing"):
        LiveKeyRing(tmp_path / "keyring.json")


def test_it_does_not_show_its_keys(path: Path) -> None:
    ring = LiveKeyRing(path)
    (key,) = json.loads(path.read_bytes())["keys"].values()
    assert key not in f"{ring!r} {vars(ring)!r}"
