"""All pages, as Falcon routes to them."""

from collections.abc import Iterable

import falcon.asgi

from smarthost.web.application import WebApp
from smarthost.web.pages.assets import AssetsResource
from smarthost.web.pages.mail import MailPages
from smarthost.web.pages.message import MessagePages
from smarthost.web.pages.page import Page
from smarthost.web.pages.pipeline import PagePipeline
from smarthost.web.pages.signing_in import SignInPages
from smarthost.web.request import Request
from smarthost.web.resource import Responder, resource_of


def add_pages(app: WebApp, pipeline: PagePipeline) -> None:
    """Have `app` serve the pages and the files that they load."""
    by_path: dict[str, dict[str, Responder]] = {}
    for page in all_pages():
        by_path.setdefault(page.path, {})[page.method] = _responder(page, pipeline)
    for path, responders in by_path.items():
        app.add_route(path, resource_of(responders))
    app.add_route(AssetsResource.PATH, AssetsResource())


def all_pages() -> Iterable[Page]:
    """Return the table of all pages."""
    return [*SignInPages().pages(), *MailPages().pages(), *MessagePages().pages()]


def _responder(page: Page, pipeline: PagePipeline) -> Responder:
    async def respond(request: Request, response: falcon.asgi.Response, **path: str) -> None:
        await pipeline.run(page, request, response, path)

    return respond
