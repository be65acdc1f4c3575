"""The options that many commands share, so that each reads the same everywhere."""

from typing import Annotated

import typer

AsJson = Annotated[
    bool, typer.Option("--json", help="Print the result as JSON, and nothing else.")
]
PortalName = Annotated[
    str | None,
    typer.Option(
        "--portal", metavar="NAME", help="The portal. Needed when there is more than one."
    ),
]
OnBehalf = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="EMAIL",
        help="The user on whose behalf this is done, for the audit. [default: nobody's]",
    ),
]
