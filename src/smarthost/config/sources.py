"""Where the settings come from: the environment first, then `smarthost.toml`.

This gathers text and knows no setting's meaning. A name that nobody knows is a fault, because a
misspelt setting that is quietly passed over is found on the day it was needed.
"""

import difflib
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from smarthost.config.faults import Fault, InvalidValueError, shown
from smarthost.config.settings import PREFIX, SETTINGS

FILE_NAME = "smarthost.toml"

# Kubernetes and Docker describe a service named smarthost, or smarthost-something, like this.
INJECTED = re.compile(
    r"_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_[A-Z]+)?)?)\Z"
)

_SUFFIX = "_FILE"
_LARGEST_FILE = 1_048_576  # octets; far above any real file, far below what would fill memory
_POSITION = re.compile(r"\(at [a-z0-9, ]+\)\Z")


@dataclass(frozen=True, kw_only=True, slots=True)
class Given:
    """The text of one setting, and `label`, the name under which the operator wrote it."""

    label: str
    text: str = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sources:
    """What was given for each setting (by its name), injected names, and faults so far."""

    given: Mapping[str, Given]
    ignored_names: tuple[str, ...]
    faults: tuple[Fault, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Form:
    """How one source writes names: `written` turns `HTTP_LISTEN` into its own form."""

    written: Callable[[str], str]
    label: Callable[[str], str]


_ENVIRONMENT = _Form(written=lambda name: PREFIX + name, label=str)
_FILE = _Form(written=str.lower, label=lambda key: f"{FILE_NAME}: {key}")


def read_sources(environ: Mapping[str, str], *, working_directory: Path) -> Sources:
    """Gather all settings; the environment goes before the file, and blank text is not set."""
    faults: list[Fault] = []
    variables = {name: text for name, text in environ.items() if name.startswith(PREFIX)}
    names = {_ENVIRONMENT.written(name) for name in _known_names()}
    ignored = {name for name in variables if name not in names and INJECTED.search(name)}
    ours = {name: text for name, text in variables.items() if name not in ignored}
    written = {
        **_collect(_table(working_directory, faults), _FILE, faults),
        **_collect(ours, _ENVIRONMENT, faults),
    }
    given = {name: _content(one, working_directory, faults) for name, one in written.items()}
    return Sources(
        given={name: one for name, one in given.items() if one is not None},
        ignored_names=tuple(sorted(ignored)),
        faults=tuple(faults),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Written:
    """What one source holds for a setting: its text, or the path of a file with the text."""

    label: str
    text: str = field(repr=False)
    is_path: bool


_TAKING_EMPTY = frozenset((setting.name, False) for setting in SETTINGS if setting.takes_empty)


def _known_names() -> dict[str, tuple[str, bool]]:
    """Give each name without prefix: the setting it belongs to, and whether it is a path."""
    plain = {setting.name: (setting.name, False) for setting in SETTINGS}
    files = {
        setting.name + _SUFFIX: (setting.name, True) for setting in SETTINGS if setting.secret
    }
    return plain | files


def _collect(
    entries: Mapping[str, object], form: _Form, faults: list[Fault]
) -> dict[str, _Written]:
    known = {form.written(name): setting for name, setting in _known_names().items()}
    collected: dict[str, _Written] = {}
    for name, text in sorted(entries.items()):
        label = form.label(shown(name))
        if name not in known:
            message = "there is no such setting." + _suggestion(name, form)
            faults.append(Fault(name=label, message=message))
        elif not isinstance(text, str):
            faults.append(Fault(name=label, message="write the value as text, in quotes."))
        elif text.strip() or known[name] in _TAKING_EMPTY:
            setting, is_path = known[name]
            if setting in collected:
                other = collected[setting].label
                message = f"{other} gives the same setting; keep one of the two."
                faults.append(Fault(name=label, message=message))
            collected[setting] = _Written(label=label, text=text, is_path=is_path)
    return collected


def _suggestion(name: str, form: _Form) -> str:
    bare = name[:100].upper().replace("-", "_").removeprefix(PREFIX)
    close = difflib.get_close_matches(bare, _known_names(), n=1, cutoff=0.7)
    return f" Did you mean {form.written(close[0])}?" if close else ""


def _content(written: _Written, directory: Path, faults: list[Fault]) -> Given | None:
    if not written.is_path:
        return Given(label=written.label, text=written.text)
    try:
        text = _secret_text(directory, written.text)
    except (OSError, InvalidValueError) as error:
        # The path is left out: whoever mistook the name has put the secret itself there.
        message = f"the file that it names {_why(error)}"
        faults.append(Fault(name=written.label, message=message))
        return None
    return Given(label=written.label, text=text)


def _secret_text(directory: Path, path: str) -> str:
    if not path.isprintable():
        raise InvalidValueError("has a control character or an invisible one in its path.")
    text = _read_text(directory / path).removesuffix("\n").removesuffix("\r")
    if not text.strip():
        raise InvalidValueError("is empty.")
    return text


def _table(directory: Path, faults: list[Fault]) -> dict[str, object]:
    try:
        return tomllib.loads(_read_text(directory / FILE_NAME))
    except FileNotFoundError:
        return {}
    except (OSError, InvalidValueError) as error:
        faults.append(Fault(name=FILE_NAME, message=f"the file {_why(error)}"))
    except (ValueError, RecursionError) as error:
        # Only the position is passed on: the parser may quote what stands there.
        position = _POSITION.search(str(error))
        where = f" {position[0]}" if position else ""
        message = f'this is not TOML{where}. Write lines like http_listen = "127.0.0.1:8025".'
        faults.append(Fault(name=FILE_NAME, message=message))
    return {}


def _read_text(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(_LARGEST_FILE + 1)
    if len(content) > _LARGEST_FILE:
        raise InvalidValueError("is larger than 1 MiB.")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidValueError("is not UTF-8 text.") from None


def _why(error: OSError | InvalidValueError) -> str:
    return f"cannot be read: {error.strerror}." if isinstance(error, OSError) else str(error)
