"""Services of one real Postfix, each set up in a way that is wrong for somebody."""

import contextlib
import smtplib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trustme

from tests.broken_setups.installation import HELO_NAME, SENDER
from tests.broken_setups.set_up import HOST, Place, Server, World
from tests.journeys.postfix import DOMAIN, Postfix

MAILBOX = f"anna@{DOMAIN}"
_BLOCKED = "554 5.7.1 Service unavailable; Client host [127.0.0.1] blocked using zen.spamhaus.org"


def on_postfix(service: str, built: str) -> Server:
    """Return one of `services`."""

    @asynccontextmanager
    async def running(world: World) -> AsyncIterator[Place]:
        yield Place(port=world.postfix().services[service][1])

    return Server(built=f"Postfix: {built}", running=running, programs=("postfix", "saslpasswd2"))


def services(folder: Path, authority: trustme.CA) -> dict[str, dict[str, str]]:
    """Return what each service is to be like."""
    certificate = folder / "mail.pem"
    authority.issue_cert(HOST).private_key_and_cert_chain_pem.write_to_path(str(certificate))
    garbage = folder / "garbage.pem"
    garbage.write_text("neither key nor certificate\n", encoding="utf-8")
    sasl = {"smtpd_sasl_auth_enable": "yes"}
    tls = {"smtpd_tls_chain_files": str(certificate), "smtpd_tls_security_level": "may"}
    full = tls | sasl | {"smtpd_sasl_path": "any"}
    return {
        "full": full,
        "no tls": sasl | {"smtpd_sasl_path": "any"},
        "no key": sasl
        | {"smtpd_sasl_path": "any"}
        | tls
        | {"smtpd_tls_chain_files": str(garbage)},
        "no file": full | {"smtpd_tls_chain_files": str(folder / "no-such-file.pem")},
        "login after tls, no key": full
        | {"smtpd_tls_chain_files": str(garbage), "smtpd_tls_auth_only": "yes"},
        "tls wanted, no key": tls
        | {"smtpd_tls_chain_files": str(garbage), "smtpd_tls_security_level": "encrypt"},
        "no login": tls,
        "ntlm": full | {"smtpd_sasl_path": "NTLM"},
        "members": full | {"smtpd_client_restrictions": "permit_sasl_authenticated, reject"},
        "relays for members": full
        | {"smtpd_relay_restrictions": "permit_sasl_authenticated, reject_unauth_destination"},
        "relays for members, in time": full,
        "owners": full
        | {
            "smtpd_sender_login_maps": f"inline:{{ {SENDER}=somebody }}",
            "smtpd_sender_restrictions": "reject_sender_login_mismatch",
        },
        "sender domain": full
        | {
            "smtpd_sender_restrictions": "check_sender_access inline:{{"
            f" {SENDER} = 450 4.1.8 <{SENDER}>: Sender address rejected: Domain not found }}}}"
        },
        "no mailbox": full | {"virtual_mailbox_maps": "inline:{ somebody@example.com=inbox/ }"},
        "full mailbox": _to_recipient(full, "552 5.2.2 Over quota"),
        "grey list": _to_recipient(
            full, f"450 4.2.0 <{MAILBOX}>: Recipient address rejected: Greylisted for 300 seconds"
        ),
        "small": full | {"message_size_limit": "200"},
        "no room": full | {"queue_minfree": "9000000000000000"},
        "too much mail": full | {"smtpd_client_message_rate_limit": "1"},
        "too many connections": full | {"smtpd_client_connection_rate_limit": "1"},
        "helo": full
        | {
            "smtpd_helo_restrictions": f"check_helo_access inline:{{ {HELO_NAME}=REJECT }}",
        },
        "helo at once": full
        | {
            "smtpd_helo_restrictions": f"check_helo_access inline:{{ {HELO_NAME}=REJECT }}",
            "smtpd_delay_reject": "no",
        },
        "blocked at once": full
        | {
            "smtpd_client_restrictions": f"check_client_access static:{{{_BLOCKED}}}",
            "smtpd_delay_reject": "no",
        },
        "blocked": full
        | {"smtpd_client_restrictions": f"check_client_access static:{{{_BLOCKED}}}"},
        "content": full
        | {"smtpd_end_of_data_restrictions": "check_client_access static:{554 5.7.1 Spam}"},
    }


def _to_recipient(service: dict[str, str], reply: str) -> dict[str, str]:
    said = f"check_recipient_access inline:{{{{ {MAILBOX} = {reply} }}}}"
    return service | {"smtpd_recipient_restrictions": said}


def warm_up(postfix: Postfix) -> None:
    """Have the limits of a minute used up, by whoever sends at the same time."""
    _, port = postfix.services["too much mail"]
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as other:
        for _ in range(2):
            other.ehlo("other.example.com")
            other.mail("other@example.com")
            other.rset()
    _, port = postfix.services["too many connections"]
    with contextlib.suppress(smtplib.SMTPException), smtplib.SMTP("127.0.0.1", port, timeout=30):
        pass
