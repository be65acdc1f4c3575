"""A `.env` file: lines `NAME=value`, quoted or not, as the libraries called dotenv read them.

They differ in the details. What all of them know is read; where they would come to different
values (a variable that is there twice, a quotation mark in the middle), the variable is
unreadable, which matters only if it is asked for.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

LONGEST_VALUE = 4_096
"""Characters of a value once all references in it are filled in."""

_LINE = re.compile(r"[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.]*)[ \t]*=")
_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_.]*)\}")
_COMMENT = re.compile(r"[ \t]+#[^\n]*")
_REST_OF_LINE = re.compile(r"[^\n]*")
_QUOTED = {"'": re.compile(r"'([^']*)'"), '"': re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)}
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
_AFTER_QUOTED = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n|$)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Variable:
    """One variable, under the name that the file has."""

    name: str
    value: str = field(repr=False)
    unreadable: str = ""
    """Why there is no value; empty where there is one."""


Variables = Mapping[str, Variable]
"""By their names in lower case."""


def read_variables(text: str) -> Variables:
    """Read all variables; what is none is passed over.

    `${NAME}` is filled in from the lines before, but for single quotation marks; where there is no
    such variable it stays as it is, and so does `$NAME`.
    """
    found: dict[str, Variable] = {}
    text = text.replace("\r\n", "\n")
    at = 0
    while at < len(text):
        line = _LINE.match(text, at)
        if line is None:
            at = _next_line(text, at)
            continue
        variable, at = _read(line[1], text, line.end(), found)
        known = found.setdefault(variable.name.lower(), variable)
        if (known.value, known.unreadable) != (variable.value, variable.unreadable):
            found[variable.name.lower()] = _unreadable(
                variable.name, "it is there twice, with different values"
            )
    return found


def _read(name: str, text: str, at: int, known: Variables) -> tuple[Variable, int]:
    """Return the variable whose value begins at `at`, and where the next line begins."""
    raw = _line_at(text, at)
    start = at + len(raw) - len(raw.lstrip(" \t"))
    quote = text[start : start + 1]
    if quote not in _QUOTED:
        value = _COMMENT.split(raw, maxsplit=1)[0].strip(" \t")
        return _filled(name, [value], known), _next_line(text, at)
    quoted = _QUOTED[quote].match(text, start)
    if quoted is None:
        return _unreadable(name, "its quotation mark has no second one"), _next_line(text, at)
    if not _AFTER_QUOTED.match(text, quoted.end()):
        reason = "something follows its closing quotation mark"
        return _unreadable(name, reason), _next_line(text, quoted.end())
    after = _next_line(text, quoted.end())
    if quote == "'":
        return _bounded(name, quoted[1]), after
    return _filled(name, list(_unescaped(quoted[1])), known), after


def _unescaped(text: str) -> Iterator[str]:
    """Give pieces in which references are looked for; one that was escaped falls apart."""
    at = 0
    for escape in _ESCAPED.finditer(text):
        yield text[at : escape.start()]
        yield _ESCAPES.get(escape[1], escape[1])
        at = escape.end()
    yield text[at:]


def _filled(name: str, pieces: list[str], known: Variables) -> Variable:
    # The length is looked at on the way: references to references grow without end.
    value, length = [], 0
    for piece in pieces:
        at = 0
        for reference in _REFERENCE.finditer(piece):
            source = known.get(reference[1].lower())
            filled = reference[0] if source is None or source.unreadable else source.value
            value += [piece[at : reference.start()], filled]
            length += len(value[-2]) + len(value[-1])
            at = reference.end()
            if length > LONGEST_VALUE:
                return _bounded(name, "".join(value))
        value.append(piece[at:])
        length += len(value[-1])
    return _bounded(name, "".join(value))


def _bounded(name: str, value: str) -> Variable:
    if len(value) > LONGEST_VALUE:
        return _unreadable(name, f"it has more than {LONGEST_VALUE} characters")
    return Variable(name=name, value=value)


def _unreadable(name: str, reason: str) -> Variable:
    return Variable(name=name, value="", unreadable=reason)


def _line_at(text: str, at: int) -> str:
    found = _REST_OF_LINE.match(text, at)
    return "" if found is None else found[0]


def _next_line(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end + 1
