"""A test whose program is missing is left out and named at the end; no setting leaks in."""

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

CONFTEST = Path(__file__).parents[1] / "conftest.py"


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeconftest(CONFTEST.read_text(encoding="utf-8"))
    pytester.makeini("[pytest]\nmarkers = needs(*programs): programs\naddopts = -p no:socket\n")
    return pytester


def test_a_test_whose_program_is_missing_is_left_out_by_name(project: pytest.Pytester) -> None:
    project.makepyfile("""
        import pytest

        @pytest.mark.needs("no-such-program")
        def test_one(): assert False

        @pytest.mark.needs("sh", "no-such-program")
        def test_two(): assert False

        @pytest.mark.needs("sh")
        def test_three(): pass
    """)
    result = project.runpytest_subprocess()
    result.assert_outcomes(passed=1, skipped=2)
    result.stdout.fnmatch_lines(
        ["left out: 2 tests need no-such-program (not installed):", "  *test_one", "  *test_two"]
    )


def test_a_run_with_every_program_names_no_gap(project: pytest.Pytester) -> None:
    project.makepyfile("def test_one(): pass")
    project.runpytest_subprocess().stdout.no_fnmatch_line("*left out*")


def test_no_setting_of_the_machine_reaches_a_test(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMARTHOST_DATA_DIR", "/somewhere/else")
    project.makepyfile("""
        import os

        def test_environment(): assert not [n for n in os.environ if n.startswith("SMARTHOST_")]
    """)
    project.runpytest_subprocess().assert_outcomes(passed=1)
