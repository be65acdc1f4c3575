"""What an attempt needs and does not get: found along the way, judged in one place only."""

from enum import StrEnum


class Lack(StrEnum):
    """What this attempt needs and the relay, or the operator, does not give."""

    STARTTLS = "starttls"
    LOGIN = "login"
    BEARER_LOGIN = "bearer_login"
    """A login with a token (XOAUTH2, OAUTHBEARER)."""
    NTLM_ALLOWED = "ntlm_allowed"
    SIZE = "size"
    SMTPUTF8 = "smtputf8"
    EIGHT_BIT_MIME = "eight_bit_mime"
