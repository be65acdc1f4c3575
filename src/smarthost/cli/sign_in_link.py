"""Shows how somebody without a password comes to the administrator's page.

A link is printed where a person sees it at once. Output that is no terminal may end in a log that
many can read, so what stands there is the command that makes one.
"""

import shlex
from typing import TYPE_CHECKING

import typer

from smarthost.portals.sign_in.links.model import LINK_MINUTES

if TYPE_CHECKING:
    from smarthost.app.sign_in_offer import SignInOffer
    from smarthost.config import Config

HOW_LONG = f"good for {LINK_MINUTES} minutes, once"
"""What is said of a link."""


def show_sign_in(config: "Config", offer: "SignInOffer | None") -> None:
    """Print the link, or the command that makes one; nothing where nobody can sign in."""
    if offer is None:
        return
    command = _command(config, offer)
    if offer.url is None:
        typer.echo(f"For a link to the administrator's page: {command}")
    else:
        typer.echo(f"Open the administrator's page: {offer.url.reveal()}")
        typer.echo(f"  ({HOW_LONG}; another one: {command})")


def _command(config: "Config", offer: "SignInOffer") -> str:
    words = ["smarthost", "user", "link", offer.email]
    if config.base_domain is not None:
        words += ["--portal", offer.portal]
    return shlex.join(words)
