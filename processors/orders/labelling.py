"""Labelling: an accepted part asks for its label; a part that is given up gives its label back.

In: a part of which everything is decided, under the merchant's rule `label_on_acceptance`; a part that goes. Out: LabelAsked to
the first account of the resolver's chain, or a ReviewItem LABEL_UNRESOLVED when no account may carry it; LabelReleased. One
label a part, whatever becomes of its units meanwhile: its weight is that of what was accepted.
"""

import msgspec

from processors.labels.resolver import resolve
from processors.orders.planning import facts_of, rules_for
from processors.orders.rows import OrderRow, Part, with_part
from processors.step import Context, stable_id
from schemas.records.labels import LabelAsked, LabelReleased
from schemas.records.operations import ReviewItem


def label(row: OrderRow, part: Part, ctx: Context) -> OrderRow:
    """Ask for the part's label, if it is time to."""
    if part.label_account or part.withdrawing or not part.account_id:  # what a customer collects has no account
        return row
    if not rules_for(row, ctx).label_on_acceptance or not all(line.accepted for line in part.lines):
        return row
    location = ctx.network.locations.get(part.location_id)
    pool = (part.account_id,) if location is None else location.carrier_account_ids
    variants = ctx.network.variants
    goods = [(variants[line.variant_id], line.quantity) for line in part.lines if line.variant_id in variants]
    resolution = resolve(facts_of(row), pool, goods=goods, network=ctx.network)
    if not resolution.chain:
        return _unresolved(row, part, ctx)
    first = resolution.chain[0]
    asked = LabelAsked(
        label_id=label_id_of(part),
        assignment_id=part.assignment_id,
        order_id=row.placed.order_id,
        merchant_id=row.placed.merchant_id,
        location_id=part.location_id,
        account_id=first,
        service=part.service,
        country=row.placed.country,
        weight_g=sum(variant.weight_g * quantity for variant, quantity in goods),
        candidates=resolution.candidates,
        chain=resolution.chain,
        full=(),
    )
    ctx.emit("account-slots", first, asked)
    return with_part(row, msgspec.structs.replace(part, label_account=first))


def give_label_back(part: Part, ctx: Context) -> None:
    """Nothing of the part will travel."""
    if part.label_account:
        ctx.emit("account-slots", part.label_account, LabelReleased(label_id_of(part), part.label_account))


def label_id_of(part: Part) -> str:
    """One label an assignment."""
    return stable_id("lb", part.assignment_id)


def _unresolved(row: OrderRow, part: Part, ctx: Context) -> OrderRow:
    detail = f"order {row.placed.order_id} at {part.location_id}: no account of the location may carry it"
    review_id = stable_id("rv", "LABEL_UNRESOLVED", label_id_of(part))
    item = ReviewItem(review_id, part.assignment_id, "LABEL_UNRESOLVED", detail, "open", ctx.now_at)
    ctx.emit("review-queue", part.assignment_id, item)
    return row
