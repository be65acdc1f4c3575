"""What can be wrong with the port: nothing is there, something else, or TLS begins elsewhere."""

from smarthost.delivery.outcome import Code, Step
from tests.broken_setups.servers import (
    WEB_SERVER,
    CutsAtEhlo,
    TlsOnTlsPort,
    greets,
    nothing,
    scripted,
)
from tests.broken_setups.set_up import BrokenSetUp, Server
from tests.hostile_relays.relays import ClearWhereTlsIsFirst, ClosesAtOnce, DropsSyn, TlsAtOnce


def _other_protocol(name: str, server: Server) -> BrokenSetUp:
    return BrokenSetUp(
        name=name,
        server=server,
        step=Step.GREETING,
        code=Code.PROTOCOL_ERROR,
        fields=("port", "host"),
        says=("587",),
    )


PORT_ROWS = [
    BrokenSetUp(
        name="Nothing listens on the port",
        server=nothing("a port that nobody has"),
        step=Step.CONNECT,
        code=Code.CONNECTION_REFUSED,
        fields=("port", "host"),
        says=("no mail server listens on this port", "587"),
    ),
    BrokenSetUp(
        name="A firewall drops what goes to the port",
        server=scripted("a port whose queue is full, which answers nothing", DropsSyn),
        step=Step.CONNECT,
        code=Code.TIMED_OUT,
        fields=("host", "port", "enableSSL"),
        says=("firewall", "587"),
        slow=True,
    ),
    BrokenSetUp(
        name="The port is that of a web server",
        server=WEB_SERVER,
        step=Step.GREETING,
        code=Code.TIMED_OUT,
        fields=("port",),
        says=("did not greet in time", "check the port"),
        slow=True,
    ),
    BrokenSetUp(
        name="The port is that of a web server, which wants TLS",
        server=greets(
            "`HTTP/1.1 400 Bad Request` as its greeting",
            "HTTP/1.1 400 Bad Request",
            "Connection: close",
            "",
        ),
        step=Step.GREETING,
        code=Code.PROTOCOL_ERROR,
        fields=("port", "host"),
        says=("587",),
    ),
    _other_protocol(
        "The port is that of IMAP",
        greets(
            "`* OK … Dovecot ready.` as its greeting",
            "* OK [CAPABILITY IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE] Dovecot ready.",
        ),
    ),
    _other_protocol(
        "The port is that of POP3",
        greets("`+OK Dovecot ready.` as its greeting", "+OK Dovecot ready."),
    ),
    _other_protocol(
        "The port is that of SSH",
        greets("`SSH-2.0-OpenSSH_9.2p1` as its greeting", "SSH-2.0-OpenSSH_9.2p1 Debian-2"),
    ),
    BrokenSetUp(
        name="The port begins with TLS, as that of IMAP with TLS (993) does",
        server=scripted("TLS from the first byte, on a port of its own", TlsAtOnce),
        step=Step.GREETING,
        code=Code.TIMED_OUT,
        fields=("port",),
        says=("465", "from the first byte"),
        slow=True,
    ),
    BrokenSetUp(
        name="Port 465 and TLS switched off",
        server=scripted("TLS from the first byte, on port 2465", TlsOnTlsPort, needs_host=True),
        settings={"enable_ssl": False},
        step=Step.GREETING,
        code=Code.TIMED_OUT,
        fields=("enableSSL", "port"),
        says=("turn on TLS",),
        slow=True,
    ),
    BrokenSetUp(
        name="Port 465, and the server begins in clear there",
        server=scripted("a greeting in clear on port 2465", ClearWhereTlsIsFirst, needs_host=True),
        step=Step.TLS,
        code=Code.TLS_NOT_SPOKEN,
        fields=("port",),
        says=("587",),
        permanent=True,
    ),
    BrokenSetUp(
        name="The server hangs up on machines that it does not know",
        server=scripted("the end of the connection as its greeting", ClosesAtOnce),
        step=Step.GREETING,
        code=Code.CONNECTION_CLOSED,
        fields=("port", "enableSSL"),
        says=("hung up", "refuses this machine"),
    ),
    BrokenSetUp(
        name="A firewall cuts every connection that mail goes over",
        server=scripted("a reset behind EHLO", CutsAtEhlo),
        step=Step.EHLO,
        code=Code.CONNECTION_CLOSED,
        fields=(),
        says=("hung up",),
    ),
]
