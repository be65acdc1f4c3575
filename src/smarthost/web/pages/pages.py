"""All pages, as Falcon routes to them."""

from collections.abc import Iterable

import falcon.asgi

from smarthost.portals.sign_in.links.store import SignInLinks
from smarthost.web.application import WebApp
from smarthost.web.pages.assets import AssetsResource
from smarthost.web.pages.checking import CheckPages
from smarthost.web.pages.history import HistoryPages
from smarthost.web.pages.keys import KeyPages
from smarthost.web.pages.mail import MailPages
from smarthost.web.pages.message import MessagePages
from smarthost.web.pages.oauth2 import OAuth2Pages
from smarthost.web.pages.page import Page
from smarthost.web.pages.pipeline import PagePipeline
from smarthost.web.pages.settings import SettingsPages
from smarthost.web.pages.signing_in import SignInPages
from smarthost.web.pages.signing_in_by_link import SignInLinkPages
from smarthost.web.pages.snippets import SubmissionDoor
from smarthost.web.request import Request
from smarthost.web.resource import Responder, resource_of


def add_pages(app: WebApp, pipeline: PagePipeline, pages: Iterable[Page]) -> None:
    """Have `app` serve these pages and the files that they load."""
    by_path: dict[str, dict[str, Responder]] = {}
    for page in pages:
        by_path.setdefault(page.path, {})[page.method] = _responder(page, pipeline)
    for path, responders in by_path.items():
        app.add_route(path, resource_of(responders))
    app.add_route(AssetsResource.PATH, AssetsResource())


def all_pages(links: SignInLinks, door: SubmissionDoor | None) -> Iterable[Page]:
    """Return the table of all pages; `door` is where they say that programs submit by SMTP."""
    return [
        *SignInPages().pages(),
        *SignInLinkPages(links).pages(),
        *SettingsPages().pages(),
        *CheckPages().pages(),
        *OAuth2Pages().pages(),
        *MailPages().pages(),
        *MessagePages().pages(),
        *HistoryPages().pages(),
        *KeyPages(door).pages(),
    ]


def _responder(page: Page, pipeline: PagePipeline) -> Responder:
    async def respond(request: Request, response: falcon.asgi.Response, **path: str) -> None:
        await pipeline.run(page, request, response, path)

    return respond
