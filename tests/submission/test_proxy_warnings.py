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
