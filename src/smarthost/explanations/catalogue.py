"""The rules for every code: which text words it.

One code can have several; the first that fits the facts is taken, and the last fits always.
"""

from collections.abc import Mapping

from smarthost.delivery.outcome import Code
from smarthost.explanations.failure import Facts
from smarthost.explanations.rule import Rule
from smarthost.explanations.rules import (
    encryption,
    login,
    message,
    own_side,
    the_way,
    warnings,
)

CATALOGUE: Mapping[Code, tuple[Rule, ...]] = {
    **the_way.RULES,
    **encryption.RULES,
    **login.RULES,
    **message.RULES,
    **own_side.RULES,
    **warnings.RULES,
}


def rule_of(facts: Facts) -> Rule:
    """Return the first rule that fits."""
    return next(rule for rule in CATALOGUE[facts.code] if rule.fits(facts))
