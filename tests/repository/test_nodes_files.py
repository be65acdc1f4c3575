"""The Compose file with several nodes, and the proxy's configuration, name the same addresses."""

import re

from smarthost.config.settings import DRAIN_SECONDS
from tests.journeys.image import last_stage
from tests.repository.handed_out import DEPLOY, ROOT, text_of

NODES = text_of(ROOT / "compose.nodes.yaml")
PROXY = text_of(DEPLOY / "haproxy" / "haproxy.cfg")


def found(pattern: str, text: str) -> list[str]:
    return re.findall(pattern, text, re.MULTILINE)


def address_of(service: str) -> str:
    (address,) = found(rf"^  {service}:$(?s:.)*?ipv4_address: (\S+)$", NODES)[:1]
    return address


def test_the_proxy_asks_the_nodes_at_their_addresses_and_ports() -> None:
    stage = last_stage()
    (tls,) = found(r"SUBMISSION_TLS_LISTEN: 0\.0\.0\.0:(\d+)$", NODES)
    ports = [str(stage.ports[0]), str(stage.ports[1]), tls]
    for node in ("node-1", "node-2"):
        asked = found(rf"^    server {node} (\S+)", PROXY)
        assert asked == [f"{address_of(node)}:{port}" for port in ports]


def test_the_nodes_believe_the_proxy_alone() -> None:
    for networks in ("TRUSTED_NETWORKS", "SUBMISSION_PROXY_NETWORKS"):
        (believed,) = found(rf"SMARTHOST_{networks}: (\S+)$", NODES)
        assert believed == f"{address_of('proxy')}/32"


def test_of_mail_the_proxy_tells_whose_it_is() -> None:
    servers = found(r"^    server \S+ \S+:(?:2525|4650) (.*)$", PROXY)
    assert len(servers) == 4
    assert all("send-proxy-v2" in server.split() for server in servers)


def test_what_the_proxy_listens_at_is_published_and_nothing_else() -> None:
    bound = found(r"^    bind :(\d+)", PROXY)
    assert found(r'^      - "(\d+):\d+"$', NODES) == bound
    assert found(r'^      - "\d+:(\d+)"$', NODES) == bound
    assert NODES.count("ports:") == 1


def test_a_node_is_left_out_before_it_stops() -> None:
    """Two checks that fail, of three seconds each at the most, are within the drain."""
    (drain,) = found(rf"{DRAIN_SECONDS.variable}: \"(\d+)\"$", NODES)
    (grace,) = found(r"^  stop_grace_period: (\d+)s$", NODES)
    (every,), (falls,) = (found(rf"check .*{word} (\d)", PROXY) for word in ("inter", "fall"))
    (patience,) = found(r"timeout check (\d)s", PROXY)
    assert int(falls) * (int(every) + int(patience)) <= int(drain)
    # As one process alone has in compose.yaml.
    (alone,) = found(r"^    stop_grace_period: (\d+)s$", text_of(ROOT / "compose.yaml"))
    assert int(grace) - int(drain) == int(alone)


def test_nodes_are_kept_from_what_they_do_not_need_as_one_alone_is() -> None:
    for line in ("read_only: true", "cap_drop:", "no-new-privileges:true", "mem_limit:"):
        assert line in NODES
    for mounted in last_stage().volumes:
        assert f":{mounted}\n" in NODES


def test_no_password_is_in_the_environment() -> None:
    assert not found(r"PASSWORD: |DATABASE_URL: ", NODES)
    (name,) = found(r"DATABASE_URL_FILE: /run/secrets/(\S+)$", NODES)
    assert f"file: ./secrets/{name}" in NODES


def test_the_database_has_a_volume_of_its_own_and_a_major_version() -> None:
    assert found(r"^    image: postgres:(\d+)$", NODES)
    assert found(r"^      - (\w+):/var/lib/postgresql/data$", NODES) == ["database"]
    assert found(r"^  database:$", NODES)


def test_the_url_that_the_file_shows_is_one() -> None:
    (url,) = found(r"(postgresql://\S+)$", NODES)
    assert url.replace("PASSWORD", "x").startswith("postgresql://smarthost:x@/smarthost?host=")
    (folder,) = found(r"^      - socket:(\S+)$", NODES)
    assert url.endswith(f"?host={folder}")
