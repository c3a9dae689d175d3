"""What keeps the network running: broadcasts, alerts, and what people must look at.

`feed-status` and `location-load` reach every partition; `operational-alerts` and `review-queue` are keyed by the
entity they are about.
"""

from schemas.records.base import Int32, Part, Record


class FeedHeartbeat(Record):
    """A feed says that it is complete up to an instant.

    feed_id: the feed
    location_id: the location it reports
    complete_to_at: everything before this instant has been sent
    """

    feed_id: str
    location_id: str
    complete_to_at: int


class FeedStatusChanged(Record):
    """location → every partition: how fresh a location's feed is.

    feed_id: the feed
    location_id: the location
    complete_to_at: the feed's last heartbeat
    stale: true once its age is over its limit
    as_of: the location task's time
    """

    feed_id: str
    location_id: str
    complete_to_at: int
    stale: bool
    as_of: int


class LocationLoadChanged(Record):
    """location → every partition: how many of today's slots are used.

    location_id: the location
    local_date: the location's local day, ISO 8601
    used: assignments taken today
    cap: slots of the day
    as_of: the location task's time
    """

    location_id: str
    local_date: str
    used: Int32
    cap: Int32
    as_of: int


class AccountLoadChanged(Record):
    """carrier account → every partition: whether a parcel is left today; told when the last one is taken or one is given back.

    account_id: the account
    date: the day in UTC, ISO 8601
    used: parcels taken that day
    cap: parcels of the day
    as_of: the account task's time
    """

    account_id: str
    date: str
    used: Int32
    cap: Int32
    as_of: int


class OperationalAlert(Record):
    """Something operators should know; resolves itself when its cause ends.

    alert_id: derived from (kind, entity)
    entity_id: item, order, feed or parcel it is about
    kind: STOCK_DRIFT, NEGATIVE_ON_HAND, SHORTFALL, RESERVATION_ORPHANED, SHIPMENT_SILENT, DEAD_LETTER_RATE …
    expected: what was expected, as a number
    actual: what was found
    detail: in words
    status: open or resolved
    raised_at: the task's time
    """

    alert_id: str
    entity_id: str
    kind: str
    expected: int
    actual: int
    detail: str
    status: str
    raised_at: int


class ReviewCandidate(Part):
    """One answer a person may choose.

    entity_id: what it would be: a variant_id
    confidence_e6: how likely it is, in millionths
    """

    entity_id: str
    confidence_e6: Int32


class ReviewItem(Record):
    """A person has to decide.

    review_id: derived from (kind, entity)
    entity_id: what it is about
    kind: SKU_SUGGESTED, SKU_AMBIGUOUS, SKU_UNKNOWN, COUNT_WANTED, UNROUTABLE, REROUTES_EXHAUSTED, UNKNOWN_CARRIER_CODE …
    detail: in words
    status: open or resolved
    raised_at: the task's time
    candidates: the likeliest answers, the best first, where there are some
    """

    review_id: str
    entity_id: str
    kind: str
    detail: str
    status: str
    raised_at: int
    candidates: tuple[ReviewCandidate, ...] = ()
