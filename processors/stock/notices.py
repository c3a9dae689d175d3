"""Notices: what stock tells operators. An alert or review is named by its kind and entity, so that saying it again
changes nothing for its reader, and its end carries the same name.
"""

from typing import Literal

from processors.step import Context, stable_id
from schemas.records.operations import OperationalAlert, ReviewItem

Stand = Literal["open", "resolved"]


def alert(ctx: Context, kind: str, entity_id: str, *, expected: int, actual: int, detail: str, status: Stand) -> None:
    """Raise or resolve an operational alert."""
    alert_id = stable_id("alert", kind, entity_id)
    record = OperationalAlert(alert_id, entity_id, kind, expected, actual, detail, status, ctx.now_at)
    ctx.emit("operational-alerts", entity_id, record)


def review(ctx: Context, kind: str, entity_id: str, *, detail: str, status: Stand) -> None:
    """Ask people for something, or say that it is no longer needed."""
    record = ReviewItem(stable_id("review", kind, entity_id), entity_id, kind, detail, status, ctx.now_at)
    ctx.emit("review-queue", entity_id, record)
