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
