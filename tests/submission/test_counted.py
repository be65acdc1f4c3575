"""What the metrics tell of submission."""

from tests.metrics.exposed import samples
from tests.submission.served import Service

OPEN = ("smarthost_submission_sessions",)
SERVED = ("smarthost_submission_sessions_begun_total", "served")
LET_IN = ("smarthost_submission_logins_total", "accepted")
REFUSED = ("smarthost_submission_logins_total", "refused")
ACCEPTED = ("smarthost_messages_accepted_total", "smtp")


async def test_sessions_logins_and_messages_are_counted(service: Service) -> None:
    metrics = service.parts.metrics
    async with service.logged_in() as client:
        assert (await client.submit()).startswith("250 ")
        async with service.connected() as other:
            assert (await other.log_in("sh_wrong")).startswith("535 ")
            assert samples(metrics)[OPEN] == 2
    counted = samples(metrics)
    assert [counted[name] for name in (SERVED, LET_IN, REFUSED, ACCEPTED)] == [2, 1, 1, 1]
