"""Several nodes on one PostgreSQL, as operators run them: killed, stopped, cut off."""

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from smarthost.mail_queue.nodes.membership import GONE_SECONDS
from tests.cli.program import ADMIN, Program
from tests.contract.service import EMAILS
from tests.database.cutting import way_to
from tests.engines import make_database
from tests.journeys.application import Application, email
from tests.journeys.cluster import cluster_in, kill_stop_and_cut_off
from tests.journeys.postfix import Postfix, folder_for_postfix, postfix
from tests.journeys.served import Served, serving
from tests.journeys.sink import Sink, running_sink, until
from tests.journeys.submission import submitted

pytestmark = pytest.mark.needs("postgres")

KILLS = 20


@pytest.fixture
def relay() -> Iterator[Postfix]:
    with folder_for_postfix() as folder, postfix(folder, "127.0.0.1", {"clear": {}}) as running:
        yield running


@pytest.mark.long
@pytest.mark.needs("postfix", "saslpasswd2")
def test_nodes_that_are_killed_stopped_and_cut_off_lose_nothing(
    tmp_path: Path, relay: Postfix
) -> None:
    with cluster_in(tmp_path) as cluster:
        kill_stop_and_cut_off(cluster, relay, KILLS, wait=False)


async def test_a_node_cut_off_from_its_server_says_so_and_goes_on_by_itself(
    program: Program, tmp_path: Path
) -> None:
    url = make_database(tmp_path)
    folder = parse_qs(urlsplit(url).query)["host"][0]
    with tempfile.TemporaryDirectory() as here, running_sink() as sink:
        async with way_to(Path(folder), Path(here)) as way:
            on_server = {"SMARTHOST_DATABASE_URL": url.replace(folder, here)}

            def cut_off() -> None:
                way.open = False
                loop.call_soon_threadsafe(way.cut)

            def come_back() -> None:
                way.open = True

            def journey() -> None:
                key = program.init(**on_server)
                with serving(program, **on_server) as service:
                    application = Application(process=service.client(key))
                    application.save(sink.port, ADMIN)
                    be_cut_off_for_a_while(service, application, sink, cut_off, come_back)

            loop = asyncio.get_running_loop()
            await asyncio.to_thread(journey)


def be_cut_off_for_a_while(
    service: Served,
    application: Application,
    sink: Sink,
    cut_off: Callable[[], None],
    come_back: Callable[[], None],
) -> None:
    application.send(subject="before")
    sink.wait_for(1)
    cut_off()
    until(lambda: application.ask("POST", EMAILS, email()).status == 503)
    assert submitted(service, application.process.key)[0] == 451
    assert application.ask("GET", "/readyz").status == 503
    service.wait_for("queue not read")
    time.sleep(GONE_SECONDS)  # so that the others would take it for dead
    come_back()
    until(lambda: application.ask("GET", "/readyz").status == 200)
    until(lambda: application.ask("POST", EMAILS, email(subject="after")).status == 200)
    assert submitted(service, application.process.key)[0] == 250
    sink.wait_for(3)
    assert service.events("was cut off from the other nodes")
