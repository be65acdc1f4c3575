"""What nodes do when the machine of their server is lost, and another one takes over."""

from pathlib import Path

import pytest

from tests.journeys.failover import lose_at_once, lose_servers, lose_silently

pytestmark = pytest.mark.needs("postgres", "postfix", "saslpasswd2")


def test_a_server_that_is_replaced_loses_nothing_and_is_never_used_again(tmp_path: Path) -> None:
    told = lose_servers(tmp_path, [lose_silently, lose_at_once], wait=False)
    print(told)  # noqa: T201 - for the one who looks
