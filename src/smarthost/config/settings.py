"""Every setting there is, one row each.

The table is the only place where a setting is named: reading, the check for unknown names and
the documentation all follow from it. A default is text and goes through the same parser as what
an operator writes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Generic, TypeVar

from smarthost.config.database_url import parse_database
from smarthost.config.default_relay import parse_default_relay
from smarthost.config.model import DefaultRelay, ListenAddress, LogFormat, LogLevel, RelayNetworks
from smarthost.config.open_id_connect import (
    parse_audience,
    parse_claim,
    parse_claim_and_value,
    parse_issuer,
)
from smarthost.config.values import (
    parse_domain,
    parse_drain,
    parse_email,
    parse_helo_name,
    parse_keeping,
    parse_lifetime,
    parse_listen,
    parse_log_format,
    parse_log_level,
    parse_networks,
    parse_optional_listen,
    parse_path,
    parse_relay_networks,
    parse_retry_wait,
    parse_switch,
)
from smarthost.secret import Secret

PREFIX = "SMARTHOST_"

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting(Generic[T_co]):
    """One setting: `name` without prefix, and how its text becomes a value.

    `default` is what an operator could have written; where it is empty, `unset` says in words
    what holds then. A `secret` setting can be read from a file (`…_FILE`), and its value is
    never shown. Nothing given is the default, unless the setting `takes_empty` as a value of its
    own. `meaning` and `example` are for the documentation.
    """

    name: str
    parse: Callable[[str], T_co]
    default: str = ""
    unset: str = ""
    secret: bool = False
    takes_empty: bool = False
    meaning: str
    example: str

    @property
    def variable(self) -> str:
        """The name in the environment."""
        return PREFIX + self.name

    @property
    def key(self) -> str:
        """The name in the file."""
        return self.name.lower()


DATA_DIR: Setting[Path] = Setting(
    name="DATA_DIR",
    parse=parse_path,
    default="./smarthost-data",
    meaning="Directory for everything that Smarthost keeps.",
    example="/var/lib/smarthost",
)
DATABASE_URL: Setting[Path | Secret] = Setting(
    name="DATABASE_URL",
    parse=parse_database,
    unset="`smarthost.db` in the data directory",
    secret=True,
    meaning="The SQLite file: `sqlite:///` and a path; an absolute path makes four slashes. Or a"
    " PostgreSQL server, as [described here](postgresql.md).",
    example="postgresql://smarthost:secret@db.example.com/smarthost?sslmode=verify-full",
)
HTTP_LISTEN: Setting[ListenAddress] = Setting(
    name="HTTP_LISTEN",
    parse=parse_listen,
    default="127.0.0.1:8025",
    meaning="Host and port of the HTTP server; port 0 takes any free one.",
    example="[::1]:8025",
)
HTTP_TLS: Setting[bool] = Setting(
    name="HTTP_TLS",
    parse=parse_switch,
    default="on",
    meaning="`on` or `off`: whether HTTP is served with TLS where there is a certificate. `off`"
    " behind a reverse proxy that has its own.",
    example="off",
)
SUBMISSION_LISTEN: Setting[ListenAddress | None] = Setting(
    name="SUBMISSION_LISTEN",
    parse=parse_optional_listen,
    default="127.0.0.1:2525",
    takes_empty=True,
    meaning="Host and port at which applications submit mail by SMTP, with STARTTLS where there is"
    " a certificate; empty: nowhere.",
    example="0.0.0.0:587",
)
SUBMISSION_TLS_LISTEN: Setting[ListenAddress | None] = Setting(
    name="SUBMISSION_TLS_LISTEN",
    parse=parse_optional_listen,
    unset="none",
    takes_empty=True,
    meaning="Host and port for submission with TLS from the first octet; needs a certificate.",
    example="0.0.0.0:465",
)
SUBMISSION_PROXY_NETWORKS: Setting[tuple[IPv4Network | IPv6Network, ...]] = Setting(
    name="SUBMISSION_PROXY_NETWORKS",
    parse=parse_networks,
    unset="none",
    meaning="Networks of the proxies in front of submission that begin each connection with the"
    " [PROXY protocol](submission.md#behind-a-proxy), with commas between. From there it is"
    " required, from elsewhere it is never read.",
    example="10.0.0.10/32",
)
TLS_CERTIFICATE_FILE: Setting[Path] = Setting(
    name="TLS_CERTIFICATE_FILE",
    parse=parse_path,
    unset="none: no TLS",
    meaning="The certificate for HTTP and submission, with its chain, in PEM. It is read anew"
    " when the file changes.",
    example="/etc/smarthost/tls/fullchain.pem",
)
TLS_KEY_FILE: Setting[Path] = Setting(
    name="TLS_KEY_FILE",
    parse=parse_path,
    unset="in the file of the certificate",
    meaning="The certificate's private key, in PEM and without a passphrase.",
    example="/etc/smarthost/tls/privkey.pem",
)
KEYRING_FILE: Setting[Path] = Setting(
    name="KEYRING_FILE",
    parse=parse_path,
    unset="`keyring.json` in the data directory",
    meaning="The keys that passwords are sealed with. Keep it out of back-ups of the database.",
    example="/etc/smarthost/keyring.json",
)
ADMIN_EMAIL: Setting[str] = Setting(
    name="ADMIN_EMAIL",
    parse=parse_email,
    unset="none",
    meaning="The first administrator, made when `serve` starts on an empty data directory.",
    example="admin@example.com",
)
BASE_DOMAIN: Setting[str] = Setting(
    name="BASE_DOMAIN",
    parse=parse_domain,
    unset="standalone: one portal",
    meaning="Domain of the portals: each one's host name is one label under it.",
    example="portals.example.com",
)
DEFAULT_RELAY_URL: Setting[DefaultRelay] = Setting(
    name="DEFAULT_RELAY_URL",
    parse=parse_default_relay,
    unset="none",
    secret=True,
    meaning="The relay of portals that have no settings of their own; see below.",
    example="smtps://user:password@mail.example.com?sender=notify@example.com",
)
RELAY_NETWORKS: Setting[RelayNetworks] = Setting(
    name="RELAY_NETWORKS",
    parse=parse_relay_networks,
    unset="`any` when standalone, else `public`",
    meaning="Where portals' relays may be: `any`, `public` (public addresses, at the ports of"
    " mail), or networks with commas between. The default relay is free of it. Receivers of"
    " webhooks keep to it too, with `public` at ports 443 and 8443; so do web servers that are"
    " asked for suggested settings or for tokens of OAuth2.",
    example="10.0.0.0/8, 2001:db8::/32",
)
HELO_NAME: Setting[str] = Setting(
    name="HELO_NAME",
    parse=parse_helo_name,
    unset="the machine's full name",
    meaning="Full domain name that Smarthost gives in EHLO; never `localhost`.",
    example="smarthost.example.com",
)
NTLM: Setting[bool] = Setting(
    name="NTLM",
    parse=parse_switch,
    default="on",
    meaning="`on` or `off`: whether portals may log in to their relays with NTLM.",
    example="off",
)
RATE_LIMITS: Setting[bool] = Setting(
    name="RATE_LIMITS",
    parse=parse_switch,
    default="on",
    meaning="`on` or `off`: whether requests are counted and refused when there are too many.",
    example="off",
)
TRUSTED_NETWORKS: Setting[tuple[IPv4Network | IPv6Network, ...]] = Setting(
    name="TRUSTED_NETWORKS",
    parse=parse_networks,
    unset="none",
    meaning="Networks of the reverse proxies whose `X-Forwarded-For`, `-Proto` and `-Host` are"
    " believed, with commas between.",
    example="10.0.0.0/8, 2001:db8::/32",
)
METRICS_NETWORKS: Setting[tuple[IPv4Network | IPv6Network, ...]] = Setting(
    name="METRICS_NETWORKS",
    parse=parse_networks,
    default="127.0.0.0/8, ::1/128",
    meaning="Networks from which `/metrics` may be read, with commas between.",
    example="10.0.0.0/8",
)
OIDC_ISSUER: Setting[str] = Setting(
    name="OIDC_ISSUER",
    parse=parse_issuer,
    unset="none",
    meaning="The OpenID Connect issuer whose tokens sign people in, as an https URL; see below.",
    example="https://login.example.com/realms/main",
)
OIDC_AUDIENCE: Setting[str] = Setting(
    name="OIDC_AUDIENCE",
    parse=parse_audience,
    unset="none; needed with an issuer",
    meaning="What tokens have to be issued for: the id that Smarthost, or the application, has at"
    " the issuer.",
    example="smarthost",
)
OIDC_EMAIL_CLAIM: Setting[str] = Setting(
    name="OIDC_EMAIL_CLAIM",
    parse=parse_claim,
    default="email",
    meaning="The claim with the e-mail address of a user; nobody may change it for themselves.",
    example="upn",
)
OIDC_PORTAL_CLAIM: Setting[str] = Setting(
    name="OIDC_PORTAL_CLAIM",
    parse=parse_claim,
    unset="none; needed with an issuer and a base domain",
    meaning="The claim with the name of the portal that a token is for, or with a list of names.",
    example="portals",
)
OIDC_ADMINISTRATORS: Setting[tuple[str, str]] = Setting(
    name="OIDC_ADMINISTRATORS",
    parse=parse_claim_and_value,
    unset="the roles that users have here count alone",
    meaning="A claim and a value that a token has to have too, for an administrator to be one by"
    " it.",
    example="realm_access.roles=mail-administrator",
)
RETRY_SECONDS: Setting[int] = Setting(
    name="RETRY_SECONDS",
    parse=parse_retry_wait,
    default="300",
    meaning="Seconds before a message that a relay deferred is tried again; each further wait is"
    " twice as long, up to 4 hours.",
    example="60",
)
EXPIRE_SECONDS: Setting[int] = Setting(
    name="EXPIRE_SECONDS",
    parse=parse_lifetime,
    default="432000",
    meaning="Seconds after which a message that no relay took is given up, once it was tried 8"
    " times.",
    example="172800",
)
KEEP_SENT_SECONDS: Setting[int] = Setting(
    name="KEEP_SENT_SECONDS",
    parse=parse_keeping,
    default="0",
    meaning="Seconds that a message's content is kept once all its recipients have it; `0`: it"
    " goes at once.",
    example="86400",
)
KEEP_FAILED_SECONDS: Setting[int] = Setting(
    name="KEEP_FAILED_SECONDS",
    parse=parse_keeping,
    default="604800",
    meaning="Seconds that the content is kept when a message has ended otherwise: until then it"
    " can be sent again.",
    example="2592000",
)
DRAIN_SECONDS: Setting[int] = Setting(
    name="DRAIN_SECONDS",
    parse=parse_drain,
    default="0",
    meaning="Seconds at the beginning of a stop in which `/readyz` answers 503 and all else goes"
    " on, so that a load balancer leaves this process out before it ends; up to 300.",
    example="10",
)
LOG_FORMAT: Setting[LogFormat] = Setting(
    name="LOG_FORMAT",
    parse=parse_log_format,
    unset="`console` when standard error is a terminal, else `json`",
    meaning="`console` (for people) or `json` (one object a line).",
    example="json",
)
LOG_LEVEL: Setting[LogLevel] = Setting(
    name="LOG_LEVEL",
    parse=parse_log_level,
    default="info",
    meaning="`debug`, `info`, `warning` or `error`.",
    example="debug",
)

SETTINGS: tuple[Setting[object], ...] = (
    DATA_DIR,
    DATABASE_URL,
    HTTP_LISTEN,
    HTTP_TLS,
    SUBMISSION_LISTEN,
    SUBMISSION_TLS_LISTEN,
    SUBMISSION_PROXY_NETWORKS,
    TLS_CERTIFICATE_FILE,
    TLS_KEY_FILE,
    KEYRING_FILE,
    ADMIN_EMAIL,
    BASE_DOMAIN,
    DEFAULT_RELAY_URL,
    RELAY_NETWORKS,
    HELO_NAME,
    NTLM,
    RATE_LIMITS,
    TRUSTED_NETWORKS,
    METRICS_NETWORKS,
    OIDC_ISSUER,
    OIDC_AUDIENCE,
    OIDC_EMAIL_CLAIM,
    OIDC_PORTAL_CLAIM,
    OIDC_ADMINISTRATORS,
    RETRY_SECONDS,
    EXPIRE_SECONDS,
    KEEP_SENT_SECONDS,
    KEEP_FAILED_SECONDS,
    DRAIN_SECONDS,
    LOG_FORMAT,
    LOG_LEVEL,
)
