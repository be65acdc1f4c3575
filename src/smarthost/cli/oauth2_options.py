"""The options of `settings oauth2 set`: what a sign-in of its own needs for each grant."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from smarthost.smtp_settings.oauth2 import Grant

_SecretFile = partial(typer.Option, metavar="FILE")

GrantName = Annotated[Grant | None, typer.Option(help="How tokens are asked for.")]
Provider = Annotated[
    str | None,
    typer.Option(metavar="ID", help="A known provider. [default: the relay's]"),
]
Tenant = Annotated[
    str | None, typer.Option(metavar="NAME", help="The application's directory (Microsoft).")
]
ClientId = Annotated[str | None, typer.Option(metavar="ID", help="The application's id.")]
ClientSecretFile = Annotated[
    Path | None, _SecretFile(help="Take the application's secret from this file.")
]
RefreshTokenFile = Annotated[
    Path | None, _SecretFile(help="Take the refresh token from this file.")
]
ServiceAccountFile = Annotated[
    Path | None, _SecretFile(help="Google's JSON file, or a private key in PEM.")
]
AuthorizationUrl = Annotated[
    str | None, typer.Option(metavar="URL", help="Where somebody consents.")
]
TokenUrl = Annotated[str | None, typer.Option(metavar="URL", help="Where tokens are given out.")]
Scope = Annotated[str | None, typer.Option(metavar="WORDS", help="What a token is good for.")]
Subject = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Whom a service account acts as. [default: the user name]"),
]
