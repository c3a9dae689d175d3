"""Reference: what every partition knows of feeds, locations and carrier accounts, as their own tasks last told it.

In: FeedStatusChanged, LocationLoadChanged and AccountLoadChanged, broadcast to every partition. Out: nothing; the rows
are read by the stages that route. A status older than the one known is ignored, so that a repeated watermark never
turns time back.
"""

from typing import Final

import msgspec

from processors.step import ABSENT, Context, Stage, Table
from processors.zones import utc_date
from schemas.records.operations import AccountLoadChanged, FeedStatusChanged, LocationLoadChanged

FEED_STATUS: Final = Table("feed_status", FeedStatusChanged)
"""By location_id: the freshest status of the location's feeds."""

LOCATION_LOAD: Final = Table("location_load", LocationLoadChanged)
"""By location_id."""


class FullAccounts(msgspec.Struct, frozen=True, array_like=True):
    """Accounts that had no parcel left on a day in UTC: account_id and parcels used."""

    date: str
    accounts: tuple[tuple[str, int], ...]


FULL_ACCOUNTS: Final = Table("full_accounts", FullAccounts)
"""One row, under `all`: what routes reads one row, and mostly there is none."""

ALL: Final = "all"
NONE: Final[frozenset[str]] = frozenset()


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


def learn_account_load(record: AccountLoadChanged, ctx: Context) -> None:
    """Keep which accounts have no parcel left on the latest day that was spoken of."""
    row = ctx.get(FULL_ACCOUNTS, ALL)
    if row is not ABSENT and row.date > record.date:
        return
    known = () if row is ABSENT or row.date < record.date else row.accounts
    others = tuple(one for one in known if one[0] != record.account_id)
    full = ((record.account_id, record.used),) if record.used >= record.cap else ()
    ctx.put(FULL_ACCOUNTS, ALL, FullAccounts(record.date, (*others, *full)))


def full_accounts(ctx: Context) -> frozenset[str]:
    """Carrier accounts that have no parcel left today, by their caps as the reference data has them now."""
    row = ctx.get(FULL_ACCOUNTS, ALL)
    if row is ABSENT or not row.accounts or row.date != utc_date(ctx.now_at):
        return NONE
    accounts = ctx.network.accounts
    return frozenset(
        account_id
        for account_id, used in row.accounts
        if account_id in accounts and used >= accounts[account_id].daily_slots
    )


STAGE: Final = Stage(
    name="reference",
    handlers={
        "feed-status": {FeedStatusChanged: learn_feed_status},
        "location-load": {LocationLoadChanged: learn_load},
        "account-load": {AccountLoadChanged: learn_account_load},
    },
    tables=(FEED_STATUS, LOCATION_LOAD, FULL_ACCOUNTS),
)
