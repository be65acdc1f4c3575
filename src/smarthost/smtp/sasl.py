"""SASL exchanges (RFC 4422), and which one to use with a relay.

The strongest mechanism that both sides know is tried, once: a weaker one after a refusal would
hand the password to whoever refuses. What a relay sends is hostile until proven, so rounds of
hashing have a limit, and a mechanism that proves the relay too has to have done so before its
235 counts.
"""

import hmac
from collections.abc import Collection
from typing import Protocol

from scramp import ScramClient, ScramException  # type: ignore[import-untyped]

from smarthost.secret import Secret

SCRAM_ROUNDS_LIMIT = 1_000_000
"""Rounds of PBKDF2, some 0.3 s of a processor; a relay that asks for more is refused."""


class SaslError(Exception):
    """The relay's challenge does not fit the mechanism, or does not prove the relay."""


class Exchange(Protocol):
    """One authentication: made for one connection, used once.

    `initial` and `respond` may hash for a while; they belong in a thread.
    """

    @property
    def mechanism(self) -> str:
        """The mechanism's name, as AUTH takes it."""
        ...

    @property
    def password(self) -> Secret:
        """The password, for taking it out of what the relay answers."""
        ...

    def initial(self) -> bytes | None:
        """Give the response that needs no challenge, or None where the relay speaks first."""
        ...

    def respond(self, challenge: bytes) -> bytes:
        """Answer a challenge (decoded). Raises `SaslError`."""
        ...

    def check_done(self) -> None:
        """Raise `SaslError` if the relay says that all is well although the exchange lacks."""
        ...


class Plain:
    """PLAIN (RFC 4616)."""

    mechanism = "PLAIN"

    def __init__(self, user_name: str, password: Secret) -> None:
        self._user_name = user_name
        self.password = password

    def initial(self) -> bytes:
        """Give user name and password, and no other identity to act as."""
        return b"\0" + self._user_name.encode() + b"\0" + self.password.reveal().encode()

    def respond(self, challenge: bytes) -> bytes:  # noqa: ARG002 - the shape is the protocol's
        """Refuse: all has been said."""
        raise SaslError("PLAIN has no challenge.")

    def check_done(self) -> None:
        """Pass: the relay proves nothing."""


class Login:
    """LOGIN, which no RFC describes: user name, then password, whatever the prompts say."""

    mechanism = "LOGIN"

    def __init__(self, user_name: str, password: Secret) -> None:
        self._user_name = user_name
        self.password = password
        self._challenges = 0

    def initial(self) -> None:
        """Give nothing: some servers know no initial response here."""

    def respond(self, challenge: bytes) -> bytes:  # noqa: ARG002 - prompts differ and say nothing
        """Give user name, then password."""
        self._challenges += 1
        if self._challenges > 2:
            raise SaslError("LOGIN has two challenges.")
        text = self._user_name if self._challenges == 1 else self.password.reveal()
        return text.encode()

    def check_done(self) -> None:
        """Pass: the relay proves nothing."""


class CramMd5:
    """CRAM-MD5 (RFC 2195)."""

    mechanism = "CRAM-MD5"

    def __init__(self, user_name: str, password: Secret) -> None:
        self._user_name = user_name
        self.password = password
        self._answered = False

    def initial(self) -> None:
        """Give nothing: the relay speaks first."""

    def respond(self, challenge: bytes) -> bytes:
        """Give the user name and the keyed digest of the challenge."""
        # Whoever may ask twice collects material against the password.
        if self._answered:
            raise SaslError("CRAM-MD5 has one challenge.")
        self._answered = True
        digest = hmac.digest(self.password.reveal().encode(), challenge, "md5").hex()
        return f"{self._user_name} {digest}".encode()

    def check_done(self) -> None:
        """Pass: the relay proves nothing."""


class Scram:
    """SCRAM-SHA-256 (RFC 7677) and SCRAM-SHA-1 (RFC 5802), without channel binding."""

    def __init__(self, mechanism: str, user_name: str, password: Secret) -> None:
        """Prepare; raises `SaslError` on a name or password that SASLprep (RFC 4013) refuses."""
        self.mechanism = mechanism
        self.password = password
        self._challenges = 0
        try:
            self._client = ScramClient([mechanism], user_name, password.reveal())
        except ScramException:
            raise SaslError("SASLprep refuses the user name or the password.") from None

    def initial(self) -> bytes:
        """Give client-first-message."""
        first: str = self._client.get_client_first()
        return first.encode()

    def respond(self, challenge: bytes) -> bytes:
        """Prove the password, then have the relay's proof checked and say nothing more."""
        self._challenges += 1
        try:
            return self._step(challenge.decode())
        except (ScramException, ValueError) as error:
            raise SaslError(f"{self.mechanism} does not allow that challenge.") from error

    def check_done(self) -> None:
        """Raise `SaslError` unless the relay has proved that it knows the password too."""
        if self._challenges != 2:
            raise SaslError(f"The relay ended {self.mechanism} without its own proof.")

    def _step(self, message: str) -> bytes:
        if self._challenges > 1:
            self._client.set_server_final(message)
            return b""
        self._client.set_server_first(message)
        if int(self._client.iterations) > SCRAM_ROUNDS_LIMIT:
            raise SaslError("The relay asks for too many rounds of hashing.")
        final: str = self._client.get_client_final()
        return final.encode()


class Ntlm:
    r"""NTLM (MS-NLMP, MS-SMTPNTLM), version 2; the user name may be `DOMAIN\user`."""

    mechanism = "NTLM"

    def __init__(self, user_name: str, password: Secret) -> None:
        import spnego  # noqa: PLC0415 - a tenth of every start, and few relays want it
        from spnego.exceptions import NegotiateOptions  # noqa: PLC0415

        self.password = password
        self._challenged = False
        self._context = spnego.client(
            username=user_name,
            password=password.reveal(),
            protocol="ntlm",
            options=NegotiateOptions.use_ntlm,
        )

    def initial(self) -> bytes | None:
        """Give NEGOTIATE_MESSAGE."""
        return self._context.step()

    def respond(self, challenge: bytes) -> bytes:
        """Give AUTHENTICATE_MESSAGE."""
        if self._challenged:
            raise SaslError("NTLM has one challenge.")
        self._challenged = True
        try:
            return self._context.step(challenge) or b""
        except Exception as error:
            # The library trips over odd messages in ways of its own (struct.error, KeyError, …).
            raise SaslError("That is no NTLM challenge.") from error

    def check_done(self) -> None:
        """Pass: the relay proves nothing."""


def choose(
    offered: Collection[str],
    *,
    user_name: str,
    password: Secret,
    use_ntlm: bool,
    tls_verified: bool,
) -> Exchange | None:
    """Give an exchange of the strongest mechanism that both sides know, or None.

    `offered` are the relay's mechanisms in upper case. `use_ntlm` means NTLM and nothing else, and
    without it NTLM is never used, since its answer can be tried against a list of passwords.
    Where `tls_verified` is false, CRAM-MD5 goes before what shows the password itself. A user
    name or password that SASLprep refuses leaves SCRAM out.
    """
    if use_ntlm:
        return Ntlm(user_name, password) if "NTLM" in offered else None
    for name in _order(tls_verified=tls_verified):
        if name in offered:
            try:
                return _exchange(name, user_name, password)
            except SaslError:
                continue
    return None


def _order(*, tls_verified: bool) -> tuple[str, ...]:
    scram = ("SCRAM-SHA-256", "SCRAM-SHA-1")
    if tls_verified:
        return (*scram, "PLAIN", "LOGIN", "CRAM-MD5")
    return (*scram, "CRAM-MD5", "PLAIN", "LOGIN")


def _exchange(name: str, user_name: str, password: Secret) -> Exchange:
    if name.startswith("SCRAM-"):
        return Scram(name, user_name, password)
    simple: dict[str, type[Plain | Login | CramMd5]] = {
        "PLAIN": Plain,
        "LOGIN": Login,
        "CRAM-MD5": CramMd5,
    }
    return simple[name](user_name, password)
