"""Where a browser reaches the service, as it was typed.

Behind a proxy the service does not know that by itself.
"""

from typing import Annotated
from urllib.parse import urlsplit

import typer

from smarthost.cli.exit_codes import UsageError

Url = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Where a browser reaches the portal, as https://mail.example.com. "
        "[default: where the service listens]",
    ),
]


def origin_of(url: str | None) -> str | None:
    """Return scheme, host and port of what was typed behind `--url`. Raises `UsageError`."""
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        right = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        right = False
    if not right or "@" in url or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise UsageError("--url: This is no address of a service, such as https://mail.test.")
    return f"{parts.scheme}://{parts.netloc}"
