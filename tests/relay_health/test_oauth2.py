import pytest

from smarthost.delivery.outcome import Code, Step
from smarthost.portals.model import Portal
from smarthost.relay_health.health import RelayHealth
from smarthost.relay_health.oauth2 import OAuth2State, oauth2_health
from smarthost.secret import Secret
from smarthost.smtp_settings.binding.model import BindingInput
from smarthost.smtp_settings.binding.store import BindingStore
from smarthost.smtp_settings.binding.tokens.store import Fetched, TokenStore
from smarthost.smtp_settings.store import SettingsStore
from tests.mail_queue.messages import BY
from tests.relay_health.held import SAVED
from tests.smtp_settings.binding.bindings import APPLICATION, CONSENTED

GIVEN = Fetched(at=1, expires_at=9, refresh=Secret("c4nary"))


@pytest.mark.parametrize(
    ("typed", "fetched", "state", "code"),
    [
        (APPLICATION, None, OAuth2State.READY, None),
        (APPLICATION, GIVEN, OAuth2State.READY, None),
        (CONSENTED, None, OAuth2State.CONSENT_NEEDED, Code.OAUTH2_CONSENT_NEEDED),
        (CONSENTED, GIVEN, OAuth2State.READY, None),
        (
            CONSENTED,
            Fetched(at=1, error="consent_needed", said="invalid_grant"),
            OAuth2State.CONSENT_NEEDED,
            Code.OAUTH2_CONSENT_NEEDED,
        ),
        (
            APPLICATION,
            Fetched(at=1, error="refused", said="invalid_client"),
            OAuth2State.FAILED,
            Code.OAUTH2_REFUSED,
        ),
        (
            APPLICATION,
            Fetched(at=1, error="unavailable", said="It did not answer in time."),
            OAuth2State.FAILED,
            Code.OAUTH2_UNAVAILABLE,
        ),
    ],
)
async def test_the_state_is_what_the_last_request_came_to(
    settings: SettingsStore,
    bindings: BindingStore,
    tokens: TokenStore,
    portal: Portal,
    typed: BindingInput,
    fetched: Fetched | None,
    state: OAuth2State,
    code: Code | None,
) -> None:
    await settings.save(portal.id, SAVED, BY)
    bound = await bindings.bind(portal.id, typed, BY)
    if fetched is not None:
        await tokens.keep(portal.id, bound.number, fetched)
    told = oauth2_health(await bindings.status(portal.id))
    assert told.state is state
    assert told.expires_at == (None if fetched is None else fetched.expires_at)
    if code is None:
        assert told.failure is None
        return
    assert told.failure is not None
    assert (told.failure.step, told.failure.code) == (Step.AUTHENTICATE, code)
    assert told.failure.permanent == (code is not Code.OAUTH2_UNAVAILABLE)
    assert told.failure.reply == (None if fetched is None else fetched.said)


async def test_only_oauth2_in_force_is_a_part_of_the_health(
    settings: SettingsStore, bindings: BindingStore, health: RelayHealth, portal: Portal
) -> None:
    assert (await health.of(portal.id)).oauth2 is None
    await settings.save(portal.id, SAVED, BY)
    await bindings.bind(portal.id, APPLICATION, BY)
    found = (await health.of(portal.id)).oauth2
    assert found is not None
    assert found.state is OAuth2State.READY
    await bindings.end(portal.id, BY)
    assert oauth2_health(await bindings.status(portal.id)).state is OAuth2State.ENDED
    assert (await health.of(portal.id)).oauth2 is None
