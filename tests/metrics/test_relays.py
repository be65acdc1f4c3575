from smarthost.metrics.relays import MOST, RelayLabels


def test_a_relay_is_named_by_host_and_port() -> None:
    relays = RelayLabels()
    assert relays.of("mail.example.com", 587, default=False) == "mail.example.com:587"
    assert relays.of("2001:db8::25", 25, default=False) == "[2001:db8::25]:25"


def test_the_operators_own_relay_is_not_named() -> None:
    assert RelayLabels().of("relay.internal", 25, default=True) == "default"


def test_an_attempt_without_a_relay_has_a_value_too() -> None:
    assert RelayLabels().of(None, None, default=False) == "none"


def test_those_that_come_first_keep_their_names_and_the_rest_is_other() -> None:
    relays = RelayLabels()
    for _ in range(2):
        named = {relays.of(f"m{number}.test", 25, default=False) for number in range(MOST + 9)}
        assert len(named) == MOST + 1
        assert "other" in named
