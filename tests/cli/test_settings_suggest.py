"""`settings suggest`: of known providers, which asks nobody, and of a domain that is nowhere."""

import shlex

from tests.cli.program import Program


def test_a_known_provider_is_told_without_an_installation(program: Program) -> None:
    ended = program("settings", "suggest", "anna@gmail.com")
    assert (ended.code, ended.err) == (0, "")
    heading, first, second, *below = ended.out.splitlines()
    assert heading == "HOST\tPORT\tLOG IN\tPROVIDER\tSOURCE\tCONFIDENCE"
    assert first.split("\t") == [
        "smtp.gmail.com",
        "465",
        "as anna@gmail.com",
        "Gmail and Google Workspace",
        "provider table",
        "high",
    ]
    assert second.split("\t")[1] == "587"
    assert below[1] == "smtp.gmail.com, port 465:"
    assert below[2].startswith("  First: Turn on 2-Step Verification")
    assert not program.data_dir.exists()


def test_the_line_below_checks_it_and_has_what_a_save_needs(installed: Program) -> None:
    told = installed("settings", "suggest", "o'neil+tag@gmx.com").out
    line = next(line for line in told.splitlines() if line.startswith("  smarthost"))
    _, group, command, save, *options = shlex.split(line)
    assert (group, command, save) == ("settings", "check", "--save")
    typed = ("settings", "save", *options, "--password-stdin", "--json")
    saved = installed(*typed, typed="secret").json()
    assert saved["host"] == "mail.gmx.com"
    assert (saved["port"], saved["enableSSL"], saved["enableAuth"]) == (587, True, True)
    assert saved["senderAddress"] == saved["credentialsUserName"] == "o'neil+tag@gmx.com"


def test_json_is_what_the_api_answers(untouched: Program) -> None:
    best, *_ = untouched("settings", "suggest", "anna@free.fr", "--json").json()
    assert best["host"] == "smtp.free.fr"
    assert best["credentialsUserName"] == "anna"
    assert (best["source"], best["confidence"]) == ("provider table", "high")


def test_a_domain_alone_will_do(untouched: Program) -> None:
    told = untouched("settings", "suggest", "gmx.de").out
    assert "--sender-address EMAIL --user-name NAME" in told


def test_where_nothing_is_found_the_answer_is_no(untouched: Program) -> None:
    ended = untouched("settings", "suggest", "anna@example.invalid")
    assert ended.code == 1
    assert "Nothing is known about example.invalid" in ended.out
    ended = untouched("settings", "suggest", "anna@example.invalid", "--json")
    assert (ended.code, ended.json()) == (1, [])


def test_what_is_no_address_is_refused(untouched: Program) -> None:
    untouched("settings", "suggest", "anna@").assert_one_line(2, "The domain after the @")
