"""Makes the table of `docs/codes.md` from what the program itself does: every fault that a step
can meet goes through `classify`, and the catalogue words it.

`python -m tests.explanations.codes_page` writes it anew, after a code or a text has changed.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from smarthost.delivery.bearer_token import NoToken, NoTokenError
from smarthost.delivery.classify import Fault, Situation, classify
from smarthost.delivery.lack import Lack
from smarthost.delivery.outcome import Code, Step
from smarthost.explanations.catalogue import CATALOGUE, rule_of
from smarthost.explanations.failure import Facts, Recommended, RelayShown
from smarthost.explanations.rule import Rule
from smarthost.explanations.words import Words
from smarthost.smtp.egress import (
    DestinationForbiddenError,
    NameLookupError,
    RelayNotFoundError,
)
from smarthost.smtp.errors import (
    ClosedError,
    ConnectError,
    ProtocolError,
    Reason,
    SmtpError,
    StartTlsInjectionError,
    TimedOutError,
    TlsError,
)
from smarthost.smtp.reply import Reply
from tests.explanations.page import ending_in

PAGE = Path(__file__).parents[2] / "docs" / "codes.md"
HEAD = (
    "| code | title | step | waiting | who can mend it | fields |",
    "|---|---|---|---|---|---|",
)

Met = dict[Code, dict[Step, set[tuple[bool, bool]]]]
"""The steps in which a code is met; whether it is permanent there, and whether behind a login."""

_SENDER, _RECIPIENT, _HELO = "a@example.com", "b@example.com", "c.example.com"
_RECOMMENDED = Recommended(provider="Example Mail", port=587)
_IN_A_SESSION = tuple(step for step in Step if step not in {Step.RESOLVE, Step.CONNECT})
_LOGIN_IS_OVER = frozenset({Step.SENDER, Step.RECIPIENT, Step.DATA})
_TLS_REASONS = (
    Reason.UNTRUSTED,
    Reason.EXPIRED,
    Reason.WRONG_NAME,
    Reason.TOO_OLD,
    Reason.NOT_TLS,
    Reason.TLS_FAILED,
)
_LACKS = {
    Lack.STARTTLS: Step.TLS,
    Lack.LOGIN: Step.AUTHENTICATE,
    Lack.BEARER_LOGIN: Step.AUTHENTICATE,
    Lack.NTLM_ALLOWED: Step.AUTHENTICATE,
    Lack.SIZE: Step.SENDER,
    Lack.SMTPUTF8: Step.SENDER,
    Lack.EIGHT_BIT_MIME: Step.SENDER,
}
# What `mail_queue` finds by itself, and whether somebody has to do something then.
_BEFORE_DATA = tuple(step for step in Step if step is not Step.DATA)
_OWN_SIDE: tuple[tuple[Code, tuple[Step, ...], bool], ...] = (
    (Code.NO_RELAY, (Step.RESOLVE,), True),
    (Code.PASSWORD_UNREADABLE, (Step.RESOLVE,), True),
    (Code.SETTINGS_CHANGED, _BEFORE_DATA, True),
    (Code.INTERRUPTED, tuple(Step), False),
    (Code.INTERNAL, tuple(Step), False),
)
WARNINGS = {
    Code.NOT_ENCRYPTED: Step.TLS,
    Code.PASSWORD_IN_CLEAR: Step.AUTHENTICATE,
    Code.CERTIFICATE_NOT_VERIFIED: Step.AUTHENTICATE,
    Code.CERTIFICATE_ENDS_SOON: Step.TLS,
    Code.SENDER_OUTSIDE_LOGIN: Step.SENDER,
    Code.PROVIDER_RECOMMENDS_OTHER: Step.CONNECT,
}


@cache
def met() -> Met:
    """Return where each code that is no warning can come from."""
    found: Met = defaultdict(lambda: defaultdict(set))
    for step, fault in _faults():
        for situation in _situations():
            verdict = classify(step, fault, situation)
            found[verdict.code][step].add((verdict.permanent, situation.logged_in))
    for code, steps, permanent in _OWN_SIDE:
        for step in steps:
            found[code][step] |= {(permanent, False), (permanent, True)}
    return found


def _situations() -> Iterator[Situation]:
    for tls, logged_in in itertools.product((False, True), repeat=2):
        yield Situation(
            tls=tls,
            logged_in=logged_in,
            helo_name=_HELO,
            sender=_SENDER,
            recipient=_RECIPIENT,
        )


def _faults() -> Iterator[tuple[Step, Fault]]:
    for egress in (RelayNotFoundError(), DestinationForbiddenError(), NameLookupError()):
        yield Step.RESOLVE, egress
    yield Step.RESOLVE, TimedOutError()
    for reason in (Reason.REFUSED, Reason.UNREACHABLE, Reason.TIMED_OUT):
        yield Step.CONNECT, ConnectError(reason)
    for lack, step in _LACKS.items():
        yield step, lack
    for tls_reason in _TLS_REASONS:
        yield Step.TLS, TlsError(tls_reason)
    yield Step.TLS, StartTlsInjectionError()
    for why in NoToken:
        yield Step.AUTHENTICATE, NoTokenError(why, "no")
    anywhere: tuple[SmtpError, ...] = (
        TimedOutError(),
        ClosedError(),
        ProtocolError(Reason.BAD_CODE),
    )
    in_a_session: list[Fault] = [*anywhere, *_replies()]
    yield from itertools.product(_IN_A_SESSION, in_a_session)


def _replies() -> Iterator[Reply]:
    """Return every refusal that there is, with words and details that change what it means."""
    details = ["", *(f"{subject}.{detail}" for subject in range(8) for detail in range(31))]
    words = ["STARTTLS first", "Relay access denied", f"<{_SENDER}>: no", f"<{_HELO}>: no"]
    for code in (*range(400, 460), *range(500, 560)):
        for detail in details:
            yield _reply(code, detail, "no")
        for detail, said in itertools.product(("", "7.1"), words):
            yield _reply(code, detail, said)


def _reply(code: int, detail: str, said: str) -> Reply:
    enhanced = f"{code // 100}.{detail}" if detail else None
    return Reply(code=code, enhanced=enhanced, lines=(said,))


def _shown(step: Step, code: Code, *, logged_in: bool) -> Iterator[Facts]:
    # Behind the login there was one exactly where the settings ask for it.
    asked = (logged_in,) if step in _LOGIN_IS_OVER else (False, True)
    for port, ssl, auth, ntlm, oauth2 in itertools.product(
        (465, 587), (False, True), asked, (False, True), (False, True)
    ):
        relay = RelayShown(
            host="mail.example.com",
            port=port,
            enable_ssl=ssl,
            enable_auth=auth,
            use_ntlm=ntlm,
            oauth2=oauth2,
        )
        for tls, recommended in itertools.product((None, "TLSv1.3"), (None, _RECOMMENDED)):
            yield Facts(step=step, code=code, relay=relay, tls=tls, recommended=recommended)


def rows() -> list[str]:
    """Return the table's rows: one for each text, in the order of the vocabulary."""
    found = met()
    lines = []
    for code in Code:
        where = {WARNINGS[code]: {(False, False)}} if code in WARNINGS else found[code]
        for rule in CATALOGUE[code]:
            used = [
                (step, permanent)
                for step in Step
                for permanent, logged_in in where.get(step, ())
                if _is_used(rule, step, code, logged_in=logged_in)
            ]
            lines.append(_row(code, rule, used))
    # Two ways to word one thing can have all of this in common.
    return list(dict.fromkeys(lines))


def _is_used(rule: Rule, step: Step, code: Code, *, logged_in: bool) -> bool:
    return any(rule is rule_of(facts) for facts in _shown(step, code, logged_in=logged_in))


def _row(code: Code, rule: Rule, used: list[tuple[Step, bool]]) -> str:
    title = (
        Words.load()
        .codes[rule.id]
        .title.format(
            server="the mail server",
            Server="The mail server",
            during="at this step",
            provider="The provider",
        )
    )
    fields = ", ".join(f"`{field}`" for field in rule.fields)
    steps = list(dict.fromkeys(step for step, _ in used))
    waiting = "warning" if code in WARNINGS else _waiting({permanent for _, permanent in used})
    cells = (f"`{code}`", title, _steps(steps), waiting, rule.who, fields)
    return f"| {' | '.join(cells)} |".replace("|  |", "| |")


def _steps(steps: list[Step]) -> str:
    """Name the steps; where they are many without a gap, the first and the last."""
    if len(steps) == len(Step):
        return "any"
    every = list(Step)
    if len(steps) > 2 and every[every.index(steps[0]) :][: len(steps)] == steps:
        return f"{steps[0]} to {steps[-1]}"
    return ", ".join(steps)


def _waiting(permanent: set[bool]) -> str:
    if len(permanent) == 2:
        return "either"
    return "permanent" if True in permanent else "temporary"


def written(page: str) -> str:
    """Return the page with the table as it has to be."""
    return ending_in(HEAD, rows(), page)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
