"""The texts for every code: what is wrong, why, and what to do about it.

One code can have several texts; the first that fits the facts is taken, and the last fits always.
"""

from collections.abc import Mapping

from smarthost.delivery.outcome import Code
from smarthost.explanations.text import Text
from smarthost.explanations.texts import (
    encryption,
    login,
    message,
    own_side,
    the_way,
    warnings,
)

CATALOGUE: Mapping[Code, tuple[Text, ...]] = {
    **the_way.TEXTS,
    **encryption.TEXTS,
    **login.TEXTS,
    **message.TEXTS,
    **own_side.TEXTS,
    **warnings.TEXTS,
}
