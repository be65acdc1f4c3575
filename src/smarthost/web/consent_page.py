"""The page that somebody reads who comes back from a provider's: words, and a way back.

Code and state stand in its address. It has no script and no style, and its one link is to a page
of ours, without a referrer: so the address goes nowhere.
"""

from html import escape

from smarthost.explanations.words import Text, Words
from smarthost.relay_check.consent import Ended
from smarthost.web.pages.field_names import without_names
from smarthost.web.pages.paths import OAUTH2


def consent_page(ended: Ended) -> str:
    """Return the page, HTML."""
    text, said = _words(ended)
    parts = [f"<h1>{escape(text.title)}</h1>"]
    parts += [f"<p>{escape(part)}</p>" for part in (text.why, text.fix) if part]
    if said:
        quoted = Words.load().sentences.sign_in_reply.format(reply=said)
        parts.append(f"<p>{escape(quoted)}</p>")
    back = escape(Words.load().sentences.back_to_settings)
    parts.append(f'<p><a href="{OAUTH2}" rel="noreferrer">{back}</a></p>')
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(text.title)}</title></head><body><main>{''.join(parts)}</main>"
        "</body></html>"
    )


def _words(ended: Ended) -> tuple[Text, str | None]:
    failure = ended.failure
    if failure is None:
        return Words.load().consent[ended.ending], ended.said
    return Text(
        title=failure.title, why=failure.why, fix=without_names(failure.fix)
    ), failure.reply
