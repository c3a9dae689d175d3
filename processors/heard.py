"""Heard: what a partition knows of feeds, locations and carrier accounts, as routing asks for it.

In: the rows of the reference stage. Out: `Known`. A location or account nobody spoke of yet is None, or not full.
"""

from processors.reference import FEED_STATUS, LOCATION_LOAD, full_accounts
from processors.routing.facts import Known
from processors.step import ABSENT, Context
from schemas.records.operations import FeedStatusChanged, LocationLoadChanged


def known(ctx: Context) -> Known:
    """What this partition has heard; the rows are read when they are asked for."""

    def feed_status(location_id: str) -> FeedStatusChanged | None:
        found = ctx.get(FEED_STATUS, location_id)
        return None if found is ABSENT else found

    def load(location_id: str) -> LocationLoadChanged | None:
        found = ctx.get(LOCATION_LOAD, location_id)
        return None if found is ABSENT else found

    return Known(feed_status, load, full_accounts(ctx))
