"""What every test can rely on: no setting of the machine leaks in, and a test that needs a program
that is not installed is left out and named at the end, so that a green run never hides a gap.
"""

import gc
import itertools
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Generator, Iterator
from operator import itemgetter
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples in every run; `--hypothesis-profile=explore` looks for new ones.
settings.register_profile("default", deadline=None, derandomize=True, print_blob=True)
settings.register_profile("explore", deadline=None, print_blob=True)
settings.load_profile("default")

# Debian keeps daemons in folders that are not on an ordinary user's path.
FOLDERS = ["/usr/sbin", "/sbin", *map(str, Path("/usr/lib/postgresql").glob("*/bin"))]
SEARCH_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), *FOLDERS))

# Where files are in memory, and what they may take there.
MEMORY = Path("/dev/shm")
ROOM = 1 << 30
# Those whose tests are also about what a disk has.
ON_DISK = {"app", "cli", "database", "journeys"}

# The missing programs and the test, of each test left out.
LEFT_OUT = pytest.StashKey[list[tuple[str, str]]]()


@pytest.fixture(scope="session", autouse=True)
def environment() -> Iterator[None]:
    """Remove every setting of Smarthost, before the first server of a test starts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", SEARCH_PATH)
        for name in [name for name in os.environ if name.startswith("SMARTHOST_")]:
            patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for this process, in memory where there is room.

    What a process that was killed leaves there is removed where the next PostgreSQL is started.
    """
    if not os.access(MEMORY, os.W_OK) or shutil.disk_usage(MEMORY).free < ROOM:
        yield tmp_path_factory.getbasetemp()
        return
    with tempfile.TemporaryDirectory(
        prefix=f"smarthost-tests-{os.getpid()}-", dir=MEMORY, ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)


@pytest.fixture
def tmp_path(tmp_path: Path, memory: Path, request: pytest.FixtureRequest) -> Path:
    """A folder of the test's own; a third of the time of a test with a store went to the disk."""
    if ON_DISK.intersection(request.path.parts):
        return tmp_path
    folder = memory / tmp_path.name
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def pytest_configure(config: pytest.Config) -> None:
    config.stash[LEFT_OUT] = []
    # What a script starts in the background ignores Ctrl-C, and so would all that it starts.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_unconfigure() -> None:
    engines = sys.modules.get("tests.engines")  # no test may have needed them
    if engines is not None:
        engines.stop_server()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    # Thousands of tests make millions of objects that stay: the collector need not go through them
    # again and again while they are made.
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_finish() -> None:
    # Nor in the middle of a test that looks at how long something takes.
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = [item for item in items if not _is_asked_elsewhere(item)]
    # One of them begun last would be alone at the end.
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def _is_asked_elsewhere(item: pytest.Item) -> bool:
    values = getattr(item, "callspec", None)
    on_server = values is not None and "postgresql" in values.params.values()
    return on_server and item.get_closest_marker("one_engine") is not None


def pytest_runtest_setup(item: pytest.Item) -> None:
    programs = [name for marker in item.iter_markers("needs") for name in marker.args]
    missing = [name for name in programs if shutil.which(name, path=SEARCH_PATH) is None]
    if missing:
        item.config.stash[LEFT_OUT].append((", ".join(missing), item.nodeid))
        pytest.skip(f"needs {', '.join(missing)}")


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    left_out = config.stash[LEFT_OUT]
    if not left_out:
        return
    terminalreporter.section("left out", yellow=True)
    for programs, group in itertools.groupby(sorted(left_out), key=itemgetter(0)):
        tests = [test for _, test in group]
        needs = "test needs" if len(tests) == 1 else "tests need"
        terminalreporter.line(f"left out: {len(tests)} {needs} {programs} (not installed):")
        for test in tests:
            terminalreporter.line(f"  {test}")
