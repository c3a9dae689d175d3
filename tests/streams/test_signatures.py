"""Who may be believed to have written a record."""

import hmac
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import ConfigurationError
from streams.signatures import KeyRing, Mac, SigningKey

RING = KeyRing({"k1": SigningKey("acme|partner_a", "aa" * 32), "k2": SigningKey("acme|partner_b", "bb" * 32)})
SIGNED = RING.sign("k1", "stock-deltas", b"key", b"value")


def test_a_signature_names_its_owner():
    assert RING.signer(b"stock-deltas", b"key", b"value", SIGNED) == "acme|partner_a"


@pytest.mark.parametrize(
    ("topic", "key", "value", "headers"),
    [
        (b"orders", b"key", b"value", SIGNED),  # moved to another topic
        (b"stock-deltas", b"other", b"value", SIGNED),  # moved to another key
        (b"stock-deltas", b"key", b"valuf", SIGNED),  # changed
        (b"stock-deltas", b"key", b"value", []),  # missing
        (b"stock-deltas", b"key", b"value", SIGNED[:1]),  # half missing
        (b"stock-deltas", b"key", b"value", [("fsn-key-id", b"nobody"), SIGNED[1]]),  # unknown key
        (b"stock-deltas", b"key", b"value", [("fsn-key-id", b"k2"), SIGNED[1]]),  # another's key
    ],
)
def test_anything_else_is_nobodys(topic, key, value, headers):
    assert RING.signer(topic, key, value, headers) is None


@given(st.binary(min_size=16, max_size=200), st.binary(), st.binary(), st.binary())
def test_a_signature_is_hmac_sha256_as_anybody_computes_it(secret, topic, key, value):
    expected = hmac.digest(secret, b"|".join((topic, key, value)), "sha256")
    mac = Mac(secret)
    assert mac.of(topic, key, value) == expected
    assert mac.of(topic, key, value) == expected  # nothing is left over of the first time


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("not json", "not a key file"),
        (json.dumps({"k": {"owner": "acme"}}), "not a key file"),
        (json.dumps({"k": {"owner": "acme", "secret": "zz"}}), "secret of key k"),
        (json.dumps({"k": {"owner": "acme", "secret": "aabb"}}), "at least 16 bytes"),
    ],
)
def test_an_unusable_key_file_fails_at_start_by_name(tmp_path, content, says):
    path = tmp_path / "keys.json"
    path.write_text(content)
    with pytest.raises(ConfigurationError, match=says):
        KeyRing.load(path)


def test_a_missing_key_file_fails_at_start(tmp_path):
    with pytest.raises(ConfigurationError, match="FSN_KEYS"):
        KeyRing.load(tmp_path / "none.json")
