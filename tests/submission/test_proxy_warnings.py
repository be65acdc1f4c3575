from structlog.testing import capture_logs

from smarthost.submission.proxy_warnings import ProxyWarnings


def levels(warnings: ProxyWarnings, *headers: tuple[str, str]) -> list[str]:
    with capture_logs() as lines:
        for proxy, reason in headers:
            warnings.no_header(proxy, reason)
    assert [(line["proxy"], line["reason"]) for line in lines] == list(headers)
    return [line["log_level"] for line in lines]


def test_each_proxy_is_warned_of_once_for_each_reason() -> None:
    warnings = ProxyWarnings()
    headers = [("10.0.0.1", "None."), ("10.0.0.1", "Bad."), ("10.0.0.2", "None.")]
    assert levels(warnings, *headers) == ["warning"] * 3
    assert levels(warnings, *headers) == ["info"] * 3


def test_of_many_proxies_only_so_many_are_warned_of() -> None:
    headers = [(f"10.0.0.{last}", "None.") for last in range(100)]
    assert levels(ProxyWarnings(), *headers) == ["warning"] * 20 + ["info"] * 80


def not_named(warnings: ProxyWarnings, *peers: str) -> list[str]:
    with capture_logs() as lines:
        for peer in peers:
            warnings.not_named(peer)
    assert all("SMARTHOST_SUBMISSION_PROXY_NETWORKS" in line["advice"] for line in lines)
    return [line["peer"] for line in lines]


def test_who_is_not_named_is_told_of_once() -> None:
    warnings = ProxyWarnings()
    told = not_named(warnings, "10.0.0.1", "10.0.0.2", "10.0.0.1")
    assert told == ["10.0.0.1", "10.0.0.2"]
    assert not not_named(warnings, "10.0.0.1")


def test_those_who_only_begin_as_proxies_do_not_fill_the_log_or_silence_it() -> None:
    warnings = ProxyWarnings()
    many = [f"192.0.2.{last}" for last in range(100)]
    assert not_named(warnings, *many) == many[:20]
    assert levels(warnings, ("10.0.0.1", "None.")) == ["warning"]
