"""Templates show the words and values that they name, whatever those are called."""

from smarthost.portals.model import Portal, Role
from tests.contract.service import Service
from tests.web.pages.visitor import Visitor, signed_in


def test_a_word_that_is_called_like_a_method_is_a_word(visitor: Visitor) -> None:
    page = visitor.get("/mail?search=x").body.decode()
    assert '<a href="/mail">Clear</a>' in page


def test_who_may_not_see_the_settings_is_led_to_what_there_is(
    service: Service, portal: Portal
) -> None:
    user = service.open_user("user@example.com", Role.USER, portal=portal)
    page = signed_in(service, portal, user).get("/settings").body.decode()
    assert '<a href="/keys">API keys</a>' in page
