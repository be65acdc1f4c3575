"""The image's HEALTHCHECK: ends with 0 when the service in this container can serve, else with 1.

It reads the settings as the service does, so that it asks where that listens, and does not check
the certificate, which names the host that clients know.
"""

import contextlib
import http.client
import ssl
import sys

from smarthost.cli.installation import read_config
from smarthost.config import Config, ConfigError

# Below the timeout of the HEALTHCHECK: then the reason is told, and not only that it took long.
PATIENCE_SECONDS = 4.0


def main() -> None:
    """Ask for `/readyz`, and say in one line what came."""
    try:
        status = _ask(read_config())
    except ConfigError as error:
        sys.exit(f"the settings are not valid: {error}")
    except (OSError, http.client.HTTPException) as error:
        sys.exit(f"no answer: {error!r}")
    if status != http.client.OK:
        sys.exit(f"not ready: HTTP status {status}")


def _ask(config: Config) -> int:
    host, port = config.http_listen.reached_at, config.http_listen.port
    connection = (
        http.client.HTTPConnection(host, port, timeout=PATIENCE_SECONDS)
        if config.tls is None or not config.http_tls
        else http.client.HTTPSConnection(
            host, port, timeout=PATIENCE_SECONDS, context=_unverified()
        )
    )
    with contextlib.closing(connection):
        connection.request("GET", "/readyz")
        return connection.getresponse().status


def _unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


if __name__ == "__main__":
    main()
