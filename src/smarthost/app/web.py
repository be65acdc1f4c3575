"""Puts the HTTP application together from the parts of an installation."""

from functools import partial

from smarthost.app.counting import MetricsReading
from smarthost.app.crew import Crew
from smarthost.app.parts import Parts
from smarthost.app.relays import shown_default_relay
from smarthost.app.stop import Stop
from smarthost.app.suggesting import suggest
from smarthost.app.telling import webhook_policy
from smarthost.clock import Clock
from smarthost.config import Config
from smarthost.mail_queue.census.store import CensusStore
from smarthost.mail_queue.holds.store import HoldStore
from smarthost.mail_queue.statistics.store import StatisticsStore
from smarthost.portals.model import Portal
from smarthost.relay_health.health import RelayHealth
from smarthost.sending.attempts import Attempts
from smarthost.tally import Tallies, Tally, own_tallies
from smarthost.web.api.authentication import AuthenticationApi
from smarthost.web.api.keys import KeysApi
from smarthost.web.api.metrics import MetricsPage
from smarthost.web.api.service import Health, OpenApi, Ready
from smarthost.web.api.smtp_check import SmtpCheckApi
from smarthost.web.api.smtp_health import SmtpHealthApi
from smarthost.web.api.smtp_history import SmtpHistoryApi
from smarthost.web.api.smtp_oauth2 import SmtpOAuth2Api
from smarthost.web.api.smtp_oauth2_consent import (
    CALLBACK_PATH,
    ConsentCallback,
    SmtpOAuth2AuthorizeApi,
)
from smarthost.web.api.smtp_settings import SmtpSettingsApi
from smarthost.web.api.smtp_suggest import SmtpSuggestApi
from smarthost.web.api.smtp_test import SmtpTestApi
from smarthost.web.api.smtp_test_events import SmtpTestEventsApi
from smarthost.web.api.webhook import WebhookApi
from smarthost.web.application import Middleware, WebApp, add_operations, make_application
from smarthost.web.auth import Authenticator
from smarthost.web.check_limit import CheckLimit
from smarthost.web.emails.emails import EmailsApi
from smarthost.web.emails.family import EMAILS
from smarthost.web.emails.operations import operations as email_operations
from smarthost.web.emails.statistics import StatisticsApi
from smarthost.web.openapi import openapi_document
from smarthost.web.operations import Operation
from smarthost.web.pages.asking import Asker
from smarthost.web.pages.family import PAGES
from smarthost.web.pages.pages import add_pages, all_pages
from smarthost.web.pages.pipeline import PagePipeline
from smarthost.web.pages.snippets import SubmissionDoor
from smarthost.web.pipeline import Pipeline
from smarthost.web.portal_finder import PortalFinder
from smarthost.web.rate_limit import RateLimit


def make_web(
    config: Config,
    parts: Parts,
    portal: Portal,
    door: SubmissionDoor | None,
    crew: Crew,
    stop: Stop,
) -> WebApp:
    """Return the application; `portal` is the one of a standalone installation.

    `stop` has begun before the server stops: what is told bit by bit ends then. `door` is where
    the pages say that programs submit by SMTP, None for nowhere.
    """
    clock = parts.clock
    # Apart, so that a flood of addresses leaves the users their own counters.
    users = RateLimit(clock, crew.tallies("users"), enforced=config.rate_limits)
    addresses = _addresses(config, crew, clock)
    finder = PortalFinder(parts.portals, config.base_domain, portal.name)
    authenticator = Authenticator(
        parts.keys, parts.last_use, parts.sign_ins, parts.sign_in, clock, parts.bearer_tokens
    )
    operations = all_operations(config, parts, crew.tallies)
    app = make_application(_middleware(config, parts, addresses), clock, people=PAGES)
    pipeline = Pipeline(finder, authenticator, users, addresses, clock, stop.begun)
    add_operations(app, operations, pipeline)
    asker = Asker(operations, clock, stop.begun)
    pages = PagePipeline(finder, authenticator, users, addresses, clock, asker)
    add_pages(app, pages, all_pages(parts.links, door, clock))
    app.add_route(CALLBACK_PATH, ConsentCallback(parts.consent, finder, addresses, clock))
    _add_monitor(app, config, parts, crew, stop)
    app.add_route("/openapi.json", OpenApi(openapi_document(operations)))
    return app


def make_monitor(config: Config, parts: Parts, crew: Crew, stop: Stop) -> WebApp:
    """Return the application of a process without the API: what its watchers ask for."""
    clock = parts.clock
    app = make_application(_middleware(config, parts, _addresses(config, crew, clock)), clock)
    _add_monitor(app, config, parts, crew, stop)
    return app


def all_operations(
    config: Config, parts: Parts, tallies: Tallies = own_tallies
) -> list[Operation]:
    """Return the table of all operations of the API."""
    return [
        *SmtpSettingsApi(parts.settings, shown_default_relay(config)).operations(),
        *SmtpHistoryApi(parts.settings, shown_default_relay(config)).operations(),
        *SmtpOAuth2Api(parts.bindings).operations(),
        *SmtpOAuth2AuthorizeApi(parts.consent).operations(),
        *SmtpTestApi(parts.trial, parts.trials, limited=config.rate_limits).operations(),
        *SmtpTestEventsApi(parts.trial, parts.clock).operations(),
        *_check(config, parts, tallies("checks")).operations(),
        *SmtpHealthApi(_health(config, parts)).operations(),
        *SmtpSuggestApi(
            suggest(config, parts.clock),
            parts.clock,
            tallies("suggestions"),
            limited=config.rate_limits,
        ).operations(),
        *WebhookApi(parts.webhooks, webhook_policy(config)).operations(),
        *AuthenticationApi(parts.sign_in, parts.sign_ins).operations(),
        *KeysApi(parts.keys, parts.last_use, parts.clock).operations(),
        *email_operations(_emails(config, parts)),
        *StatisticsApi(StatisticsStore(parts.database), parts.clock).operations(),
    ]


def _middleware(config: Config, parts: Parts, addresses: RateLimit) -> Middleware:
    return Middleware(
        (EMAILS, PAGES),
        config.trusted_networks,
        addresses,
        parts.clock,
        parts.ids,
        parts.metrics.http.answered,
    )


def _addresses(config: Config, crew: Crew, clock: Clock) -> RateLimit:
    return RateLimit(clock, crew.tallies("addresses"), enforced=config.rate_limits)


def _add_monitor(app: WebApp, config: Config, parts: Parts, crew: Crew, stop: Stop) -> None:
    app.add_route("/healthz", Health())
    app.add_route("/readyz", Ready(partial(parts.portals.portals, at_most=1), stop.asked.is_set))
    app.add_route("/metrics", _metrics(config, parts, crew))


def _metrics(config: Config, parts: Parts, crew: Crew) -> MetricsPage:
    census = CensusStore(parts.database, parts.clock)
    reading = MetricsReading(parts.metrics, census, crew, parts.clock)
    return MetricsPage(reading.expose, config.metrics_networks, config.trusted_networks)


def _check(config: Config, parts: Parts, tally: Tally) -> SmtpCheckApi:
    limit = CheckLimit(parts.clock, tally, enforced=config.rate_limits)
    return SmtpCheckApi(parts.check, limit)


def _health(config: Config, parts: Parts) -> RelayHealth:
    delivery = parts.delivery
    shown = shown_default_relay(config)
    return RelayHealth(delivery.holds, delivery.messages, parts.settings, parts.bindings, shown)


def _emails(config: Config, parts: Parts) -> EmailsApi:
    messages = parts.delivery.messages
    return EmailsApi(
        sending=parts.sending,
        intake=parts.delivery.http_intake,
        messages=messages,
        mail_log=parts.delivery.mail_log,
        holds=HoldStore(parts.database, parts.clock),
        attempts=Attempts(messages, parts.settings, shown_default_relay(config)),
        clock=parts.clock,
    )
