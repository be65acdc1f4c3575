"""Makes a `Failure` from facts, with the words of the catalogue.

Where the relay is the operator's own and hidden from the portal, nothing of it shows: no host, no
address, no banner, no reply, no provider, and no advice about settings that the portal does not
have.
"""

from smarthost.delivery.outcome import Code
from smarthost.explanations.catalogue import rule_of
from smarthost.explanations.failure import Facts, Failure, Who
from smarthost.explanations.patterns import Pattern, Patterns
from smarthost.explanations.words import Words
from smarthost.providers import Kind, Provider, Providers

_LOGIN = frozenset({Code.LOGIN_REFUSED, Code.LOGIN_NOT_OFFERED, Code.LOGIN_REQUIRED})
# What their providers want first is, above all, proof of whose the sender's domain is.
_SEND_FOR_DOMAINS = frozenset({Kind.SENDING, Kind.RELAY})
# Tables for programs, which say nothing to people.
_NO_PAGE = "https://github.com/"


def explain(facts: Facts) -> Failure:
    """Return the words for these facts."""
    words = Words.load()
    provider = None if facts.relay is None else Providers.load().of_host(facts.relay.host)
    pattern = Patterns.load().of(facts, None if provider is None else provider.id)
    chosen = pattern or rule_of(facts)
    text = (words.codes if pattern is None else words.patterns)[chosen.id]
    theirs = facts.relay is None and not chosen.for_everybody
    advised = provider if _is_advised(facts, provider) else None
    why, fix = text.why, words.sentences.ask_the_operator if theirs else text.fix
    if facts.in_doubt:
        why = f"{why} {words.sentences.in_doubt}"
    if pattern is None and advised is not None and advised.first:
        fix = f"{fix} {words.sentences.provider_first}"
    return Failure(
        step=facts.step,
        code=facts.code,
        title=_worded(text.title, facts, words, provider),
        why=_worded(why, facts, words, provider),
        fix=_worded(fix, facts, words, provider),
        who=Who.OPERATOR if theirs else chosen.who,
        fields=() if theirs else chosen.fields,
        link=_link(pattern, provider if facts.recommended else advised),
        reply=None if facts.relay is None else facts.reply,
        permanent=facts.permanent,
    )


def _is_advised(facts: Facts, provider: Provider | None) -> bool:
    """Tell whether what the provider wants first can be what is missing.

    That is about passwords and domains; who shows a token has done other things first.
    """
    if provider is None or facts.relay is None or facts.relay.oauth2:
        return False
    return facts.code in _LOGIN or (
        facts.code is Code.SENDER_REFUSED and provider.kind in _SEND_FOR_DOMAINS
    )


def _link(pattern: Pattern | None, by: Provider | None) -> str | None:
    if pattern is not None and pattern.link is not None:
        return pattern.link
    if by is None or by.source.startswith(_NO_PAGE):
        return None
    return by.source


def _name(facts: Facts, provider: Provider | None) -> str:
    if facts.recommended is not None:
        return facts.recommended.provider
    return "" if provider is None else provider.name


def _worded(template: str, facts: Facts, words: Words, provider: Provider | None) -> str:
    relay = facts.relay
    server = words.sentences.hidden_relay if relay is None else relay.host
    recommended = facts.recommended
    return template.format(
        server=server,
        Server=server if relay else server[0].upper() + server[1:],
        port="" if relay is None else relay.port,
        during=words.during[facts.step],
        code=facts.code,
        provider=_name(facts, provider),
        first="" if provider is None else provider.first,
        recommended="" if recommended is None else recommended.port,
    )
