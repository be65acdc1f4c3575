import itertools
import os
import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.secret import Secret
from smarthost.smtp_settings.model import Destination, Mechanism
from smarthost.smtp_settings.sealing import (
    KEY_OCTETS,
    KeyRing,
    SealBrokenError,
    _associated_data,
    key_id,
)

CANARY = "c4nary p4ssw0rd ü"
DESTINATION = Destination(
    portal_id="0197a1b2-0000-7000-8000-000000000001",
    host="mail.example.com",
    port=587,
    enable_ssl=True,
    mechanism=Mechanism.PASSWORD,
    user_name="notify",
)
KEYS = [bytes([number]) * KEY_OCTETS for number in range(3)]
TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
DESTINATIONS = st.builds(
    Destination,
    portal_id=TEXTS,
    host=TEXTS,
    port=st.integers(1, 65535),
    enable_ssl=st.booleans(),
    mechanism=st.sampled_from(Mechanism),
    user_name=TEXTS,
)


def ring_of(*keys: bytes) -> KeyRing:
    """A ring whose first key is active."""
    return KeyRing({key_id(key): key for key in keys}, key_id(keys[0]))


RING = ring_of(KEYS[0])
BLOB = RING.seal(Secret(CANARY), DESTINATION)


def refused(blob: bytes, destination: Destination = DESTINATION, ring: KeyRing = RING) -> str:
    with pytest.raises(SealBrokenError) as caught:
        ring.open(blob, destination)
    assert CANARY not in str(caught.value)
    return str(caught.value)


@given(st.text(st.characters(codec="utf-8")), DESTINATIONS)
def test_what_was_sealed_opens_at_its_destination(text: str, destination: Destination) -> None:
    blob = RING.seal(Secret(text), destination)
    assert RING.open(blob, destination) == Secret(text)


@pytest.mark.parametrize(
    "change",
    [
        {"portal_id": "0197a1b2-0000-7000-8000-000000000002"},
        {"host": "mail.example.org"},
        {"host": "MAIL.example.com"},
        {"host": "mail.example.com."},
        {"port": 588},
        {"enable_ssl": False},
        {"mechanism": Mechanism.NTLM},
        {"user_name": "notify "},
        {"user_name": "Notify"},
        {"user_name": ""},
    ],
    ids=str,
)
def test_no_other_destination_opens_it(change: dict[str, object]) -> None:
    other = msgspec.structs.replace(DESTINATION, **change)
    assert "does not belong to these settings" in refused(BLOB, other)


def test_every_field_of_the_destination_is_bound() -> None:
    """A field that is added later and not bound is found here."""
    others = {"port": 588, "enable_ssl": False, "mechanism": Mechanism.NTLM}
    for field in Destination.__struct_fields__:
        other = msgspec.structs.replace(DESTINATION, **{field: others.get(field, "other")})
        refused(BLOB, other)


def test_one_bit_flipped_anywhere_does_not_open() -> None:
    for place, bit in itertools.product(range(len(BLOB)), range(8)):
        flipped = bytearray(BLOB)
        flipped[place] ^= 1 << bit
        refused(bytes(flipped))


def test_cut_short_or_made_longer_it_does_not_open() -> None:
    for length in range(len(BLOB)):
        refused(BLOB[:length])
    refused(BLOB + b"\0")
    refused(b"\0" + BLOB)


@given(st.binary(max_size=100))
def test_no_other_octets_open(blob: bytes) -> None:
    refused(blob)
    refused(BLOB[:9] + blob)


@pytest.mark.parametrize("version", [b"\x00", b"\x02", b"\xff"])
def test_a_version_it_does_not_know_is_damaged(version: bytes) -> None:
    assert "is damaged. Type it again" in refused(version + BLOB[1:])


def test_a_missing_key_is_named() -> None:
    message = refused(BLOB, ring=ring_of(KEYS[1]))
    assert message == f"The key {key_id(KEYS[0])} that sealed the password is not in the ring."


def test_a_new_active_key_opens_what_an_older_one_sealed() -> None:
    rotated = ring_of(KEYS[1], KEYS[0])
    assert rotated.open(BLOB, DESTINATION) == Secret(CANARY)
    renewed = rotated.seal(Secret(CANARY), DESTINATION)
    assert ring_of(KEYS[1]).open(renewed, DESTINATION) == Secret(CANARY)
    refused(renewed)


def test_a_key_under_anothers_id_does_not_open() -> None:
    refused(BLOB, ring=KeyRing({key_id(KEYS[0]): KEYS[1]}, key_id(KEYS[0])))


def test_the_same_password_never_looks_the_same() -> None:
    blobs = {RING.seal(Secret(CANARY), DESTINATION) for _ in range(1000)}
    assert len({blob[9:21] for blob in blobs}) == 1000, "a nonce used twice gives the key away"
    assert len({blob[21:] for blob in blobs}) == 1000


def test_a_blob_is_version_key_nonce_and_ciphertext() -> None:
    ring = KeyRing({key_id(KEYS[0]): KEYS[0]}, key_id(KEYS[0]), lambda size: b"n" * size)
    blob = ring.seal(Secret("123"), DESTINATION)
    assert blob[:21] == b"\x01" + bytes.fromhex(key_id(KEYS[0])) + b"n" * 12
    assert len(blob) == 21 + 3 + 16


def test_keys_have_ids_of_their_own() -> None:
    ids = {key_id(os.urandom(KEY_OCTETS)) for _ in range(1000)}
    assert len(ids) == 1000
    assert all(re.fullmatch("[0-9a-f]{16}", one) for one in ids)


def test_a_ring_does_not_show_its_keys() -> None:
    shown = f"{RING!r} {vars(RING)!r}"
    assert KEYS[0].hex() not in shown
    assert repr(KEYS[0]) not in shown
    assert RING.key_ids == {key_id(KEYS[0])}


@given(DESTINATIONS, DESTINATIONS)
def test_no_two_destinations_share_their_associated_data(
    one: Destination, other: Destination
) -> None:
    assert (_associated_data(one) == _associated_data(other)) == (one == other)


@given(TEXTS, st.data())
def test_text_moved_from_one_field_to_the_next_is_another_destination(
    text: str, data: st.DataObject
) -> None:
    def cut(label: str) -> Destination:
        ends = data.draw(st.tuples(*[st.integers(0, len(text))] * 2), label=label)
        first, second = sorted(ends)
        return msgspec.structs.replace(
            DESTINATION, portal_id=text[:first], host=text[first:second], user_name=text[second:]
        )

    one, other = cut("one"), cut("other")
    assert (_associated_data(one) == _associated_data(other)) == (one == other)
