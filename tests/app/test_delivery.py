from smarthost.app.delivery import known_limits
from smarthost.mail_queue.load import Limits
from smarthost.providers import Providers


def test_what_a_provider_allows_is_kept_to() -> None:
    provider = next(one for one in Providers.load().all if one.limits.messages_a_minute)
    limits = known_limits(provider.hosts[0])
    assert limits.messages_a_minute == provider.limits.messages_a_minute
    assert limits.connections == (provider.limits.connections or Limits().connections)


def test_a_relay_that_nobody_knows_gets_our_own_limits() -> None:
    assert known_limits("mail.example.com") == Limits()
