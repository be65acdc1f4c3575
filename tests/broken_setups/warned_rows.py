"""What works today and is not as it should be: the check warns of it."""

from smarthost.delivery.outcome import Code, Step
from tests.broken_setups.postfix_services import MAILBOX, on_postfix
from tests.broken_setups.servers import certified, for_names, scripted, valid
from tests.broken_setups.set_up import BrokenSetUp, Found, Server
from tests.hostile_relays.honest import Relay
from tests.hostile_relays.relays import OffersNoTls


def _warned(
    name: str,
    server: Server,
    step: Step,
    code: Code,
    *words: str,
    fields: tuple[str, ...],
    host: str = "mail.example.com",
    **settings: object,
) -> BrokenSetUp:
    return BrokenSetUp(
        name=name,
        server=server,
        step=step,
        code=code,
        fields=fields,
        says=words,
        found=Found.WARNED,
        host=host,
        to=MAILBOX,
        settings=settings,
    )


WARNED_ROWS = [
    _warned(
        "The certificate ends within three weeks",
        certified("a certificate that ends in ten days", valid(-80, 10)),
        Step.TLS,
        Code.CERTIFICATE_ENDS_SOON,
        "renew",
        fields=(),
    ),
    _warned(
        "The server has no TLS, and the password goes to it in clear",
        scripted("no TLS, and `AUTH PLAIN LOGIN`", OffersNoTls),
        Step.AUTHENTICATE,
        Code.PASSWORD_IN_CLEAR,
        "turn on TLS",
        fields=("enableSSL",),
        enable_ssl=False,
    ),
    _warned(
        "The server has no TLS, and the mail goes to it in clear",
        on_postfix("no tls", "no STARTTLS"),
        Step.TLS,
        Code.NOT_ENCRYPTED,
        "not encrypted",
        fields=("enableSSL",),
        enable_ssl=False,
        enable_auth=False,
    ),
    _warned(
        "TLS is switched off, so that nobody looks at the certificate",
        certified(
            "a certificate for `mail.elsewhere.example`", for_names("mail.elsewhere.example")
        ),
        Step.AUTHENTICATE,
        Code.CERTIFICATE_NOT_VERIFIED,
        "turn on TLS",
        fields=("enableSSL",),
        enable_ssl=False,
    ),
    _warned(
        "The sender address is of another domain than the login",
        scripted("a server that lets it pass", Relay),
        Step.SENDER,
        Code.SENDER_OUTSIDE_LOGIN,
        "domain",
        fields=("senderAddress", "credentialsUserName"),
        user_name="office@example.net",
    ),
    _warned(
        "The provider recommends another port",
        scripted("a server called `smtp.fastmail.com`, on some port", Relay),
        Step.CONNECT,
        Code.PROVIDER_RECOMMENDS_OTHER,
        "recommends",
        fields=("port", "enableSSL", "enableAuth"),
        host="smtp.fastmail.com",
    ),
]
