"""Makes a `Failure` from facts, with the texts of the catalogue.

Where the relay is the operator's own and hidden from the portal, nothing of it shows: no host, no
address, no banner, no reply, and no advice about settings that the portal does not have.
"""

from smarthost.explanations.catalogue import CATALOGUE
from smarthost.explanations.failure import Facts, Failure, Who
from smarthost.explanations.text import DURING

HIDDEN_RELAY = "the installation's mail server"
"""Stands for a relay whose details are the operator's."""
_ASK_THE_OPERATOR = "Only the operator of this installation can mend it: report the code {code}."
_IN_DOUBT = "The message may have arrived all the same."


def explain(facts: Facts) -> Failure:
    """Return the words for these facts."""
    text = next(text for text in CATALOGUE[facts.code] if text.fits(facts))
    theirs = facts.relay is None and not text.for_everybody
    why = f"{text.why} {_IN_DOUBT}" if facts.in_doubt else text.why
    return Failure(
        step=facts.step,
        code=facts.code,
        title=_worded(text.title, facts),
        why=_worded(why, facts),
        fix=_worded(_ASK_THE_OPERATOR if theirs else text.fix, facts),
        who=Who.OPERATOR if theirs else text.who,
        fields=() if theirs else text.fields,
        reply=None if facts.relay is None else facts.reply,
        permanent=facts.permanent,
    )


def _worded(template: str, facts: Facts) -> str:
    relay = facts.relay
    server = HIDDEN_RELAY if relay is None else relay.host
    recommended = facts.recommended
    return template.format(
        server=server,
        Server=server if relay else server[0].upper() + server[1:],
        port="" if relay is None else relay.port,
        during=DURING[facts.step],
        code=facts.code,
        provider="" if recommended is None else recommended.provider,
        recommended="" if recommended is None else recommended.port,
    )
