"""Senders: who may speak for an entity, one line each."""

import pytest

from processors.reasons import Reason
from processors.senders import require_sender
from processors.step import Refused
from tests.processors.harness import Bench

LOCATION, PARTNER = "acme|loc_berlin", "acme|partner_fp"


@pytest.mark.parametrize(
    ("signer", "owner", "may"),
    [
        (None, PARTNER, True),  # signatures are not required
        ("fsn", PARTNER, True),
        ("acme", PARTNER, True),
        (PARTNER, PARTNER, True),
        ("acme|partner_other", PARTNER, False),
        ("acme|partner_f", PARTNER, False),
        ("umbrella", PARTNER, False),
        ("acme2", PARTNER, False),
        ("", PARTNER, False),
        ("acme|partner_other", None, True),  # whose it is is not known: the caller says that
        ("umbrella|partner_fp", None, False),
        ("umbrella", None, False),
    ],
)
def test_who_may_speak(signer, owner, may):
    bench = Bench()
    bench.signer = signer
    if may:
        require_sender(bench, LOCATION, owner)
        assert bench.emitted == []
        return
    with pytest.raises(Refused) as refused:
        require_sender(bench, LOCATION, owner)
    assert refused.value.reason is Reason.FORGED
    assert LOCATION in refused.value.detail
