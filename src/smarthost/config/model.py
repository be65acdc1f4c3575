"""What the operator has decided, read once and never changed.

These are plain frozen values. Everything in them has been checked and every path is absolute,
so that no other room reads the environment or wonders whether a setting makes sense.
"""

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Literal

from smarthost.secret import Secret

LogFormat = Literal["console", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]
RelayNetworks = Literal["any", "public"] | tuple[IPv4Network | IPv6Network, ...]
"""Where portals' relays may be: anywhere, at public addresses, or in these networks alone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ListenAddress:
    """Where to listen: a host name or IP address without brackets, and a port.

    Port 0 asks the system for a free one.
    """

    host: str
    port: int

    @property
    def reached_at(self) -> str:
        """The host at which a program on this machine reaches it."""
        return "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104


@dataclass(frozen=True, kw_only=True, slots=True)
class DefaultRelay:
    """The operator's own relay, in force for every portal that has no settings of its own.

    `host` and `sender_address` are in the canonical form of `mail.host` and `mail.address`.
    `sender_display_name` and `user_name` are empty where there is none. `password` is there
    when `enable_auth` is true and only then. `ca_file` is the private authority that signs the
    relay's certificate; None stands for the system's authorities.
    """

    host: str
    port: int
    sender_address: str
    sender_display_name: str
    user_name: str
    password: Secret | None
    enable_ssl: bool
    enable_auth: bool
    ca_file: Path | None


@dataclass(frozen=True, kw_only=True, slots=True)
class TlsFiles:
    """Where the certificate that clients are shown is, with its chain, and its key; both in PEM.

    They may be one file.
    """

    certificate: Path
    key: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenIdConnect:
    """Whose tokens sign people in, and which of their claims say what.

    `issuer` is an https URL exactly as tokens name it. A claim's name may lead into another one,
    with dots between. `portal_claim` is there with several portals and only then.
    `administrators` are a claim and one of its values, None where the users' roles alone count.
    """

    issuer: str
    audience: str
    email_claim: str
    portal_claim: str | None
    administrators: tuple[str, str] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """Every setting of one process.

    `base_domain` is None for a standalone installation (one portal, whatever the host name).
    `database_url` is that of a PostgreSQL server; with None the store is SQLite, in
    `database_file`. `helo_name` is None when nothing is set and the machine has no full name of
    its own.
    `submission_listen` and `submission_tls_listen` are None where nobody is to submit mail by
    SMTP; the second has TLS from the first octet, so that there is none without `tls`.
    `ignored_names` are the `SMARTHOST_…` variables that a container platform has injected;
    they mean nothing here, and are listed so that the log can say so once.
    """

    data_dir: Path
    database_file: Path
    database_url: Secret | None
    http_listen: ListenAddress
    http_tls: bool
    submission_listen: ListenAddress | None
    submission_tls_listen: ListenAddress | None
    submission_proxy_networks: tuple[IPv4Network | IPv6Network, ...]
    tls: TlsFiles | None
    keyring_file: Path
    admin_email: str | None
    base_domain: str | None
    default_relay: DefaultRelay | None
    relay_networks: RelayNetworks
    helo_name: str | None
    ntlm: bool
    rate_limits: bool
    trusted_networks: tuple[IPv4Network | IPv6Network, ...]
    metrics_networks: tuple[IPv4Network | IPv6Network, ...]
    open_id_connect: OpenIdConnect | None
    retry_seconds: int
    expire_seconds: int
    keep_sent_seconds: int
    keep_failed_seconds: int
    drain_seconds: int
    log_format: LogFormat
    log_level: LogLevel
    ignored_names: tuple[str, ...]
