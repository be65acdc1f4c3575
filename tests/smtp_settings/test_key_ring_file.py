import base64
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smarthost.secret import Secret
from smarthost.smtp_settings.key_ring_file import (
    KeyRingBusyError,
    KeyRingError,
    add_key,
    create_key_ring,
    load_key_ring,
    only_rotation,
)
from smarthost.smtp_settings.sealing import KEY_OCTETS, KeyRing, key_id
from tests.processes import need_tracing, run_python, start_python
from tests.smtp_settings.test_sealing import DESTINATION

KEY = bytes(range(100, 100 + KEY_OCTETS))
ENCODED = base64.b64encode(KEY).decode()
CREATE = """
import sys
from pathlib import Path
from smarthost.smtp_settings.key_ring_file import create_key_ring

sys.stdin.readline()
print(create_key_ring(Path(sys.argv[1])).active)
"""

ADD = """
import sys
from pathlib import Path
from smarthost.smtp_settings.key_ring_file import add_key, only_rotation

with only_rotation(Path(sys.argv[1])):
    print(add_key(Path(sys.argv[1])))
"""
HOLD = """
import sys
from pathlib import Path
from smarthost.smtp_settings.key_ring_file import only_rotation

with only_rotation(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keyring.json"


def write(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o600)


def ring_file(**changes: Any) -> dict[str, Any]:
    return {"version": 1, "active": key_id(KEY), "keys": {key_id(KEY): ENCODED}, **changes}


def refused(path: Path) -> str:
    with pytest.raises(KeyRingError) as caught:
        load_key_ring(path)
    message = str(caught.value)
    assert str(path) in message
    return message


def same(one: KeyRing, other: KeyRing) -> bool:
    blob = one.seal(Secret("password"), DESTINATION)
    return other.open(blob, DESTINATION) == Secret("password") and one.key_ids == other.key_ids


def test_a_new_ring_is_its_owners_alone_and_can_be_read_again(path: Path) -> None:
    umask = os.umask(0)
    try:
        ring = create_key_ring(path)
    finally:
        os.umask(umask)
    assert path.stat().st_mode & 0o777 == 0o600
    assert same(ring, load_key_ring(path))
    assert list(path.parent.iterdir()) == [path], "no draft is left behind"


def test_two_rings_have_nothing_in_common(tmp_path: Path) -> None:
    one, other = (create_key_ring(tmp_path / name) for name in ("one", "other"))
    assert not one.key_ids & other.key_ids


def test_a_ring_that_is_there_is_never_replaced(path: Path) -> None:
    first = create_key_ring(path)
    content = path.read_bytes()
    assert same(first, create_key_ring(path))
    assert path.read_bytes() == content


def test_threads_that_make_one_at_the_same_moment_get_the_same(path: Path) -> None:
    made: list[str] = []
    together = threading.Barrier(8)

    def make() -> None:
        together.wait(10)
        made.append(create_key_ring(path).active)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert made == [load_key_ring(path).active] * 8


def test_processes_that_make_one_at_the_same_moment_get_the_same(path: Path) -> None:
    processes = [start_python(CREATE, path) for _ in range(4)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    ended = [process.communicate(timeout=60) for process in processes]
    assert ended == [(f"{load_key_ring(path).active}\n", "")] * 4
    assert list(path.parent.iterdir()) == [path]


def test_a_missing_ring_is_said_to_be_missing(path: Path) -> None:
    assert refused(path) == f"The key ring {path} is missing."


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o610, 0o601, 0o777])
def test_a_ring_that_others_can_reach_is_refused(path: Path, mode: int) -> None:
    create_key_ring(path)
    path.chmod(mode)
    assert refused(path).endswith(f"can be read by other users. Type: chmod 600 '{path}'")


def test_a_ring_that_its_owner_alone_can_read_will_do(path: Path) -> None:
    create_key_ring(path)
    path.chmod(0o400)
    load_key_ring(path)


def test_a_folder_is_no_ring(path: Path) -> None:
    path.mkdir()
    assert "cannot be read: Is a directory." in refused(path)


def test_a_folder_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(KeyRingError, match=r"cannot be written: No such file or directory\."):
        create_key_ring(tmp_path / "gone" / "keyring.json")


def test_the_ring_of_an_example_is_read(path: Path) -> None:
    write(path, json.dumps(ring_file()).encode())
    assert load_key_ring(path).key_ids == {key_id(KEY)}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"null",
        b"[]",
        b"\xff\xfe",
        json.dumps(ring_file()).encode()[:-1],
        json.dumps(ring_file()).encode()[:80],
        json.dumps(ring_file()).encode("utf-16"),
        b'{"extra": ' + b"[" * 100_000,
        json.dumps(ring_file(version=2)).encode(),
        json.dumps(ring_file(version="1")).encode(),
        json.dumps(ring_file(active="")).encode(),
        json.dumps(ring_file(active="0" * 16)).encode(),
        json.dumps(ring_file(active=ENCODED)).encode(),
        json.dumps(ring_file(keys={})).encode(),
        json.dumps(ring_file(keys=[ENCODED])).encode(),
        json.dumps(ring_file(keys={key_id(KEY): KEY.hex()})).encode(),
        json.dumps(ring_file(keys={key_id(KEY): ENCODED[:-4]})).encode(),
        json.dumps(ring_file(keys={key_id(KEY): ENCODED + "!"})).encode(),
        json.dumps(ring_file(keys={key_id(KEY): "schlüssel"})).encode(),
        json.dumps(ring_file(keys={"0" * 16: ENCODED})).encode(),
        json.dumps(ring_file(keys={key_id(KEY): ENCODED, "other": ENCODED})).encode(),
        json.dumps(ring_file(keys={key_id(KEY): 5})).encode(),
    ],
)
def test_a_damaged_ring_is_refused_without_a_word_of_it(path: Path, content: bytes) -> None:
    write(path, content)
    assert refused(path) == f"The key ring {path} is damaged. Restore it from its back-up."


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_ring_with_any_octet_changed_is_the_same_ring_or_none(
    path: Path, data: st.DataObject
) -> None:
    content = bytearray(json.dumps(ring_file()).encode())
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    write(path, bytes(content))
    try:
        ring = load_key_ring(path)
    except KeyRingError as error:
        assert str(error).startswith(f"The key ring {path} is damaged.")  # noqa: PT017
    else:
        assert ring.key_ids == {key_id(KEY)}


def test_a_new_key_is_active_and_the_others_stay(path: Path) -> None:
    before = create_key_ring(path)
    added = [add_key(path) for _ in range(2)]
    after = load_key_ring(path)
    assert after.active == added[-1]
    assert after.key_ids == {before.active, *added}
    blob = before.seal(Secret("password"), DESTINATION)
    assert after.open(blob, DESTINATION) == Secret("password")
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_copies_of_the_ring_are_not_taken_for_drafts(path: Path) -> None:
    create_key_ring(path)
    names = [
        f".{path.name}.{ending}" for ending in ("old", "0123456789abcdef0", "0123456789ABCDEF")
    ]
    draft = path.with_name(f".{path.name}.0123456789abcdef")
    for file in (*map(path.with_name, names), draft):
        file.write_bytes(path.read_bytes())
    with only_rotation(path):
        add_key(path)
    assert {file.name for file in path.parent.iterdir()} == {path.name, *names}


def test_behind_a_link_the_file_itself_is_replaced(path: Path) -> None:
    create_key_ring(path)
    link = path.parent / "elsewhere" / "keyring.json"
    link.parent.mkdir()
    link.symlink_to(path)
    added = add_key(link)
    assert link.is_symlink()
    assert load_key_ring(path).active == added
    assert list(link.parent.iterdir()) == [link]


def test_a_ring_stays_its_owners(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, who may give files away")
    create_key_ring(path)
    os.chown(path, 1234, 2345)
    add_key(path)
    seen = path.stat()
    assert (seen.st_uid, seen.st_gid, seen.st_mode & 0o777) == (1234, 2345, 0o600)


def test_a_damaged_ring_gets_no_key(path: Path) -> None:
    write(path, b"{}")
    with pytest.raises(KeyRingError, match="is damaged"):
        add_key(path)
    assert path.read_bytes() == b"{}"


@pytest.mark.needs("strace")
@pytest.mark.parametrize(
    "failing", ["rename:error=EROFS", "fsync:error=EIO", "write:error=ENOSPC"]
)
def test_what_cannot_be_replaced_stays_as_it_is(path: Path, failing: str) -> None:
    need_tracing()
    create_key_ring(path)
    before = path.read_bytes()
    call = failing.partition(":")[0]
    under = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}"]
    injected = f"inject={failing}" + (":when=1" if call == "write" else "")
    ended = run_python(ADD, path, under=[*under, "-e", injected])
    assert "KeyRingError: The key ring" in ended.errors
    assert "Nothing was changed" in ended.errors
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.needs("strace")
@pytest.mark.parametrize(
    "point", ["write:when=1", "fsync:when=1", "rename:when=1", "fsync:when=2"]
)
def test_a_kill_leaves_the_ring_from_before_or_the_new_one(path: Path, point: str) -> None:
    need_tracing()
    before = create_key_ring(path)
    call, _, when = point.partition(":")
    inject = f"inject={call}:signal=KILL:{when}"
    under = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", inject]
    assert run_python(ADD, path, under=under).status < 0
    assert load_key_ring(path).key_ids >= before.key_ids
    with only_rotation(path):
        added = add_key(path)
    assert load_key_ring(path).active == added
    assert list(path.parent.iterdir()) == [path], "no draft with a key in it is left"


def test_one_rotates_at_a_time(path: Path) -> None:
    create_key_ring(path)
    other = start_python(HOLD, path)
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    with pytest.raises(KeyRingBusyError, match="being rotated just now"), only_rotation(path):
        pytest.fail("nothing is begun")
    other.kill()
    other.communicate(timeout=60)
    with only_rotation(path):
        add_key(path)
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_that_is_missing_cannot_be_locked(tmp_path: Path) -> None:
    gone = tmp_path / "gone" / "keyring.json"
    with pytest.raises(KeyRingError, match="cannot be locked"), only_rotation(gone):
        pytest.fail("nothing is begun")
