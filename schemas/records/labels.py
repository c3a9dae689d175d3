"""Labels: which carrier account a parcel travels on, decided once an assignment is accepted; buying is a connector's job.

`account-slots` is keyed by account_id, for the account's task counts its parcels of the day; `label-requests` by order_id;
`labels` by account_id. A label's id derives from its assignment. A label is known by its link and never stored.
"""

from schemas.records.base import Int32, Part, Record


class LabelCandidate(Part):
    """One account of the pool, as the resolver saw it.

    account_id: the account
    carrier: its carrier
    role: primary, fallback, b2b or region
    verdict: empty when it may carry the parcel; else the first filter that excludes it
    cost_minor: what the parcel would cost, in the merchant's currency; 0 where it is excluded
    score: the cheapest candidate's cost over its own, 0 … 1,000,000
    """

    account_id: str
    carrier: str
    role: str
    verdict: str
    cost_minor: int
    score: Int32


class LabelAsked(Record):
    """order → account: carry this, if a parcel of today is left; else let the next account of the chain be asked.

    label_id: derived from the assignment
    assignment_id: the assignment
    order_id: the order
    merchant_id: who sells
    location_id: where it is packed
    account_id: whose turn it is
    service: service level
    country: destination
    weight_g: of the goods
    candidates: the whole pool, as the resolver saw it
    chain: the accounts that may carry it, in the order in which they are asked
    full: those of them that had no parcel left
    round: how often the whole chain had been asked in vain before
    """

    label_id: str
    assignment_id: str
    order_id: str
    merchant_id: str
    location_id: str
    account_id: str
    service: str
    country: str
    weight_g: int
    candidates: tuple[LabelCandidate, ...]
    chain: tuple[str, ...]
    full: tuple[str, ...]
    round: Int32 = 0


class LabelReleased(Record):
    """order → account: nothing will travel on this label.

    label_id: the label
    account_id: who was asked first; it knows whom it passed the label to
    """

    label_id: str
    account_id: str


class LabelResolved(Record):
    """Which account carries an assignment, and why: the resolver's record.

    resolver_id: derived from the label
    label_id: the label
    assignment_id: the assignment
    order_id: the order
    location_id: where it is packed
    account_id: the account that carries it; null when none could
    candidates: the whole pool, with each one's verdict
    full: accounts of the chain that had no parcel left
    capacity_used: parcels of the account's day, this one included
    capacity: parcels it takes per day
    local_date: the day they are counted for, in UTC
    resolved_at: the task's time
    """

    resolver_id: str
    label_id: str
    assignment_id: str
    order_id: str
    location_id: str
    account_id: str | None
    candidates: tuple[LabelCandidate, ...]
    full: tuple[str, ...]
    capacity_used: Int32
    capacity: Int32
    local_date: str
    resolved_at: int


class LabelRequested(Record):
    """→ connector: buy this label.

    label_id: the label; a repeat of it must buy nothing twice
    assignment_id: the assignment
    order_id: the order
    location_id: where it is packed
    account_id: the account to buy on
    carrier: its carrier
    service: service level
    country: destination
    weight_g: of the goods
    requested_at: the task's time
    """

    label_id: str
    assignment_id: str
    order_id: str
    location_id: str
    account_id: str
    carrier: str
    service: str
    country: str
    weight_g: int
    requested_at: int


class LabelCancelled(Record):
    """→ connector: buy this label no more, or void it.

    label_id: the label
    order_id: the order
    account_id: the account
    tracking_number: of the label that was bought; null when none was told
    cancelled_at: the task's time
    """

    label_id: str
    order_id: str
    account_id: str
    tracking_number: str | None
    cancelled_at: int


class LabelCreated(Record):
    """connector → account: the label is bought.

    label_id: the label
    account_id: the account it was bought on
    carrier: the carrier, as the account says
    tracking_number: the carrier's number
    link: where the label lies
    occurred_at: when the sender says so
    """

    label_id: str
    account_id: str
    carrier: str
    tracking_number: str
    link: str
    occurred_at: int
