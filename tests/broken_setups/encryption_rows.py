"""What can be wrong with TLS and with certificates."""

from smarthost.delivery.outcome import Code, Step
from tests.broken_setups.postfix_services import on_postfix
from tests.broken_setups.servers import (
    BreaksHandshake,
    CutsHandshake,
    SelfSigned,
    WantsCertificate,
    WithoutIntermediate,
    certified,
    for_names,
    of_company,
    says,
    scripted,
    valid,
)
from tests.broken_setups.set_up import BrokenSetUp, Server
from tests.hostile_relays.relays import Injects, OldTls, StallsHandshake, TalksOnInClear


def _certificate(
    name: str, server: Server, code: Code, *words: str, fields: tuple[str, ...] = ()
) -> BrokenSetUp:
    return BrokenSetUp(
        name=name,
        server=server,
        step=Step.TLS,
        code=code,
        fields=fields,
        says=words,
        permanent=True,
    )


def _unavailable(name: str, server: Server, *, permanent: bool) -> BrokenSetUp:
    return BrokenSetUp(
        name=name,
        server=server,
        step=Step.TLS,
        code=Code.TLS_UNAVAILABLE,
        fields=("port", "enableSSL"),
        says=("does not start TLS",),
        permanent=permanent,
    )


ENCRYPTION_ROWS = [
    _unavailable(
        "TLS is asked for, and the server has none",
        on_postfix("no tls", "no STARTTLS"),
        permanent=True,
    ),
    BrokenSetUp(
        name="The server's key file has no key in it",
        server=on_postfix("no key", "`454 4.7.0 TLS not available due to local problem`"),
        step=Step.TLS,
        code=Code.TLS_UNAVAILABLE,
        fields=(),
        says=("cannot begin TLS", "certificate and key"),
    ),
    _unavailable(
        "The server offers STARTTLS and does not know it",
        says("STARTTLS", "502 5.5.1 Error: command not implemented"),
        permanent=True,
    ),
    BrokenSetUp(
        name="Something in between takes part in TLS and does not know how",
        server=scripted("words in clear where TLS was agreed on", TalksOnInClear),
        step=Step.TLS,
        code=Code.TLS_NOT_SPOKEN,
        fields=("port",),
        says=("agreed to begin with TLS",),
        permanent=True,
    ),
    BrokenSetUp(
        name="Server and client have no cipher in common",
        server=scripted("the alert handshake_failure", BreaksHandshake),
        step=Step.TLS,
        code=Code.TLS_FAILED,
        fields=("port",),
        says=("no TLS connection",),
    ),
    BrokenSetUp(
        name="The server's key file is missing",
        server=on_postfix("no file", "no such file as `smtpd_tls_chain_files` names"),
        step=Step.TLS,
        code=Code.TLS_FAILED,
        fields=("port",),
        says=("no TLS connection",),
    ),
    BrokenSetUp(
        name="The server wants to see a certificate of the client",
        server=scripted("a demand for a certificate, up to TLS 1.2", WantsCertificate),
        step=Step.TLS,
        code=Code.TLS_FAILED,
        fields=("port",),
        says=("no TLS connection",),
    ),
    BrokenSetUp(
        name="A firewall cuts the connection as soon as TLS begins",
        server=scripted("a reset behind the ClientHello", CutsHandshake),
        step=Step.TLS,
        code=Code.TLS_FAILED,
        fields=("port",),
        says=("handshake broke off",),
    ),
    BrokenSetUp(
        name="The server takes forever to begin with TLS",
        server=scripted("nothing behind the ClientHello", StallsHandshake),
        step=Step.TLS,
        code=Code.TIMED_OUT,
        fields=(),
        says=("took too long",),
        slow=True,
    ),
    BrokenSetUp(
        name="Somebody in between adds text before TLS begins",
        server=scripted("clear text behind the 220 to STARTTLS", Injects),
        step=Step.TLS,
        code=Code.STARTTLS_INJECTION,
        fields=("port",),
        says=("tampering",),
    ),
    BrokenSetUp(
        name="The server knows TLS 1.0 and 1.1 alone",
        server=scripted("TLS 1.0", OldTls),
        step=Step.TLS,
        code=Code.TLS_TOO_OLD,
        fields=(),
        says=("TLS 1.2",),
        permanent=True,
    ),
    _certificate(
        "The certificate has expired",
        certified("a certificate that ended yesterday", valid(-90, -1)),
        Code.CERTIFICATE_EXPIRED,
        "expired",
    ),
    _certificate(
        "The certificate is not valid yet",
        certified("a certificate that begins tomorrow", valid(1, 90)),
        Code.CERTIFICATE_EXPIRED,
        "not valid yet",
    ),
    _certificate(
        "The certificate has signed itself",
        scripted("a certificate that has signed itself", SelfSigned),
        Code.CERTIFICATE_UNTRUSTED,
        "not trusted",
        fields=("host",),
    ),
    _certificate(
        "The certificate is of the company's own authority",
        certified("a certificate of an authority that the machine does not know", of_company),
        Code.CERTIFICATE_UNTRUSTED,
        "not trusted",
        fields=("host",),
    ),
    _certificate(
        "The server does not send the certificate in between",
        scripted("a certificate without the one that has signed it", WithoutIntermediate),
        Code.CERTIFICATE_UNTRUSTED,
        "certificates in between",
        fields=("host",),
    ),
    _certificate(
        "The certificate is for another name",
        certified(
            "a certificate for `mail.elsewhere.example`", for_names("mail.elsewhere.example")
        ),
        Code.CERTIFICATE_WRONG_NAME,
        "another name",
        fields=("host",),
    ),
    BrokenSetUp(
        name="The host is typed as an IP address, and the certificate is for a name",
        server=certified("a certificate for `mail.example.com`", for_names("mail.example.com")),
        host="127.0.0.1",
        step=Step.TLS,
        code=Code.CERTIFICATE_WRONG_NAME,
        fields=("host",),
        says=("enter the name",),
        permanent=True,
    ),
]
