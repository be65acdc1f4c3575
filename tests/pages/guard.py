"""Watches the pages of a test and keeps what no page may do, whatever the test looks at.

A page that works can still ask another site for something, break the Content-Security-Policy, or
lose a script on the way. A browser tells that to nobody but its console.
"""

from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Request, Response, WebError

# The console's words for a status, which `_answered` looks at: a refusal is no page's fault.
_TOLD_ELSEWHERE = "Failed to load resource"
# What a page leaves behind when its reader goes on: a stream of events, say.
_LEFT = "net::ERR_ABORTED"
# A page that comes without one of these is not whole.
_PARTS = {"stylesheet", "script", "image", "font", "manifest"}


class Guard:
    """The faults of all pages of one test, in the order in which they came."""

    def __init__(self, origin: str) -> None:
        """Let pages ask `origin`, like `http://127.0.0.1:8025`, and nobody else."""
        self.faults: list[str] = []
        self._origins = {origin}

    def allow(self, origin: str) -> None:
        """Let pages ask this one too: a provider, whose page somebody is sent to."""
        self._origins.add(origin)

    def take(self) -> list[str]:
        """Return the faults and forget them: those that a test is about."""
        taken, self.faults = self.faults, []
        return taken

    def watch(self, context: BrowserContext) -> None:
        """Listen to every page of `context`, from its first request on."""
        context.on("request", self._asked)
        context.on("requestfailed", self._failed)
        context.on("response", self._answered)
        context.on("console", self._said)
        context.on("weberror", self._broke)

    def _asked(self, request: Request) -> None:
        if _origin(request.url) not in self._origins:
            self.faults.append(f"foreign request: {request.url}")

    def _failed(self, request: Request) -> None:
        if request.failure != _LEFT:
            self.faults.append(f"failed request: {request.url}: {request.failure}")

    def _answered(self, response: Response) -> None:
        least = 400 if response.request.resource_type in _PARTS else 500
        if response.status >= least:
            self.faults.append(f"answer: {response.status} {response.url}")

    def _said(self, message: ConsoleMessage) -> None:
        told = message.text.startswith(_TOLD_ELSEWHERE)
        if message.type in ("error", "warning") and not told:
            self.faults.append(f"console: {message.text}")

    def _broke(self, error: WebError) -> None:
        self.faults.append(f"uncaught: {error.error}")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
