"""Reference: what every partition knows of feeds and locations, as the location's task last told it.

In: FeedStatusChanged and LocationLoadChanged, broadcast to every partition. Out: nothing; the rows are read by the
stages that route. A status older than the one known is ignored, so that a repeated watermark never turns time back.
"""

from typing import Final

from processors.step import ABSENT, Context, Stage, Table
from schemas.records.operations import FeedStatusChanged, LocationLoadChanged

FEED_STATUS: Final = Table("feed_status", FeedStatusChanged)
"""By location_id: the freshest status of the location's feeds."""

LOCATION_LOAD: Final = Table("location_load", LocationLoadChanged)
"""By location_id."""


def learn_feed_status(record: FeedStatusChanged, ctx: Context) -> None:
    """Keep the newest status of a location's feed."""
    known = ctx.get(FEED_STATUS, record.location_id)
    if known is ABSENT or known.as_of <= record.as_of:
        ctx.put(FEED_STATUS, record.location_id, record)


def learn_load(record: LocationLoadChanged, ctx: Context) -> None:
    """Keep the newest load of a location."""
    known = ctx.get(LOCATION_LOAD, record.location_id)
    if known is ABSENT or known.as_of <= record.as_of:
        ctx.put(LOCATION_LOAD, record.location_id, record)


STAGE: Final = Stage(
    name="reference",
    handlers={
        "feed-status": {FeedStatusChanged: learn_feed_status},
        "location-load": {LocationLoadChanged: learn_load},
    },
    tables=(FEED_STATUS, LOCATION_LOAD),
)
