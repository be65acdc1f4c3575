"""`keyring`: the keys that stored passwords are sealed with."""

import sys
from typing import TYPE_CHECKING

import typer

from smarthost.cli.installation import run
from smarthost.cli.options import AsJson
from smarthost.cli.printing import print_json
from smarthost.cli.progress_bar import share_bar

if TYPE_CHECKING:
    from smarthost.app.parts import Parts
    from smarthost.app.rotation import Rotated
    from smarthost.config import Config


def rotate(*, as_json: AsJson = False) -> None:
    """Make a new key and seal every stored password with it, while the service runs or not.

    Old keys stay in the ring, since older back-ups need them.
    """

    async def work(config: "Config", parts: "Parts") -> "tuple[Config, Rotated]":
        from smarthost.app.rotation import rotate as rotate_ring

        with share_bar("sealing", shown=sys.stdout.isatty() and not as_json) as show:
            return config, await rotate_ring(parts, config.keyring_file, show)

    config, rotated = run(work)
    if as_json:
        print_json(
            {
                "key": rotated.key_id,
                "sealed": rotated.sealed,
                "unreadable": rotated.unreadable,
            }
        )
        return
    typer.echo(f"The active key is {rotated.key_id}. Secrets sealed with it: {rotated.sealed}.")
    if rotated.unreadable:
        typer.echo(
            f"Secrets that open with no key, left as they are: {rotated.unreadable}. "
            "See: smarthost doctor"
        )
    typer.echo(f"Copy the key ring to its safe place again: {config.keyring_file}")
