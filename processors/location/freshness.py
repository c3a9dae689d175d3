"""Freshness: how complete each feed of a location is, and since when it is not.

In: FeedHeartbeat on `feed-heartbeats`, and the timer `location.stale`. Out: FeedStatusChanged to every partition on
`feed-status`: at once when a feed turns stale or fresh, else at most every half minute of heartbeats.

Other partitions keep one status per location, the last they hear. So whatever feed had something to say, the
location's freshest feed has the last word. An older heartbeat says nothing new.

A feed cannot be complete beyond now, but our now may be behind: after an outage, heartbeats come in before the ticks.
So a claim ahead of now stands, up to the record's own timestamp, until the next tick; then it counts as that tick. A
sender's fast clock keeps its feed fresh for no longer.

Refused: FORGED, KEY_MISMATCH, UNKNOWN_FEED, INVALID_VALUE (the feed reports another location).
"""

from typing import Final

import msgspec

from processors.reasons import Reason
from processors.senders import require_sender
from processors.step import ABSENT, Context, Refused, Table
from schemas.records.operations import FeedHeartbeat, FeedStatusChanged

WATERMARK_MS: Final = 30_000
AHEAD_MS: Final = 2_000
"""A heartbeat is sent after the last tick: so much ahead of now needs no second look."""


class Feed(msgspec.Struct, frozen=True, array_like=True):
    """How far one feed is complete, and up to when others know of it."""

    feed_id: str
    complete_to_at: int
    stale: bool
    told_at: int


class LocationFeeds(msgspec.Struct, frozen=True, array_like=True):
    """The feeds of a location that were ever heard, by feed_id."""

    feeds: tuple[Feed, ...] = ()
    wake_at: int = 0
    """When `location.stale` looks at them next, never later than the first can turn stale; 0 when all are stale."""


FEEDS: Final = Table("feeds", LocationFeeds)
"""By location_id."""


def hear(record: FeedHeartbeat, ctx: Context) -> None:
    """Note how far a feed is complete."""
    limit_ms = _limit_of(record, ctx)
    known = ctx.get(FEEDS, record.location_id)
    row = LocationFeeds() if known is ABSENT else known
    feeds = {feed.feed_id: feed for feed in row.feeds}
    before = feeds.get(record.feed_id)
    complete_to_at = min(record.complete_to_at, max(ctx.now_at, ctx.event_at))
    if before is not None and complete_to_at <= before.complete_to_at:
        return
    stale = ctx.now_at - complete_to_at > limit_ms
    told_at = 0 if before is None else before.told_at
    feeds[record.feed_id] = Feed(record.feed_id, complete_to_at, stale, told_at)
    if before is None or stale != before.stale or max(ctx.now_at, complete_to_at) - told_at >= WATERMARK_MS:
        _tell(record.location_id, feeds, [record.feed_id], ctx)
    wake_at = row.wake_at
    due_at = ctx.now_at + 1 if _is_ahead(complete_to_at, ctx) else complete_to_at + limit_ms + 1
    if not stale and (not wake_at or due_at < wake_at):
        if wake_at:
            ctx.unwake(wake_at, "location.stale", record.location_id)
        ctx.wake(due_at, "location.stale", record.location_id)
        wake_at = due_at
    _keep(record.location_id, feeds, wake_at, ctx)


def look(location_id: str, ctx: Context) -> None:
    """The timer: tell which feeds have turned stale or had claimed too much, and look again when the next one may."""
    row = ctx.get(FEEDS, location_id)
    if row is ABSENT:
        return
    feeds = {feed.feed_id: feed for feed in row.feeds}
    turned, due = [], []
    for said in row.feeds:
        feed = said
        if _is_ahead(feed.complete_to_at, ctx):
            feed = feeds[feed.feed_id] = msgspec.structs.replace(feed, complete_to_at=ctx.now_at)
            turned.append(feed.feed_id)
        limit_ms = ctx.network.freshness_limit_ms(feed.feed_id) or 0
        if feed.stale:
            continue
        if ctx.now_at - feed.complete_to_at > limit_ms:
            feeds[feed.feed_id] = msgspec.structs.replace(feed, stale=True)
            turned.append(feed.feed_id)
        else:
            due.append(feed.complete_to_at + limit_ms + 1)
    if turned:
        _tell(location_id, feeds, turned, ctx)
    wake_at = min(due, default=0)
    if wake_at:
        ctx.wake(wake_at, "location.stale", location_id)
    _keep(location_id, feeds, wake_at, ctx)


def _limit_of(record: FeedHeartbeat, ctx: Context) -> int:
    """The feed's freshness limit, after its sender was checked."""
    feed = ctx.network.feeds.get(record.feed_id)
    require_sender(ctx, record.feed_id, None if feed is None else feed.partner_id)
    if ctx.key != record.location_id:
        raise Refused(Reason.KEY_MISMATCH, f"key {ctx.key}, location_id {record.location_id}: key it by location_id")
    limit_ms = ctx.network.freshness_limit_ms(record.feed_id)
    if feed is None or limit_ms is None:
        missing = "it" if feed is None else f"its partner {feed.partner_id}"
        detail = f"feed {record.feed_id}: {missing} is not in the network: define it first"
        raise Refused(Reason.UNKNOWN_FEED, detail)
    if feed.location_id != record.location_id:
        detail = f"feed {record.feed_id} reports {feed.location_id}, not {record.location_id}: correct the location_id"
        raise Refused(Reason.INVALID_VALUE, detail)
    return limit_ms


def _tell(location_id: str, feeds: dict[str, Feed], news: list[str], ctx: Context) -> None:
    """Broadcast these feeds, and the freshest one last."""
    freshest = max(feeds.values(), key=lambda feed: (not feed.stale, feed.complete_to_at, feed.feed_id)).feed_id
    for feed_id in (*(feed_id for feed_id in news if feed_id != freshest), freshest):
        feed = feeds[feed_id]
        feed = msgspec.structs.replace(feed, told_at=max(ctx.now_at, feed.complete_to_at))
        feeds[feed_id] = feed
        status = FeedStatusChanged(feed_id, location_id, feed.complete_to_at, feed.stale, ctx.now_at)
        ctx.broadcast("feed-status", location_id, status)


def _is_ahead(complete_to_at: int, ctx: Context) -> bool:
    return complete_to_at > ctx.now_at + AHEAD_MS


def _keep(location_id: str, feeds: dict[str, Feed], wake_at: int, ctx: Context) -> None:
    ctx.put(FEEDS, location_id, LocationFeeds(tuple(feeds[feed_id] for feed_id in sorted(feeds)), wake_at))
