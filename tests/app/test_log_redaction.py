"""The log's second wall: what looks like a token is taken out wherever it stands."""

import pytest

from tests.processes import run_python

LOGGING = """
import logging, sys
import structlog
from smarthost.app.logs import configure_logs
from smarthost.portals.tokens import TokenKind, new_token
from smarthost.webhooks.signing import new_secret

configure_logs(sys.argv[1], "debug")
if sys.argv[2] == "webhook":
    token = new_secret(lambda count: b"\\xff" * count).reveal()
elif sys.argv[2] == "jwt":
    token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln_bmF0dXJl-LWFuZC1tb3Jl"
else:
    kind = TokenKind(sys.argv[2])
    token = new_token(kind, "01a20468-4c81-7568-b9c7-f3a45b943b40").text().reveal()
print(token)
for log in (structlog.get_logger("smarthost.web"), logging.getLogger("uvicorn.error")):
    log.error("with %s" % token)
    try:
        raise ValueError("cannot read " + token)
    except ValueError as error:
        log.error("internal error", exc_info=error)
"""


@pytest.mark.parametrize("kind", ["sh", "ss", "sl", "webhook", "jwt"])
@pytest.mark.parametrize("form", ["console", "json"])
def test_a_token_is_taken_out_of_texts_and_tracebacks(form: str, kind: str) -> None:
    ended = run_python(LOGGING, form, kind)
    assert ended.status == 0, ended.errors
    assert ended.errors.count("ValueError: cannot read [redacted]") == 2, ended.errors
    assert ended.lines[0][-20:] not in ended.errors
