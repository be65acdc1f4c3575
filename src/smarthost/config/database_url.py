"""Where the store is, written as one URL: SQLite in a file, or a PostgreSQL server.

`sqlite:///file`, or `postgresql://user:password@host:port/database?sslmode=…` as libpq has it. The
URL may hold a password, and a mistake in its punctuation can put a piece of that anywhere; so no
message here repeats any part of it.
"""

import re
from pathlib import Path
from typing import NoReturn
from urllib.parse import parse_qsl, unquote, urlsplit

from smarthost.config.faults import InvalidValueError
from smarthost.secret import Secret

_SQLITE = "sqlite:///"
_POSTGRESQL = ("postgresql://", "postgres://")
_OTHER_DRIVERS = ("postgresql", "postgres")
_OPTIONS = (
    "host",
    "port",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "sslcrl",
    "target_session_attrs",
)
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PRIMARY = "primary"
# Without a word libpq takes the first that answers; here the primary is found all the same.
_ALSO_PRIMARY = ("read-write", "any")
_PORTS = re.compile(r"[0-9]{0,5}(,[0-9]{0,5})*")
_HOST = re.compile(r"(\[[^\]]*\]|[^:]*)(:[0-9]{1,5})?")
_ENCODE = "In user name and password, write : / ? # @ % as %3A %2F %3F %23 %40 %25."


def parse_database(text: str) -> Path | Secret:
    """Give the file of an SQLite URL, relative or absolute, or the whole URL of a server."""
    lowered = text.lower()
    if lowered.startswith(_POSTGRESQL):
        return _postgresql(text)
    if lowered.startswith(_OTHER_DRIVERS):
        raise InvalidValueError("the URL of a PostgreSQL server starts with postgresql://.")
    return _sqlite(text)


def _sqlite(text: str) -> Path:
    """Give the file of `sqlite:///relative/file` or `sqlite:////absolute/file`.

    What follows the three slashes is the path, percent-encoded where it has to be.
    """
    path = unquote(text[len(_SQLITE) :])
    if not text.lower().startswith(_SQLITE) or not path.strip("/") or set("?#") & set(text):
        _refuse()
    if path.startswith(":") or path.endswith("/") or "\ufffd" in path or not path.isprintable():
        _refuse()
    return Path(path)


def _postgresql(text: str) -> Secret:
    faults: list[str] = []
    if "#" in text or _BAD_PERCENT.search(text):
        faults.append(f"the URL holds a # or a % that starts no %XX. {_ENCODE}")
    try:
        parts = urlsplit(text)
        options = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        raise InvalidValueError(f"this is not the URL of a server. {_ENCODE}") from None
    if "@" in parts.netloc.rpartition("@")[0] + parts.path:
        faults.append(f"there is an @ too many. {_ENCODE}")
    faults += _host_faults(parts.netloc.rpartition("@")[2], dict(options))
    if not parts.path.strip("/") or "/" in parts.path[1:]:
        faults.append("the name of one database follows the host: postgresql://host/smarthost.")
    if unknown := {name for name, _ in options} - set(_OPTIONS):
        faults.append(
            f"{len(unknown)} of its options are none of these: {', '.join(_OPTIONS)}. {_ENCODE}"
        )
    if faults:
        raise InvalidValueError(*faults)
    return Secret(text)


def _host_faults(named: str, options: dict[str, str]) -> list[str]:
    """Say what is wrong with the hosts before the database's name, or with those of `host=`."""
    faults = []
    hosts = (named or options.get("host", "")).split(",")
    ports = "" if named else options.get("port", "")
    if not all(map(_HOST.fullmatch, hosts)):
        faults.append(f"what follows the : of a host is no port. {_ENCODE}")
    if ports.count(",") not in (0, len(hosts) - 1) or not _PORTS.fullmatch(ports):
        faults.append("port is one number, or one for each host.")
    if named and {"host", "port"} & set(options):
        # libpq takes the option, and other drivers what stands before the name.
        faults.append(
            "host= and port= are for a URL without a host before the database's name: write "
            "host:port there."
        )
    if len(hosts) > 1 and not all(hosts):
        faults.append("there is a comma too many between hosts.")
    if options.get("target_session_attrs", _PRIMARY) not in (_PRIMARY, *_ALSO_PRIMARY):
        faults.append("only the server that takes changes will do: target_session_attrs=primary.")
    return faults


def _refuse() -> NoReturn:
    raise InvalidValueError(
        "this is not the URL of an SQLite file. Write sqlite:///file.db for a file in the"
        " working directory, or sqlite:////srv/file.db (four slashes) for an absolute path;"
        " or postgresql://user:password@host/database for a server."
    )
