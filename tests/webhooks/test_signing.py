import base64
import hashlib
import hmac
import re
from pathlib import Path
from typing import Any

from standardwebhooks import Webhook

from smarthost.clock import MICROSECONDS, SystemClock
from smarthost.secret import Secret
from smarthost.webhooks.signing import Receiver, new_secret, signed_headers

PAYLOAD = '{"type":"email.sent","data":{"subject":"Grüße. ✓"}}'.encode()


def headers(secret: Secret, at: int) -> dict[str, str]:
    signed = signed_headers(secret, event_id="0197a1b2", at_seconds=at, payload=PAYLOAD)
    return {name.decode(): value.decode() for name, value in signed}


def test_a_secret_is_as_the_specification_writes_it() -> None:
    text = new_secret(bytes).reveal()
    assert text.startswith("whsec_")
    assert len(base64.b64decode(text.removeprefix("whsec_"), validate=True)) == 32


def test_a_signature_is_the_specifications() -> None:
    # Worked out by hand from its words: base64 of HMAC-SHA256 over `id.timestamp.payload`.
    secret = Secret("whsec_" + base64.b64encode(b"k" * 32).decode())
    mac = hmac.new(b"k" * 32, b"0197a1b2.1700000000." + PAYLOAD, hashlib.sha256).digest()
    assert headers(secret, 1_700_000_000) == {
        "webhook-id": "0197a1b2",
        "webhook-timestamp": "1700000000",
        "webhook-signature": "v1," + base64.b64encode(mac).decode(),
    }


def test_the_specifications_own_library_takes_it() -> None:
    secret = new_secret(lambda count: bytes(range(count)))
    signed = headers(secret, SystemClock().now() // MICROSECONDS)
    event = Webhook(secret.reveal()).verify(PAYLOAD, signed)
    assert event["data"]["subject"] == "Grüße. ✓"


def test_the_function_that_the_documentation_shows_tells_genuine_events() -> None:
    text = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text(encoding="utf-8")
    found = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert found is not None
    names: dict[str, Any] = {}
    exec(found[1], names)  # our own documentation
    secret, other = new_secret(bytes), new_secret(lambda count: b"x" * count)
    now = SystemClock().now() // MICROSECONDS
    is_genuine = names["is_genuine"]
    assert is_genuine(secret.reveal(), headers(secret, now), PAYLOAD)
    assert not is_genuine(other.reveal(), headers(secret, now), PAYLOAD)
    assert not is_genuine(secret.reveal(), headers(secret, now), PAYLOAD + b" ")
    assert not is_genuine(secret.reveal(), headers(secret, now - 301), PAYLOAD)


def test_no_two_receivers_share_a_sealing_place() -> None:
    places = {
        Receiver(portal_id=portal_id, url=url).parts()
        for portal_id in ("one", "two")
        for url in ("https://a.example/", "https://b.example/")
    }
    assert len(places) == 4
