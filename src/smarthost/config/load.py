"""From the text that was given to the frozen `Config`, or to all faults together.

A setting with a fault is read as its default meanwhile, so that one fault does not hide another;
nothing of that escapes, because a single fault makes the whole configuration an error.
"""

import os
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from smarthost.config import settings
from smarthost.config.faults import ConfigError, Fault, InvalidValueError
from smarthost.config.model import Config, DefaultRelay, OpenIdConnect, TlsFiles
from smarthost.config.settings import Setting
from smarthost.config.sources import Sources, read_sources
from smarthost.config.values import parse_helo_name
from smarthost.secret import Secret

_OF_AN_ISSUER: tuple[Setting[object], ...] = (
    settings.OIDC_AUDIENCE,
    settings.OIDC_EMAIL_CLAIM,
    settings.OIDC_PORTAL_CLAIM,
    settings.OIDC_ADMINISTRATORS,
)

_NO_AUDIENCE = (
    "without an audience a token for any other application would do: set SMARTHOST_OIDC_AUDIENCE"
    " too."
)
_NO_PORTAL_CLAIM = (
    "with several portals a token has to say which one it is for, or one portal's application"
    " could use it at another: set SMARTHOST_OIDC_PORTAL_CLAIM too."
)
_ONE_PORTAL = "there is one portal without SMARTHOST_BASE_DOMAIN: leave this away."

T = TypeVar("T")

_FILE = "smarthost.db"


def load_config(
    environ: Mapping[str, str],
    *,
    working_directory: Path,
    machine_name: Callable[[], str],
    stderr_is_terminal: bool,
) -> Config:
    """Read the environment and the `smarthost.toml` of the working directory.

    `machine_name` gives the machine's full name (`socket.getfqdn`); it is asked only when no
    EHLO name is set, since it may wait for the DNS. Paths are resolved against the working
    directory. Raises `ConfigError` with every fault.
    """
    base = working_directory.absolute()
    sources = read_sources(environ, working_directory=base)
    reader = _Reader(sources)
    data_dir = base / reader.value(settings.DATA_DIR)
    database = reader.given(settings.DATABASE_URL)
    config = Config(
        data_dir=data_dir,
        database_file=base / (database if isinstance(database, Path) else data_dir / _FILE),
        database_url=database if isinstance(database, Secret) else None,
        http_listen=reader.value(settings.HTTP_LISTEN),
        http_tls=reader.value(settings.HTTP_TLS),
        submission_listen=reader.value(settings.SUBMISSION_LISTEN),
        submission_tls_listen=reader.given(settings.SUBMISSION_TLS_LISTEN),
        submission_proxy_networks=reader.given(settings.SUBMISSION_PROXY_NETWORKS) or (),
        tls=reader.tls(base),
        keyring_file=base / (reader.given(settings.KEYRING_FILE) or data_dir / "keyring.json"),
        admin_email=reader.given(settings.ADMIN_EMAIL),
        base_domain=(base_domain := reader.given(settings.BASE_DOMAIN)),
        default_relay=reader.relay(base),
        relay_networks=reader.given(settings.RELAY_NETWORKS)
        or ("any" if base_domain is None else "public"),
        helo_name=reader.given(settings.HELO_NAME) or _own_name(machine_name),
        ntlm=reader.value(settings.NTLM),
        rate_limits=reader.value(settings.RATE_LIMITS),
        trusted_networks=reader.given(settings.TRUSTED_NETWORKS) or (),
        metrics_networks=reader.value(settings.METRICS_NETWORKS),
        open_id_connect=reader.open_id_connect(),
        retry_seconds=reader.value(settings.RETRY_SECONDS),
        expire_seconds=reader.value(settings.EXPIRE_SECONDS),
        keep_sent_seconds=reader.value(settings.KEEP_SENT_SECONDS),
        keep_failed_seconds=reader.value(settings.KEEP_FAILED_SECONDS),
        drain_seconds=reader.value(settings.DRAIN_SECONDS),
        log_format=reader.given(settings.LOG_FORMAT)
        or ("console" if stderr_is_terminal else "json"),
        log_level=reader.value(settings.LOG_LEVEL),
        ignored_names=sources.ignored_names,
    )
    if reader.faults:
        raise ConfigError(faults=tuple(reader.faults))
    return config


class _Reader:
    """Turns text into values and keeps the faults met on the way."""

    def __init__(self, sources: Sources) -> None:
        self._given = sources.given
        self.faults = list(sources.faults)

    def given(self, setting: Setting[T]) -> T | None:
        """Give the value that the operator has set, or None."""
        given = self._given.get(setting.name)
        if given is None:
            return None
        if not given.text.isprintable():
            self._fault(setting, "the value holds a control character or an invisible one.")
            return None
        try:
            return setting.parse(given.text.strip())
        except InvalidValueError as error:
            self._fault(setting, *error.messages)
            return None

    def value(self, setting: Setting[T]) -> T:
        """Give the value that the operator has set, or the default."""
        written = self._given.get(setting.name)
        if written is not None and not written.text.strip():
            return setting.parse("")
        given = self.given(setting)
        return setting.parse(setting.default) if given is None else given

    def relay(self, base: Path) -> DefaultRelay | None:
        """Give the default relay with its CA file in place, which has to be readable."""
        relay = self.given(settings.DEFAULT_RELAY_URL)
        if relay is None or relay.ca_file is None:
            return relay
        ca_file = base / relay.ca_file
        if not _readable(ca_file):
            self._fault(
                settings.DEFAULT_RELAY_URL, "ca does not name a file that this user can read."
            )
        return replace(relay, ca_file=ca_file)

    def tls(self, base: Path) -> TlsFiles | None:
        """Give the files of the certificate and its key; what needs them is a fault without."""
        certificate, key = map(self.given, (settings.TLS_CERTIFICATE_FILE, settings.TLS_KEY_FILE))
        if certificate is not None:
            return TlsFiles(certificate=base / certificate, key=base / (key or certificate))
        for setting in (settings.TLS_KEY_FILE, settings.SUBMISSION_TLS_LISTEN):
            if self.given(setting) is not None:
                self._fault(
                    setting, "this needs a certificate: set SMARTHOST_TLS_CERTIFICATE_FILE too."
                )
        return None

    def open_id_connect(self) -> OpenIdConnect | None:
        """Give the issuer with all that belongs to it, None where there is none."""
        for setting, message in _faults_of_an_issuer(self._given):
            self._fault(setting, message)
        issuer = self.given(settings.OIDC_ISSUER)
        audience = self.given(settings.OIDC_AUDIENCE)
        email_claim = self.value(settings.OIDC_EMAIL_CLAIM)
        portal_claim = self.given(settings.OIDC_PORTAL_CLAIM)
        administrators = self.given(settings.OIDC_ADMINISTRATORS)
        if issuer is None or audience is None:
            return None
        return OpenIdConnect(
            issuer=issuer,
            audience=audience,
            email_claim=email_claim,
            portal_claim=portal_claim,
            administrators=administrators,
        )

    def _fault(self, setting: Setting[object], *messages: str) -> None:
        label = self._given[setting.name].label
        self.faults.extend(Fault(name=label, message=message) for message in messages)


def _faults_of_an_issuer(given: Container[str]) -> Iterator[tuple[Setting[object], str]]:
    """Give what is of no use by itself, or missing, with what to do about it."""
    if settings.OIDC_ISSUER.name not in given:
        for setting in _OF_AN_ISSUER:
            if setting.name in given:
                yield setting, "this needs an issuer: set SMARTHOST_OIDC_ISSUER too."
        return
    if settings.OIDC_AUDIENCE.name not in given:
        yield settings.OIDC_ISSUER, _NO_AUDIENCE
    several = settings.BASE_DOMAIN.name in given
    if several and settings.OIDC_PORTAL_CLAIM.name not in given:
        yield settings.OIDC_ISSUER, _NO_PORTAL_CLAIM
    if not several and settings.OIDC_PORTAL_CLAIM.name in given:
        yield settings.OIDC_PORTAL_CLAIM, _ONE_PORTAL


def _own_name(machine_name: Callable[[], str]) -> str | None:
    try:
        return parse_helo_name(machine_name())
    except InvalidValueError:
        return None


def _readable(path: Path) -> bool:
    try:
        return path.is_file() and os.access(path, os.R_OK)
    except OSError:  # a name too long, a directory that may not be searched
        return False
