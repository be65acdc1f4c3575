"""The page for who comes back from a provider: words for each ending, and no markup of others."""

import pytest

from smarthost.explanations.words import Words
from smarthost.relay_check.consent import Ended, Ending
from smarthost.web.consent_page import consent_page


def test_each_ending_has_its_words() -> None:
    # An exchange that has failed is worded as any failure.
    assert set(Words.load().consent) == set(Ending) - {Ending.NO_TOKEN}


@pytest.mark.parametrize("ending", sorted(set(Ending) - {Ending.NO_TOKEN}))
def test_a_page_says_what_happened_and_what_to_do(ending: Ending) -> None:
    text = Words.load().consent[ending]
    page = consent_page(Ended(ending=ending))

    for words in (text.title, text.why, text.fix):
        assert words.replace("'", "&#x27;") in page


def test_what_a_provider_says_is_text() -> None:
    page = consent_page(Ended(ending=Ending.DENIED, said="<script>alert('1')</script>"))

    assert "<script" not in page
    assert "The sign-in service said: &lt;script&gt;" in page


def test_a_page_leads_back_without_telling_its_address() -> None:
    assert '<a href="/settings/oauth2" rel="noreferrer">' in consent_page(
        Ended(ending=Ending.DONE)
    )
