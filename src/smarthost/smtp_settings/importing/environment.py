"""The variables of a program, known by their names."""

from collections.abc import Iterable

from smarthost.smtp_settings.importing.dialects import DIALECTS, Dialect
from smarthost.smtp_settings.importing.gathering import Gathering
from smarthost.smtp_settings.importing.model import Field, Left, Unverified
from smarthost.smtp_settings.importing.url import gather_url
from smarthost.smtp_settings.importing.variables import Variables

_MOST_NAMED = 10


def gather_variables(gathering: Gathering, variables: Variables) -> str | None:
    """Take in what all variables say; return whose they are, None if they are nobody's known.

    A file may be that of several programs. What they say has to be the same then.
    """
    spoken = [
        one for one in DIALECTS if any(_has_value(variables, one, mark) for mark in one.marks)
    ]
    for dialect in spoken:
        _gather(gathering, variables, dialect)
    if not spoken:
        return None
    _tell_unread(gathering, variables, spoken)
    return f"a file of {' and '.join(one.name for one in spoken)}"


def _has_value(variables: Variables, dialect: Dialect, name: str) -> bool:
    found = variables.get(name)
    if found is None:
        return False
    return bool(found.unreadable) or found.value.strip().lower() not in dialect.nothing


def _gather(gathering: Gathering, variables: Variables, dialect: Dialect) -> None:
    if dialect.default_port is not None:
        gathering.default_port(dialect.default_port)
    for name, meaning in dialect.meanings.items():
        found = variables.get(name)
        if found is None:
            continue
        if found.unreadable:
            if not isinstance(meaning, (Left, Unverified)):
                gathering.faults.append(f"{found.name}: {found.unreadable}.")
        elif not _has_value(variables, dialect, name):
            continue
        elif meaning is Field.URL:
            gather_url(gathering, found.value.strip(), found.name, dialect.url_smtps)
        else:
            gathering.take(meaning, found.value, found.name)


def _tell_unread(gathering: Gathering, variables: Variables, spoken: Iterable[Dialect]) -> None:
    known = {name for dialect in spoken for name in dialect.meanings}
    prefixes = tuple(prefix for dialect in spoken for prefix in dialect.prefixes)
    unread = [
        found.name
        for name, found in variables.items()
        if prefixes and name.startswith(prefixes) and name not in known
    ]
    if unread:
        more = ", …" if len(unread) > _MOST_NAMED else ""
        gathering.notes.append(f"Not read: {', '.join(unread[:_MOST_NAMED])}{more}.")
