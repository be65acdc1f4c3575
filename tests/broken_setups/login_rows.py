"""What can be wrong with the login."""

from functools import partial

from smarthost.delivery.outcome import Code, Step
from tests.broken_setups.postfix_services import MAILBOX, on_postfix
from tests.broken_setups.servers import Offers, SaysInClear, says, scripted
from tests.broken_setups.set_up import BrokenSetUp, Server

_ACCOUNT = ("credentialsUserPassword", "credentialsUserName")
_NO_LOGIN = {"enable_auth": False}
_WANTED = ("enableAuth", "credentialsUserName", "credentialsUserPassword")


def _in_clear(verb: str, line: str) -> Server:
    return scripted(
        f"no TLS, and `{line}` to {verb}",
        partial(SaysInClear, step=verb, answer=f"{line}\r\n".encode()),
    )


def _refused(name: str, user_name: str, password: str) -> BrokenSetUp:
    return BrokenSetUp(
        name=name,
        server=on_postfix("full", "a login by Cyrus SASL"),
        settings={"user_name": user_name, "password": password},
        step=Step.AUTHENTICATE,
        code=Code.LOGIN_REFUSED,
        fields=_ACCOUNT,
        says=("refused the login", "password", "user name"),
        permanent=True,
    )


def _no_way(name: str, server: Server, *words: str, fields: tuple[str, ...]) -> BrokenSetUp:
    return BrokenSetUp(
        name=name,
        server=server,
        step=Step.AUTHENTICATE,
        code=Code.LOGIN_NOT_OFFERED,
        fields=fields,
        says=words,
        permanent=True,
    )


LOGIN_ROWS = [
    _refused("The password is wrong", "postman", "Wrong-Horse-7"),
    _refused("The user name is wrong", "postmaster", "Correct-Horse-7"),
    _refused("The password has a blank behind it", "postman", "Correct-Horse-7 "),
    _no_way(
        "A login is asked for, and the server has none on this port",
        on_postfix("no login", "no AUTH"),
        "offers no login",
        fields=("port", "enableAuth"),
    ),
    _no_way(
        "The server offers NTLM alone, and NTLM is switched off",
        on_postfix("ntlm", "`AUTH NTLM`"),
        "offers no login",
        fields=("port", "enableAuth"),
    ),
    BrokenSetUp(
        name="NTLM is switched on, and the server offers everything else",
        server=scripted("`AUTH PLAIN LOGIN`", partial(Offers, mechanisms="PLAIN LOGIN")),
        settings={"use_ntlm": True},
        step=Step.AUTHENTICATE,
        code=Code.LOGIN_NOT_OFFERED,
        fields=("useNtlm",),
        says=("NTLM",),
        permanent=True,
    ),
    BrokenSetUp(
        name="NTLM is switched on, and the operator allows none",
        server=on_postfix("ntlm", "`AUTH NTLM`, and `SMARTHOST_NTLM=off`"),
        settings={"use_ntlm": True},
        environ={"NTLM": "off"},
        step=Step.AUTHENTICATE,
        code=Code.NTLM_SWITCHED_OFF,
        fields=("useNtlm",),
        says=("NTLM", "operator"),
        permanent=True,
    ),
    _no_way(
        "The server takes OAuth2 alone",
        scripted("`AUTH XOAUTH2 OAUTHBEARER`", partial(Offers, mechanisms="XOAUTH2 OAUTHBEARER")),
        "set up the OAuth2 sign-in",
        fields=("port", "enableAuth"),
    ),
    _no_way(
        "The server lists logins and takes none of them",
        says("AUTH", "504 5.7.4 Unrecognized authentication type"),
        "login",
        fields=("useNtlm", "port"),
    ),
    BrokenSetUp(
        name="The server offers its login behind TLS alone, and its TLS does not work",
        server=on_postfix("login after tls, no key", "`smtpd_tls_auth_only`, and no key"),
        settings={"enable_ssl": False},
        step=Step.AUTHENTICATE,
        code=Code.LOGIN_NOT_OFFERED,
        fields=("enableSSL", "enableAuth"),
        says=("only after TLS",),
        permanent=True,
    ),
    BrokenSetUp(
        name="The server wants TLS before the login (538)",
        server=_in_clear("AUTH", "538 5.7.11 Encryption required for requested mechanism"),
        settings={"enable_ssl": False},
        step=Step.AUTHENTICATE,
        code=Code.TLS_REQUIRED,
        fields=("enableSSL",),
        says=("turn on TLS",),
        permanent=True,
    ),
    BrokenSetUp(
        name="The server wants TLS before the login (530)",
        server=_in_clear("AUTH", "530 5.7.0 Must issue a STARTTLS command first"),
        settings={"enable_ssl": False},
        step=Step.AUTHENTICATE,
        code=Code.TLS_REQUIRED,
        fields=("enableSSL",),
        says=("turn on TLS",),
        permanent=True,
    ),
    BrokenSetUp(
        name="The server takes no mail without TLS, and its TLS does not work",
        server=on_postfix("tls wanted, no key", "`smtpd_tls_security_level = encrypt`, no key"),
        settings={"enable_ssl": False, **_NO_LOGIN},
        to=MAILBOX,
        step=Step.SENDER,
        code=Code.TLS_REQUIRED,
        fields=("enableSSL",),
        says=("turn on TLS",),
        permanent=True,
    ),
    BrokenSetUp(
        name="The login is switched off, and the server wants one",
        server=says("MAIL", "530 5.7.0 Authentication Required"),
        settings=_NO_LOGIN,
        step=Step.SENDER,
        code=Code.LOGIN_REQUIRED,
        fields=_WANTED,
        says=("turn on the login",),
        permanent=True,
    ),
    BrokenSetUp(
        name="The login is switched off, and an Exchange server wants one",
        server=says("MAIL", "530 5.7.57 Client not authenticated to send mail."),
        settings=_NO_LOGIN,
        step=Step.SENDER,
        code=Code.LOGIN_REQUIRED,
        fields=_WANTED,
        says=("turn on the login",),
        permanent=True,
    ),
    BrokenSetUp(
        name="The login is switched off, and this is the port for those who log in",
        server=on_postfix(
            "members", "`smtpd_client_restrictions = permit_sasl_authenticated, reject`"
        ),
        settings=_NO_LOGIN,
        to=MAILBOX,
        step=Step.RECIPIENT,
        code=Code.RELAYING_DENIED,
        fields=_WANTED,
        says=("turn on the login",),
        permanent=True,
    ),
    BrokenSetUp(
        name="The login is switched off, and the server delivers only to its own users then",
        server=on_postfix("relays for members", "`reject_unauth_destination`"),
        settings=_NO_LOGIN,
        step=Step.RECIPIENT,
        code=Code.RELAYING_DENIED,
        fields=_WANTED,
        says=("turn on the login",),
        permanent=True,
    ),
    BrokenSetUp(
        name="The same with a server as it comes, which does not say no for good",
        server=on_postfix("relays for members, in time", "`defer_unauth_destination`"),
        settings=_NO_LOGIN,
        step=Step.RECIPIENT,
        code=Code.RELAYING_DENIED,
        fields=_WANTED,
        says=("turn on the login",),
    ),
    BrokenSetUp(
        name="The account was locked after too many wrong passwords",
        server=says("AUTH", "454 4.7.0 Temporary authentication failure: account locked"),
        step=Step.AUTHENTICATE,
        code=Code.TEMPORARILY_REFUSED,
        fields=("credentialsUserName",),
        says=("account",),
    ),
    BrokenSetUp(
        name="The account was switched off",
        server=says("AUTH", "525 5.7.13 User account disabled"),
        step=Step.AUTHENTICATE,
        code=Code.LOGIN_REFUSED,
        fields=("credentialsUserName",),
        says=("account",),
        permanent=True,
    ),
    BrokenSetUp(
        name="The password has to be renewed",
        server=says("AUTH", "535 5.7.10 Password expired, please change it"),
        step=Step.AUTHENTICATE,
        code=Code.LOGIN_REFUSED,
        fields=("credentialsUserPassword",),
        says=("password",),
        permanent=True,
    ),
]
