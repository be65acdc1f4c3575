"""What a relay says in the words of a refusal, as far as the mail's fate may hang on it.

Words decide only towards keeping the mail: where they are wrong, it is tried in vain for some
days, and a refusal that was taken for final would have lost it. Each phrase is what a widely used
server says when the fault is one of the account or of the settings; what it means for the mail is
said elsewhere.
"""

import re

from smarthost.smtp.reply import Reply

_TOO_MANY = (
    "submission quota exceeded",  # Exchange Online, with 5.2.2
    "daily sending limit",  # iCloud, with 5.7.1
    "daily message quota exceeded",  # Amazon SES
    "sending rate exceeded",  # Amazon SES
    "concurrent connections limit exceeded",  # Exchange Online, with 4.3.2
    "mail send limit exceeded",  # IONOS
    "unusual sending activity",  # Zoho, with 5.4.6
)
_NO_RELAYING = (
    "relay access denied",  # Postfix
    "relay not permitted",  # Exim, without an enhanced code
    "relaying denied",  # sendmail
    "unable to relay",  # Exchange
)
_LOGIN_FIRST = (
    "authentication required",  # Exim
    "authentication is required",  # NetEase, with 553
    "auth first",  # qmail, with 503
)
_IN_BRACKETS = re.compile("<[^<>]*>")


def says_too_many(reply: Reply) -> bool:
    """Tell whether more was sent than the account may."""
    return _says(reply, _TOO_MANY)


def says_no_relaying(reply: Reply) -> bool:
    """Tell whether the relay does not deliver elsewhere for whoever asks."""
    return _says(reply, _NO_RELAYING)


def says_login_first(reply: Reply) -> bool:
    """Tell whether a login is wanted before mail."""
    return _says(reply, _LOGIN_FIRST)


def says_starttls(reply: Reply) -> bool:
    """Tell whether STARTTLS is spoken of."""
    return "starttls" in _own_words(reply)


def is_about_this_machine(reply: Reply) -> bool:
    """Tell whether this machine's address is on a list, which is not the fault of any mail.

    Postfix says so at every step, Exchange Online with 5.7.606.
    """
    words = _own_words(reply)
    return ("client host [" in words and "] blocked" in words) or "banned sending ip" in words


def is_about_sender(reply: Reply, *, sender: str, recipient: str) -> bool:
    """Tell whether a reply to RCPT is about the sender: some relays wait for RCPT to say so."""
    if not names(reply, sender):
        return False
    if sender.casefold() == recipient.casefold():
        # Somebody tests with their own address: then the words alone can tell.
        return "sender address" in _words(reply)
    return not names(reply, recipient)


def names(reply: Reply, what: str) -> bool:
    """Tell whether an address or name is repeated, in the brackets that both stand in."""
    return bool(what) and f"<{what}>".casefold() in _words(reply)


def _says(reply: Reply, phrases: tuple[str, ...]) -> bool:
    words = _own_words(reply)
    return any(phrase in words for phrase in phrases)


def _own_words(reply: Reply) -> str:
    """Return what the relay says for itself.

    What it passes on of another server's answer ("said:") is between those two, and an address
    is made of whatever words somebody liked.
    """
    own, _, _ = _words(reply).partition("said:")
    return " ".join(word for word in _IN_BRACKETS.sub("", own).split(" ") if "@" not in word)


def _words(reply: Reply) -> str:
    return " ".join(reply.lines).casefold()
