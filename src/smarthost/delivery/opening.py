"""The way from a relay's name to a session that can take mail: resolve, connect, TLS, login.

The settings decide alone how much protection there is. Where they ask for TLS, nothing but a
proved relay is ever told anything; where they do not, TLS is used if it works. A login is tried
once, with one mechanism.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Sequence
from pathlib import Path

import msgspec

from smarthost.delivery import certificates
from smarthost.delivery.bearer_login import BearerLogin
from smarthost.delivery.lack import Lack
from smarthost.delivery.outcome import Code, Step
from smarthost.delivery.progress import Progress, StepNotes, StoppedError
from smarthost.delivery.relay import RelaySettings
from smarthost.delivery.tokens import Tokens
from smarthost.secret import Secret
from smarthost.smtp import sasl, tls
from smarthost.smtp.client import Client
from smarthost.smtp.egress import Policy, Resolver, destinations
from smarthost.smtp.errors import ConnectError, RefusedError, TimedOutError, TlsError
from smarthost.smtp.extensions import Extensions
from smarthost.smtp.tls import Certificate

_ANYWHERE = Policy("any")
_ENDS_SOON_DAYS = 21
_SHOWS_THE_PASSWORD = frozenset({"PLAIN", "LOGIN"})


class TlsContexts:
    """Makes each context once, since that reads files."""

    def __init__(self) -> None:
        self._verified: dict[Path | None, ssl.SSLContext] = {}
        self._unverified: ssl.SSLContext | None = None

    def verified(self, ca_file: Path | None) -> ssl.SSLContext:
        """Return a context that trusts `ca_file`, or the machine's authorities."""
        if ca_file not in self._verified:
            self._verified[ca_file] = tls.verified(ca_file)
        return self._verified[ca_file]

    def unverified(self) -> ssl.SSLContext:
        """Return a context that encrypts and believes anybody."""
        if self._unverified is None:
            self._unverified = tls.unverified()
        return self._unverified


def _seen(extensions: Extensions) -> dict[str, object]:
    offered = {
        "STARTTLS": extensions.starttls,
        "8BITMIME": extensions.eight_bit_mime,
        "SMTPUTF8": extensions.smtp_utf8,
        "PIPELINING": extensions.pipelining,
        "ENHANCEDSTATUSCODES": extensions.enhanced_status_codes,
        "DSN": extensions.dsn,
    }
    return {
        "extensions": [name for name, there in offered.items() if there],
        "sizeLimit": extensions.size,
    }


class WayOut(msgspec.Struct, frozen=True, kw_only=True):
    """What every connection to a relay goes through."""

    policy: Policy
    resolver: Resolver
    contexts: TlsContexts
    tokens: Tokens | None
    """None where no settings with OAuth2 ever come."""


class Opening:
    """One session on its way; `client` is the connection that stands, whatever happens."""

    def __init__(self, settings: RelaySettings, way_out: WayOut, progress: Progress) -> None:
        self.client: Client | None = None
        self.token: Secret | None = None
        """What was shown in place of a password, if anything was."""
        self._settings = settings
        self._way_out = way_out
        self._progress = progress

    async def run(self) -> Client:
        """Go all the way; raises `StoppedError` or `EnoughError`."""
        client = await self._greeted(await self._resolved())
        if not self._settings.tls_from_the_first_byte:
            client = await self._after_starttls(client)
        await self._log_in(client)
        return client

    async def _resolved(self) -> list[str]:
        settings, progress = self._settings, self._progress
        async with progress.step(Step.RESOLVE) as notes:
            policy = _ANYWHERE if settings.policy_exempt else self._way_out.policy
            seconds = progress.deadline(Step.RESOLVE) - progress.clock.monotonic()
            try:
                async with asyncio.timeout(seconds):
                    addresses = await destinations(
                        settings.host, policy, self._way_out.resolver, port=settings.port
                    )
            except TimeoutError as error:
                raise TimedOutError from error
            notes.seen["addresses"] = addresses
        return addresses

    async def _greeted(self, addresses: Sequence[str]) -> Client:
        """Connect and have the relay introduce itself."""
        client = await self._connected(addresses)
        if self._settings.tls_from_the_first_byte:
            async with self._progress.step(Step.TLS) as notes:
                client.deadline = self._progress.deadline(Step.TLS)
                shake = client.implicit_tls(self._verified(), self._settings.host)
                await self._proved(client, shake, notes)
        async with self._progress.step(Step.GREETING) as notes:
            client.deadline = self._progress.deadline(Step.GREETING)
            notes.seen["banner"] = self._progress.shown(await client.greeting())
        await self._introduce(client)
        return client

    async def _connected(self, addresses: Sequence[str]) -> Client:
        async with self._progress.step(Step.CONNECT) as notes:
            client = await self._first_that_answers(addresses)
            notes.seen |= {"address": client.address, "port": client.port}
        return client

    async def _first_that_answers(self, addresses: Sequence[str]) -> Client:
        """Try one address after the other, each with its share of the time."""
        clock, deadline = self._progress.clock, self._progress.deadline(Step.CONNECT)
        for index, address in enumerate(addresses):
            self._progress.address = address
            now = clock.monotonic()
            share = (deadline - now) / (len(addresses) - index)
            try:
                self.client = await Client.connect(
                    address, self._settings.port, clock=clock, deadline=now + share
                )
            except ConnectError as error:
                failure = error
            else:
                return self.client
        raise failure

    async def _introduce(self, client: Client) -> None:
        async with self._progress.step(Step.EHLO) as notes:
            client.deadline = self._progress.deadline(Step.EHLO)
            extensions = await client.ehlo(self._settings.helo_name)
            notes.seen |= _seen(extensions)
            notes.seen["mechanisms"] = self._progress.shown_mechanisms(extensions.auth)

    async def _after_starttls(self, client: Client) -> Client:
        if self._settings.enable_ssl:
            await self._require_tls(client)
        elif not await self._try_tls(client):
            # After a handshake that broke off, nobody knows what the relay is waiting for.
            client.close()
            return await self._greeted([client.address])
        if client.tls_version is not None:
            await self._introduce(client)
        return client

    async def _require_tls(self, client: Client) -> None:
        async with self._progress.step(Step.TLS) as notes:
            if not client.extensions.starttls:
                raise StoppedError(Step.TLS, Lack.STARTTLS)
            client.deadline = self._progress.deadline(Step.TLS)
            shake = client.start_tls(self._verified(), self._settings.host)
            await self._proved(client, shake, notes)

    async def _proved(self, client: Client, shake: Awaitable[None], notes: StepNotes) -> None:
        """Shake hands. Who only looks, and sends no mail, is shown what was refused."""
        try:
            await shake
        except TlsError as error:
            if error.reason in certificates.REFUSED and self._progress.until is not Step.DATA:
                self._note_certificate(await self._refused(client), notes)
            raise
        self._note_tls(client, notes)

    async def _refused(self, client: Client) -> Certificate | None:
        progress = self._progress
        return await certificates.refused_certificate(
            client.address,
            self._settings,
            context=self._way_out.contexts.unverified(),
            clock=progress.clock,
            deadline=progress.deadline(Step.TLS),
        )

    async def _try_tls(self, client: Client) -> bool:
        """Start TLS if that works; false where the connection is lost over it."""
        async with self._progress.step(Step.TLS) as notes:
            if not client.extensions.starttls:
                self._progress.warn(notes, Code.NOT_ENCRYPTED)
                return True
            client.deadline = self._progress.deadline(Step.TLS)
            try:
                await client.start_tls(self._way_out.contexts.unverified(), self._settings.host)
            except RefusedError as error:
                notes.seen["reply"] = self._progress.shown(error.reply)
                self._progress.warn(notes, Code.NOT_ENCRYPTED)
            except TlsError as error:
                notes.seen["reason"] = error.reason
                self._progress.warn(notes, Code.NOT_ENCRYPTED)
                return False
            else:
                self._note_tls(client, notes)
        return True

    async def _log_in(self, client: Client) -> None:
        if not self._settings.enable_auth:
            await self._progress.skip(Step.AUTHENTICATE)
            return
        async with self._progress.step(Step.AUTHENTICATE) as notes:
            notes.seen["mechanisms"] = self._progress.shown_mechanisms(client.extensions.auth)
            if self._settings.oauth2 is not None:
                await self._show_token(client, notes)
                return
            exchange = self._exchange(client)
            notes.seen["mechanism"] = exchange.mechanism
            self._warn_of_the_login(client, exchange.mechanism, notes)
            client.deadline = self._progress.deadline(Step.AUTHENTICATE)
            notes.seen["reply"] = self._progress.shown(await client.authenticate(exchange))
            self._progress.logged_in = True

    async def _show_token(self, client: Client, notes: StepNotes) -> None:
        assert self._way_out.tokens is not None  # noqa: S101 - who has such settings gives tokens
        login = BearerLogin(self._settings, self._way_out.tokens, self._progress)
        self.token = await login.run(client, notes)
        self._progress.logged_in = True

    def _exchange(self, client: Client) -> sasl.Exchange:
        settings = self._settings
        if settings.use_ntlm and not settings.ntlm_allowed:
            raise StoppedError(Step.AUTHENTICATE, Lack.NTLM_ALLOWED)
        assert settings.password is not None  # noqa: S101 - RelaySettings has seen to it
        exchange = sasl.choose(
            client.extensions.auth,
            user_name=settings.user_name,
            password=settings.password,
            use_ntlm=settings.use_ntlm,
            tls_verified=client.tls_verified,
        )
        if exchange is None:
            raise StoppedError(Step.AUTHENTICATE, Lack.LOGIN)
        return exchange

    def _warn_of_the_login(self, client: Client, mechanism: str, notes: StepNotes) -> None:
        if client.tls_version is None and mechanism in _SHOWS_THE_PASSWORD:
            self._progress.warn(notes, Code.PASSWORD_IN_CLEAR)
        elif client.tls_version is not None and not client.tls_verified:
            self._progress.warn(notes, Code.CERTIFICATE_NOT_VERIFIED)

    def _verified(self) -> ssl.SSLContext:
        return self._way_out.contexts.verified(self._settings.ca_file)

    def _note_tls(self, client: Client, notes: StepNotes) -> None:
        self._progress.tls = client.tls_version
        notes.seen |= {
            "version": client.tls_version,
            "cipher": client.cipher,
            "verified": client.tls_verified,
        }
        self._note_certificate(client.certificate, notes)

    def _note_certificate(self, certificate: Certificate | None, notes: StepNotes) -> None:
        if certificate is None:
            return
        now = self._progress.clock.now()
        notes.seen["certificate"] = certificates.seen(certificate, now)
        proved = notes.seen.get("verified") is True
        if proved and certificates.days_left(certificate, now) < _ENDS_SOON_DAYS:
            self._progress.warn(notes, Code.CERTIFICATE_ENDS_SOON)
