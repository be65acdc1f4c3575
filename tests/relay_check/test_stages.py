from itertools import pairwise

from smarthost.delivery.outcome import Step
from smarthost.relay_check.stages import MESSAGE, stage_of


def test_every_step_has_a_stage_and_percents_never_go_back() -> None:
    stages = [stage_of(None), *map(stage_of, Step)]
    assert stages[0] is MESSAGE
    assert all(one.percents <= next_.percents for one, next_ in pairwise(stages))


def test_the_stages_are_those_of_the_contract() -> None:
    assert {stage_of(step) for step in Step} == {
        (40, "Connect to host"),
        (60, "Authenticate"),
        (80, "Send test message"),
    }
    assert MESSAGE == (20, "Create mime message")
