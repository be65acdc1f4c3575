"""What the big providers say to a set-up that is wrong for them, in their own words."""

from typing import NamedTuple

from smarthost.delivery.outcome import Code, Step
from tests.broken_setups.servers import says
from tests.broken_setups.set_up import BrokenSetUp, Found

_ACCOUNT = ("credentialsUserPassword", "credentialsUserName")
_SENDER = ("senderAddress", "credentialsUserName")

_GMAIL = "smtp.gmail.com"
_MICROSOFT_365 = "smtp.office365.com"
_SES = "email-smtp.eu-west-1.amazonaws.com"


class _Refusal(NamedTuple):
    """A login that is refused for good; it does not matter which of the two is wrong."""

    name: str
    host: str
    line: str
    words: tuple[str, ...] = ("password",)
    fields: tuple[str, ...] = _ACCOUNT


_REFUSED = [
    _Refusal(
        "Gmail: the password is wrong",
        _GMAIL,
        "535 5.7.8 Username and Password not accepted. For more information, go to"
        " https://support.google.com/mail/?p=BadCredentials",
        ("app password",),
    ),
    _Refusal(
        "Gmail: the account's own password in place of an app password",
        _GMAIL,
        "534 5.7.9 Application-specific password required. For more information, go to"
        " https://support.google.com/mail/?p=InvalidSecondFactor",
        ("app password",),
        ("credentialsUserPassword",),
    ),
    _Refusal(
        "Gmail: Google wants to see the user in a browser",
        _GMAIL,
        "534 5.7.14 <https://accounts.google.com/signin/continue?x> Please log in via your web"
        " browser and then try again.",
        ("browser",),
    ),
    _Refusal(
        "Microsoft 365: the password is wrong",
        _MICROSOFT_365,
        "535 5.7.139 Authentication unsuccessful, the user credentials were incorrect.",
        (
            "expired",
            "locked",
        ),
    ),
    _Refusal(
        "Microsoft 365: SMTP AUTH is switched off for the tenant",
        _MICROSOFT_365,
        "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the"
        " Tenant. Visit https://aka.ms/smtp_auth_disabled for more information.",
        (
            "Authenticated SMTP",
            "administrator",
        ),
        ("credentialsUserName",),
    ),
    _Refusal(
        "Microsoft 365: SMTP AUTH is switched off for the mailbox",
        _MICROSOFT_365,
        "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the"
        " Mailbox. Visit https://aka.ms/smtp_auth_disabled for more information.",
        (
            "Authenticated SMTP",
            "mailbox",
        ),
        ("credentialsUserName",),
    ),
    _Refusal(
        "Microsoft 365: passwords are no longer taken",
        _MICROSOFT_365,
        "550 5.7.30 Basic authentication is not supported for Client Submission.",
        ("takes no password",),
        ("credentialsUserName",),
    ),
    _Refusal(
        "Microsoft 365: security defaults are on",
        _MICROSOFT_365,
        "535 5.7.139 Authentication unsuccessful, user is locked by your organization's security"
        " defaults policy. Contact your administrator.",
        ("security defaults",),
        ("credentialsUserName",),
    ),
    _Refusal(
        "Microsoft 365: a rule of conditional access is in the way",
        _MICROSOFT_365,
        "535 5.7.139 Authentication unsuccessful, the request did not meet the criteria to be"
        " authenticated successfully. Contact your administrator.",
        ("Conditional Access",),
        ("credentialsUserName", "credentialsUserPassword"),
    ),
    _Refusal(
        "Outlook.com: passwords are no longer taken",
        "smtp-mail.outlook.com",
        "535 5.7.139 Authentication unsuccessful, basic authentication is disabled.",
        ("OAuth2",),
        ("credentialsUserPassword",),
    ),
    _Refusal(
        "Exchange Server: the password is wrong",
        "exchange.example.com",
        "535 5.7.3 Authentication unsuccessful",
        ("user name",),
        (*_ACCOUNT, "useNtlm"),
    ),
    _Refusal(
        "Yahoo: the account's own password in place of an app password",
        "smtp.mail.yahoo.com",
        "535 5.7.8 Error: authentication failed: authentication failure",
        (
            "app password",
            "Yahoo Mail asks",
        ),
    ),
    _Refusal(
        "iCloud: the account's own password in place of an app password",
        "smtp.mail.me.com",
        "535 5.7.8 Error: authentication failed: authentication failure",
        ("app-specific password",),
    ),
    _Refusal(
        "Zoho: the password, or the region of the host",
        "smtp.zoho.com",
        "535 Authentication Failed",
        ("region",),
        ("host", *_ACCOUNT),
    ),
    _Refusal(
        "GMX: access by SMTP is not switched on",
        "mail.gmx.net",
        "535 Authentication credentials invalid",
        ("allow access by mail programs",),
    ),
    _Refusal(
        "web.de: access by SMTP is not switched on",
        "smtp.web.de",
        "535 Authentication credentials invalid",
        ("allow access by mail programs",),
    ),
    _Refusal(
        "Yandex: access by programs is not switched on",
        "smtp.yandex.com",
        "535 5.7.8 Error: authentication failed: This user does not have access rights to this"
        " service",
        (
            "app password",
            "allow mail programs",
        ),
        ("credentialsUserPassword",),
    ),
    _Refusal(
        "Mail.ru: the account's own password in place of an app password",
        "smtp.mail.ru",
        "535 5.7.0 NEOBHODIM parol prilozheniya https://help.mail.ru/mail/security/protection/"
        "external / Application password is REQUIRED",
        ("external applications",),
        ("credentialsUserPassword",),
    ),
    _Refusal(
        "QQ: the account's own password in place of an authorization code",
        "smtp.qq.com",
        "535 Login Fail. Please enter your authorization code to login. More information in"
        " https://service.mail.qq.com/detail/0/53",
        ("authorisation code",),
        ("credentialsUserPassword",),
    ),
    _Refusal(
        "NetEase (163): access by SMTP is not switched on",
        "smtp.163.com",
        "550 User has no permission",
        (
            "authorisation code",
            "switch the SMTP service on",
        ),
        ("credentialsUserPassword",),
    ),
    _Refusal(
        "Fastmail: the account's own password in place of an app password",
        "smtp.fastmail.com",
        "535 5.7.8 Error: authentication failed: authentication failure",
        ("create an app password",),
    ),
    _Refusal(
        "IONOS: the password is wrong",
        "smtp.ionos.com",
        "535 Authentication credentials invalid",
    ),
    _Refusal(
        "Amazon SES: an AWS key in place of SMTP credentials",
        _SES,
        "535 Authentication Credentials Invalid",
        (
            "SMTP credentials",
            "region",
        ),
        (*_ACCOUNT, "host"),
    ),
    _Refusal(
        "SendGrid: the account's password in place of an API key",
        "smtp.sendgrid.net",
        "535 Authentication failed: Bad username / password",
        ("create an API key",),
    ),
    _Refusal(
        "Mailgun: the account's password in place of SMTP credentials",
        "smtp.mailgun.org",
        "535 Authentication failed: Bad username / password",
        ("SMTP credential of the sending domain",),
    ),
    _Refusal(
        "Brevo: the account's password in place of an SMTP key",
        "smtp-relay.brevo.com",
        "535 Authentication failed: Bad username / password",
        ("create an SMTP key",),
    ),
    _Refusal(
        "Brevo: the address of this machine is not on the account's list",
        "smtp-relay.brevo.com",
        "525 5.7.1 Unauthorized IP address",
        ("Authorised IPs",),
        (),
    ),
    _Refusal(
        "Postmark: the account's password in place of a server token",
        "smtp.postmarkapp.com",
        "535 Authentication failed: Bad username / password",
        ("token of the server",),
    ),
]

_LATER = {
    Code.TEMPORARILY_REFUSED: [
        _Refusal(
            "Gmail: too many logins",
            _GMAIL,
            "454 4.7.0 Too many login attempts, please try again later.",
            ("too many",),
            (),
        ),
        _Refusal(
            "SendGrid: the plan's mail is used up",
            "smtp.sendgrid.net",
            "451 Authentication failed: Maximum credits exceeded",
            ("credits",),
            (),
        ),
    ],
    Code.RATE_LIMITED: [
        _Refusal(
            "Microsoft 365: too many connections at once",
            _MICROSOFT_365,
            "432 4.3.2 Concurrent connections limit exceeded. Visit"
            " https://aka.ms/concurrent_sending for more information.",
            ("three connections",),
            (),
        ),
    ],
}


def _at_login(one: _Refusal, code: Code) -> BrokenSetUp:
    return BrokenSetUp(
        name=one.name,
        host=one.host,
        server=says("AUTH", one.line),
        step=Step.AUTHENTICATE,
        code=code,
        fields=one.fields,
        says=one.words,
        permanent=code is Code.LOGIN_REFUSED,
    )


_OTHERS = [
    BrokenSetUp(
        name="Exchange Server: the account may not send as the sender",
        host="exchange.example.com",
        server=says(
            ".", "550 5.7.60 SMTP; Client does not have permissions to send as this sender"
        ),
        step=Step.DATA,
        code=Code.SENDER_REFUSED,
        fields=_SENDER,
        says=("sender",),
        permanent=True,
        found=Found.AT_DATA,
    ),
    BrokenSetUp(
        name="Microsoft 365: the account may not send as the sender",
        host=_MICROSOFT_365,
        server=says(
            ".",
            "554 5.2.252 SendAsDenied; app@example.com not allowed to send as notify@example.com",
        ),
        step=Step.DATA,
        code=Code.SENDER_REFUSED,
        fields=_SENDER,
        says=("sender",),
        permanent=True,
        found=Found.AT_DATA,
    ),
    BrokenSetUp(
        name="Microsoft 365: the account was blocked as a source of spam",
        host=_MICROSOFT_365,
        server=says(".", "550 5.1.8 Access denied, bad outbound sender AS(42004)"),
        step=Step.DATA,
        code=Code.SENDER_REFUSED,
        fields=("credentialsUserPassword", "senderAddress"),
        says=("blocked this sender for spam",),
        permanent=True,
        found=Found.AT_DATA,
    ),
    BrokenSetUp(
        name="Zoho: the sender is none of the account's addresses",
        host="smtp.zoho.com",
        server=says("MAIL", "553 Relaying disallowed as notify@example.com"),
        step=Step.SENDER,
        code=Code.SENDER_REFUSED,
        fields=_SENDER,
        says=("sender",),
        permanent=True,
    ),
    BrokenSetUp(
        name="Amazon SES: the sender was not verified",
        host=_SES,
        server=says(
            ".",
            "554 Message rejected: Email address is not verified. The following identities failed"
            " the check in region EU-WEST-1: notify@example.com",
        ),
        step=Step.DATA,
        code=Code.MESSAGE_REFUSED,
        fields=("senderAddress", "host"),
        says=("verify", "sandbox"),
        permanent=True,
        found=Found.AT_DATA,
    ),
    BrokenSetUp(
        name="SendGrid: the sender is no verified identity",
        host="smtp.sendgrid.net",
        server=says(".", "550 The from address does not match a verified Sender Identity."),
        step=Step.DATA,
        code=Code.MESSAGE_REFUSED,
        fields=("senderAddress",),
        says=("sender",),
        permanent=True,
        found=Found.AT_DATA,
    ),
    BrokenSetUp(
        name="Gmail: the day's mail is used up",
        host=_GMAIL,
        server=says("DATA", "550 5.4.5 Daily user sending limit exceeded."),
        step=Step.DATA,
        code=Code.RATE_LIMITED,
        fields=(),
        says=("daily limit",),
        found=Found.AT_DATA,
    ),
    BrokenSetUp(
        name="Gmail's relay: the address of this machine is not registered",
        host="smtp-relay.gmail.com",
        settings={"enable_auth": False},
        server=says("MAIL", "550 5.7.1 Invalid credentials for relay [192.0.2.7]."),
        step=Step.SENDER,
        code=Code.SENDER_REFUSED,
        fields=("host", "credentialsUserName", "senderAddress"),
        says=("public address of this machine",),
        permanent=True,
    ),
    BrokenSetUp(
        name="Amazon SES: too much at once",
        host=_SES,
        server=says(".", "454 Throttling failure: Maximum sending rate exceeded."),
        step=Step.DATA,
        code=Code.RATE_LIMITED,
        fields=(),
        says=("limit of Amazon SES",),
        found=Found.AT_DATA,
    ),
    BrokenSetUp(
        name="Mailgun: a domain for tests, and a recipient that is not listed",
        host="smtp.mailgun.org",
        server=says(
            "RCPT",
            "421 Domain sandbox123.mailgun.org is not allowed to send: Free accounts are for test"
            " purposes only.",
        ),
        step=Step.RECIPIENT,
        code=Code.RELAY_UNAVAILABLE,
        fields=(),
        says=("recipient",),
    ),
]

PROVIDER_ROWS = [
    *(_at_login(one, Code.LOGIN_REFUSED) for one in _REFUSED),
    *(_at_login(one, code) for code, some in _LATER.items() for one in some),
    *_OTHERS,
]
