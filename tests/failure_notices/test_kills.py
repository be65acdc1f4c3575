"""Wherever the process that tells is killed, each failure is told once."""

import asyncio
import signal
from pathlib import Path

import pytest

from tests.failure_notices.mortal import POINTS, SOURCE
from tests.failure_notices.world import REFUSED, World
from tests.mail_queue.messages import ANNA, BORIS
from tests.processes import run_python


@pytest.mark.parametrize("point", POINTS)
async def test_a_notice_is_sent_once_wherever_the_process_is_killed(
    world: World, engine: str, tmp_path: Path, point: str
) -> None:
    for recipient in (ANNA, BORIS):
        await world.accept(recipient)
        await world.attempt(**REFUSED)
    ended = await asyncio.to_thread(run_python, SOURCE, engine, tmp_path, point)
    assert ended.status == -signal.SIGKILL, ended.errors
    assert len(await world.rows()) == (1 if point == "after the commit" else 2)
    told = [notice["Subject"] for notice in await world.sent_notices()]
    assert sorted(told) == [f"Not delivered to {one}" for one in (ANNA, BORIS)]
    assert await world.rows() == []
