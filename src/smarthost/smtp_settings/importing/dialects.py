"""Which variables which programs have, and what they mean: data, each with the page it is from.

A program is recognised by a variable that names a server. What is not in its table and has its
prefix is told as not read.
"""

from types import MappingProxyType

import msgspec

from smarthost.smtp_settings.importing.model import (
    Encryption,
    Field,
    Left,
    Meanings,
    Switch,
    Unverified,
    Words,
)

_IMPLICIT, _STARTTLS, _REQUIRED = Encryption.IMPLICIT, Encryption.STARTTLS, Encryption.REQUIRED
_IF_OFFERED, _NONE = Encryption.IF_OFFERED, Encryption.NONE

_ON = frozenset({"1", "true", "yes", "on", "t", "y"})
OFF = frozenset({"0", "false", "no", "off", "f", "n"})
_VERIFY_MODE = Unverified(frozenset({"none", "0"}))
# PHP programs say `tls` for STARTTLS and `ssl` for TLS from the first octet; programs made with
# Nodemailer say true for the latter.
KIND_OF_TLS = Words(
    MappingProxyType(
        {
            "ssl": _IMPLICIT,
            "smtps": _IMPLICIT,
            "force_tls": _IMPLICIT,
            "true": _REQUIRED,
            "tls": _STARTTLS,
            "starttls": _STARTTLS,
            "smtp": _IF_OFFERED,
            "off": _NONE,
            "none": _NONE,
            "false": None,
            "null": None,
            "": None,
        }
    )
)
_USES_STARTTLS = Words(
    MappingProxyType(
        {
            "always": _STARTTLS,
            "true": _STARTTLS,
            "auto": _IF_OFFERED,
            "never": _NONE,
            "false": None,
        }
    )
)


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """The variables of one program."""

    name: str
    """Behind “a file of …”."""
    marks: tuple[str, ...]
    """In lower case: one that is there and has a value shows that the file is such a one."""
    prefixes: tuple[str, ...]
    """In lower case: what else concerns mail."""
    meanings: Meanings
    nothing: frozenset[str] = frozenset({""})
    """Values in lower case that stand for none."""
    url_smtps: Encryption = Encryption.IMPLICIT
    """What the scheme smtps means in its URLs."""
    default_port: int | None = None


DIALECTS = (
    Dialect(
        # https://github.com/laravel/laravel/blob/11.x/config/mail.php
        # https://laravel.com/docs/10.x/mail
        name="a Laravel application",
        marks=("mail_host", "mail_url"),
        prefixes=("mail_",),
        # phpdotenv's words, as Laravel's env() reads them
        nothing=frozenset({"", "null", "(null)", "empty", "(empty)"}),
        default_port=2525,
        meanings=MappingProxyType(
            {
                "mail_url": Field.URL,
                "mail_mailer": Field.TRANSPORT,
                "mail_driver": Field.TRANSPORT,
                "mail_host": Field.HOST,
                "mail_port": Field.PORT,
                "mail_username": Field.USER_NAME,
                "mail_password": Field.PASSWORD,
                "mail_from_address": Field.SENDER,
                "mail_from_name": Field.SENDER_NAME,
                "mail_encryption": KIND_OF_TLS,
                "mail_scheme": KIND_OF_TLS,
                "mail_auto_tls": Switch(_IF_OFFERED, _NONE),
                "mail_verify_peer": Unverified(OFF),
                "mail_ehlo_domain": Left.EHLO,
                "mail_timeout": Left.TIMES,
                "mail_reply_to_address": Left.REPLY_TO,
                "mail_reply_to_name": Left.REPLY_TO,
            }
        ),
    ),
    Dialect(
        # https://symfony.com/doc/current/mailer.html
        name="a Symfony application",
        marks=("mailer_dsn",),
        prefixes=("mailer_",),
        meanings=MappingProxyType({"mailer_dsn": Field.URL}),
    ),
    Dialect(
        # https://docs.djangoproject.com/en/5.2/ref/settings/#email
        # https://django-environ.readthedocs.io/en/latest/types.html#environ-env-email-url
        # https://pypi.org/project/dj-email-url/
        name="a Django application",
        marks=("email_host", "email_url"),
        prefixes=("email_",),
        url_smtps=_STARTTLS,
        meanings=MappingProxyType(
            {
                "email_url": Field.URL,
                "email_backend": Field.TRANSPORT,
                "email_host": Field.HOST,
                "email_port": Field.PORT,
                "email_host_user": Field.USER_NAME,
                "email_host_password": Field.PASSWORD,
                "default_from_email": Field.SENDER,
                "email_use_tls": Switch(_STARTTLS, _NONE),
                "email_use_ssl": Switch(_IMPLICIT, _NONE),
                "email_timeout": Left.TIMES,
                "email_ssl_certfile": Left.CERTIFICATE,
                "email_ssl_keyfile": Left.CERTIFICATE,
            }
        ),
    ),
    Dialect(
        # https://docs.joinmastodon.org/admin/config/#email
        # https://github.com/dani-garcia/vaultwarden/blob/main/.env.template
        # https://github.com/nextcloud/docker#auto-configuration-via-environment-variables
        # https://guides.rubyonrails.org/configuring.html (smtp_settings)
        name="a program with variables SMTP_…",
        marks=("smtp_host", "smtp_server", "smtp_address", "smtp_url"),
        prefixes=("smtp_",),
        meanings=MappingProxyType(
            {
                "smtp_url": Field.URL,
                "smtp_host": Field.HOST,
                "smtp_server": Field.HOST,
                "smtp_address": Field.HOST,
                "smtp_port": Field.PORT,
                "smtp_user": Field.USER_NAME,
                "smtp_username": Field.USER_NAME,
                "smtp_user_name": Field.USER_NAME,
                "smtp_login": Field.USER_NAME,
                "smtp_name": Field.USER_NAME,
                "smtp_pass": Field.PASSWORD,
                "smtp_password": Field.PASSWORD,
                "smtp_pass_file": Left.SECOND_FILE,
                "smtp_password_file": Left.SECOND_FILE,
                "smtp_from": Field.SENDER,
                "smtp_from_address": Field.SENDER,
                "smtp_from_email": Field.SENDER,
                "smtp_sender": Field.SENDER,
                "mailer_sender_email": Field.SENDER,
                "mail_from_address": Field.SENDER,
                "mail_domain": Field.DOMAIN,
                "smtp_from_name": Field.SENDER_NAME,
                "smtp_delivery_method": Field.TRANSPORT,
                "smtp_security": KIND_OF_TLS,
                "smtp_secure": KIND_OF_TLS,
                "smtp_encryption": KIND_OF_TLS,
                "smtp_tls": Switch(_REQUIRED),
                "smtp_ssl": Switch(_REQUIRED),
                "smtp_enable_starttls": _USES_STARTTLS,
                "smtp_enable_starttls_auto": Switch(_IF_OFFERED, _NONE),
                "smtp_auth_method": Field.MECHANISM,
                "smtp_auth_mechanism": Field.MECHANISM,
                "smtp_authentication": Field.MECHANISM,
                "smtp_authtype": Field.MECHANISM,
                "smtp_openssl_verify_mode": _VERIFY_MODE,
                "smtp_accept_invalid_certs": Unverified(_ON),
                "smtp_accept_invalid_hostnames": Unverified(_ON),
                "smtp_ca_file": Left.AUTHORITY,
                "smtp_domain": Left.EHLO,
                "smtp_timeout": Left.TIMES,
                "smtp_reply_to": Left.REPLY_TO,
                "smtp_return_path": Left.ENVELOPE,
            }
        ),
    ),
    Dialect(
        # https://github.com/discourse/discourse/blob/main/config/discourse_defaults.conf
        name="Discourse",
        marks=("discourse_smtp_address",),
        prefixes=("discourse_smtp_",),
        meanings=MappingProxyType(
            {
                "discourse_smtp_address": Field.HOST,
                "discourse_smtp_port": Field.PORT,
                "discourse_smtp_user_name": Field.USER_NAME,
                "discourse_smtp_password": Field.PASSWORD,
                "discourse_notification_email": Field.SENDER,
                "discourse_smtp_authentication": Field.MECHANISM,
                "discourse_smtp_enable_start_tls": Switch(_IF_OFFERED, _NONE),
                "discourse_smtp_force_tls": Switch(_IMPLICIT),
                "discourse_smtp_openssl_verify_mode": _VERIFY_MODE,
                "discourse_smtp_domain": Left.EHLO,
                "discourse_smtp_open_timeout": Left.TIMES,
                "discourse_smtp_read_timeout": Left.TIMES,
            }
        ),
    ),
    Dialect(
        # https://docs.ghost.org/config/#mail and, for the options, https://nodemailer.com/smtp/
        name="Ghost",
        marks=("mail__options__host", "mail__options__service"),
        prefixes=("mail__",),
        default_port=587,
        meanings=MappingProxyType(
            {
                "mail__transport": Field.TRANSPORT,
                "mail__from": Field.SENDER,
                "mail__options__host": Field.HOST,
                "mail__options__port": Field.PORT,
                "mail__options__auth__user": Field.USER_NAME,
                "mail__options__auth__pass": Field.PASSWORD,
                "mail__options__auth__type": Field.MECHANISM,
                "mail__options__secure": Switch(_IMPLICIT),
                "mail__options__secureconnection": Switch(_IMPLICIT),
                "mail__options__requiretls": Switch(_STARTTLS),
                "mail__options__ignoretls": Switch(_NONE),
                "mail__options__tls__rejectunauthorized": Unverified(OFF),
                "mail__options__name": Left.EHLO,
            }
        ),
    ),
    *(
        Dialect(
            # https://docs.gitea.com/administration/config-cheat-sheet#mailer-mailer
            # https://forgejo.org/docs/latest/admin/config-cheat-sheet/#mailer-mailer
            name=name,
            marks=(f"{prefix}smtp_addr",),
            prefixes=(prefix,),
            meanings=MappingProxyType(
                {
                    f"{prefix}smtp_addr": Field.HOST,
                    f"{prefix}smtp_port": Field.PORT,
                    f"{prefix}user": Field.USER_NAME,
                    f"{prefix}passwd": Field.PASSWORD,
                    f"{prefix}passwd__file": Left.SECOND_FILE,
                    f"{prefix}from": Field.SENDER,
                    f"{prefix}protocol": Words(
                        MappingProxyType(
                            {
                                "smtps": _IMPLICIT,
                                "smtp+starttls": _STARTTLS,
                                "smtp": _IF_OFFERED,
                                "": None,
                            }
                        )
                    ),
                    f"{prefix}is_tls_enabled": Switch(_REQUIRED),
                    f"{prefix}force_trust_server_cert": Unverified(_ON),
                    f"{prefix}use_client_cert": Left.CERTIFICATE,
                    f"{prefix}client_cert_file": Left.CERTIFICATE,
                    f"{prefix}client_key_file": Left.CERTIFICATE,
                    f"{prefix}envelope_from": Left.ENVELOPE,
                    f"{prefix}enable_helo": Left.EHLO,
                    f"{prefix}helo_hostname": Left.EHLO,
                }
            ),
        )
        for name, prefix in (("Gitea", "gitea__mailer__"), ("Forgejo", "forgejo__mailer__"))
    ),
    Dialect(
        name="Smarthost",
        marks=("smarthost_default_relay_url",),
        prefixes=(),
        meanings=MappingProxyType({"smarthost_default_relay_url": Field.URL}),
    ),
)
