"""`settings oauth2 authorize`: the page on which somebody consents, to be opened in a browser.

Their browser comes back to the running service, which has to be reached at the address that the
provider knows: behind a proxy only the operator can say which one that is.
"""

from typing import TYPE_CHECKING

import typer

from smarthost.cli.installation import run
from smarthost.cli.options import AsJson, OnBehalf, PortalName
from smarthost.cli.printing import print_json
from smarthost.cli.typed_origin import Url, origin_of

if TYPE_CHECKING:
    from smarthost.app.parts import Parts
    from smarthost.config import Config


def authorize(
    *,
    url: Url = None,
    portal: PortalName = None,
    as_user: OnBehalf = None,
    as_json: AsJson = False,
) -> None:
    """Print the provider's page on which somebody consents, for the grant authorization_code.

    The page is good for one consent within ten minutes. The service has to run.
    """
    origin = origin_of(url)

    async def work(config: "Config", parts: "Parts") -> str:
        from smarthost.app.serve import service_url
        from smarthost.cli.choices import actor, open_portal
        from smarthost.web.api.smtp_oauth2_consent import CALLBACK_PATH

        chosen = await open_portal(config, parts, portal)
        by = await actor(parts, chosen, as_user)
        at = origin or service_url(config, chosen, config.http_listen.port)
        return await parts.consent.begin(chosen.id, at + CALLBACK_PATH, by)

    page = run(work)
    if as_json:
        print_json({"url": page})
    else:
        typer.echo(page)
