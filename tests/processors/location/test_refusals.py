"""What a partner reads when its answer is refused: what was wrong, of which assignment, and the mend; nothing is applied.

The inbox's tests hold each rule to its reason. These hold the words of the seed's refusals, and that a handler has
changed nothing by itself when it refuses: there is nothing for the engine to undo.
"""

import copy

import pytest

from processors.location.responses import accept, reject, ship
from processors.location.stage import STAGE
from processors.reasons import Reason
from processors.step import Refused
from tests.processors.location.yard import BERLIN, OTHER_PARTNER, accepted, rejected, request, say, shipped, yard

ALL = ((1, 5), (2, 3))
ACCEPTED = accepted(*ALL)


def refusal(handler, record, *, says=(), partials=True, signer=None):
    """The reason and the words, once it is sure that the handler itself left everything as it was."""
    bench = yard()
    for said in (request(partials=partials), *says):
        assert say(bench, said) is None
    bench.take()
    before = copy.deepcopy((bench.rows, bench.timers))
    bench.key, bench.signer, bench._running = BERLIN, signer, (STAGE,)
    with pytest.raises(Refused) as refused:
        handler(record, bench)
    assert ((bench.rows, bench.timers), bench.take()) == (before, [])
    return refused.value.reason, refused.value.detail


@pytest.mark.parametrize(
    ("handler", "answer", "says"),
    [(accept, ACCEPTED, []), (reject, rejected(), []), (ship, shipped(*ALL), [ACCEPTED])],
)
def test_no_answer_is_taken_from_another_partner(handler, answer, says):
    reason, detail = refusal(handler, answer, says=says, signer=OTHER_PARTNER)
    assert reason is Reason.FORGED
    assert detail == (
        f"signed by {OTHER_PARTNER}, but {BERLIN} belongs to acme|partner_fp: sign with the key of its owner"
    )


@pytest.mark.parametrize(
    ("handler", "answer", "says", "partials", "words"),
    [
        (accept, accepted((3, 1)), [], True, "it has no item 3: its items are [1, 2]"),
        (
            accept,
            accepted((1, 5)),
            [],
            False,
            "items [2] are left out and partial quantities are off: decide on every item",
        ),
        (
            accept,
            accepted((1, 4), (2, 3)),
            [],
            False,
            "item 1 has quantity 4: accept 5 or 0 (partial quantities are off)",
        ),
        (accept, accepted((1, 6), (2, 3)), [], True, "item 1 has quantity 6: accept 0 to 5"),
        (ship, shipped((3, 1)), [ACCEPTED], True, "it has no item 3: its items are [1, 2]"),
        (ship, shipped((1, 6)), [ACCEPTED], True, "item 1 has quantity 6: accepted and not shipped yet are 5"),
        (
            ship,
            shipped((1, 4), shipment="sh_2"),
            [ACCEPTED, shipped((1, 2))],
            True,
            "item 1 has quantity 4: accepted and not shipped yet are 3",
        ),
        (
            ship,
            shipped((1, 5)),
            [ACCEPTED],
            False,
            "partial quantities are off: ship all that was accepted at once",
        ),
    ],
)
def test_a_value_out_of_the_contract_is_named_with_its_mend(handler, answer, says, partials, words):
    assert refusal(handler, answer, says=says, partials=partials) == (
        Reason.INVALID_VALUE,
        f"assignment as_1: {words}",
    )


@pytest.mark.parametrize("says", [[], [accepted((1, 0))]])
def test_nothing_ships_before_it_is_accepted(says):
    assert refusal(ship, shipped((2, 3)), says=says) == (
        Reason.ILLEGAL_TRANSITION,
        "assignment as_1: nothing of it is accepted yet: accept first",
    )
