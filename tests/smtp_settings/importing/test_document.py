"""What docs/importing.md says is read, is read; and the other way round."""

import re
from pathlib import Path

from smarthost.smtp_settings.importing.dialects import DIALECTS
from smarthost.smtp_settings.importing.keycloak import KEYCLOAK
from smarthost.smtp_settings.importing.model import Field, Left, Meaning, Unverified
from smarthost.smtp_settings.importing.url import URL_OPTIONS

DOCUMENT = Path(__file__).parents[3] / "docs" / "importing.md"
NAMED = {
    name.lower().partition("=")[0]
    for name in re.findall(r"`([^`\s]+)`", DOCUMENT.read_text(encoding="utf-8"))
}


def is_read(meaning: Meaning) -> bool:
    return not isinstance(meaning, (Left, Unverified)) and meaning is not Field.TRANSPORT


def is_named(name: str) -> bool:
    endings = [one.removeprefix("…") for one in NAMED if one.startswith("…")]
    return name in NAMED or any(name.endswith(one) for one in endings)


def test_all_that_is_read_is_documented() -> None:
    tables = [*(one.meanings for one in DIALECTS), URL_OPTIONS, KEYCLOAK]
    read = {name for table in tables for name, meaning in table.items() if is_read(meaning)}
    assert {name for name in read if not is_named(name)} == set()


def test_all_variables_that_are_documented_are_known() -> None:
    known = {name for dialect in DIALECTS for name in dialect.meanings}
    variables = {
        name
        for name in NAMED
        if re.fullmatch(r"(mail|email|smtp|mailer|discourse|ghost|gitea|forgejo)_\w+", name)
    }
    assert {name for name in variables if name not in known} == set()
