"""How much one SMTP session, and all of them, may use.

One frozen value, so that the defaults stand together and a test need not wait five minutes.
"""

from dataclasses import dataclass

from smarthost.mail_queue.accepted.model import LARGEST_MESSAGE, MOST_RECIPIENTS

_ADDED = 2_048
"""Octets that a message may grow by here: its trace, Message-ID, Date."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What one session, and all of them, may use.

    `command_seconds` is what a client gets for each command before it has logged in, and for the
    TLS handshake; `login_seconds` for all of them together. Before that a proxy gets
    `command_seconds` for its header. `idle_seconds` bounds the wait for a command after the login
    (RFC 5321, section 4.5.3.2.7). A message brings `data_rate` octets a second or more, counted
    over each `data_seconds`. `session_seconds` bounds all of it but the header.

    `message_octets` is what is announced as SIZE. Of messages that are being received, what is
    more than `small_octets` each shares `room_octets`, and these bring `room_rate` octets a
    second in place of `data_rate`. `output_octets` may wait for a client that does not read.

    `sessions` may be open at once, of them `strangers` of one address that have not logged in, and
    `portal_sessions` of one portal.
    What was found out about key, portal and settings holds for `current_seconds`.

    `errors` are how many a session may have since its last accepted message, `bad_logins` in all;
    `bad_logins_a_minute` an address.

    `linger_seconds` is how long a client gets to read a last reply while it still sends;
    `stop_seconds` how long messages that are on their way get when the service stops.
    """

    command_seconds: float = 10.0
    login_seconds: float = 30.0
    idle_seconds: float = 300.0
    data_seconds: float = 30.0
    data_rate: int = 500
    session_seconds: float = 3_600.0
    message_octets: int = LARGEST_MESSAGE - _ADDED
    recipients: int = MOST_RECIPIENTS
    small_octets: int = 65_536
    room_octets: int = 64 << 20
    room_rate: int = 16_384
    output_octets: int = 65_536
    sessions: int = 1_000
    strangers: int = 100
    portal_sessions: int = 750
    current_seconds: float = 1.0
    errors: int = 20
    bad_logins: int = 3
    bad_logins_a_minute: int = 5
    linger_seconds: float = 2.0
    stop_seconds: float = 5.0
