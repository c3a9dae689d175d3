"""Mapping: any SKU becomes one variant, or waits until a person says which; nothing is routed unmapped.

In: AliasDefined (`aliases`, from whoever owns the namespace, or the tenant's operators), MappingAsked
(`mapping-requests`), the timer `mapping.look`; and what `reports` reads. Out: LineMapped to every order that asked
(`order-events`), ReportMapped to every feed's reports under the SKU (`report-mappings`), AliasChanged (`mappings`), ReviewItem
with the candidates for what nobody mapped yet (`review-queue`).

An exact alias comes first, then the GTIN of a variant, then the resolver's candidates: one that is likely enough and
well ahead is a suggestion, taken without a person where the merchant's rules allow it. While a SKU is unmapped, its
candidates are looked up again whenever the reference data has changed. An alias that an order was told is locked: the
order keeps that version, and only the next version changes what later orders are told.

Refused: FORGED, KEY_MISMATCH, INVALID_VALUE (a name that is none, fewer than one unit, a version that skips),
UNKNOWN_VARIANT (unknown, retired or another tenant's), RECORD_DIFFERS (an older version), ILLEGAL_TRANSITION (a change
of a locked version).
"""

from typing import Final

import msgspec

from processors.aliases import alias_id_of, owner_of, parts_of, problem_of
from processors.mapping import reports
from processors.mapping.catalogue import Candidate, catalogue_of, is_suggestion
from processors.mapping.rows import (
    ALIASES,
    ASKERS,
    FEEDS,
    REPORTS,
    UNMAPPED,
    Alias,
    Asker,
    Feeds,
    Source,
    Unmapped,
    by_number,
    by_order,
)
from processors.reasons import Reason
from processors.rules import MILLION
from processors.senders import require_sender
from processors.step import ABSENT, Absent, Context, Gauge, Refused, Stage, stable_id
from processors.tenants import shortest_kept_ms, tenant_of
from schemas.records.mapping import AliasChanged, AliasDefined, LineMapped, MappingAsked, ReportMapped
from schemas.records.operations import ReviewCandidate, ReviewItem
from schemas.records.stock import StockReported

REPORT: Final = "report"
SUGGESTED: Final = "SKU_SUGGESTED"
AMBIGUOUS: Final = "SKU_AMBIGUOUS"
UNKNOWN: Final = "SKU_UNKNOWN"


def defined(record: AliasDefined, ctx: Context) -> None:
    """Put an alias, or its next version, into force, and tell everybody who waited for it."""
    _check(record, ctx)
    known = ctx.get(ALIASES, record.alias_id)
    if known is not ABSENT:
        if _says(record, known):
            return
        _require_next(record, known)
    elif record.version != 1:
        raise Refused(Reason.INVALID_VALUE, f"{record.alias_id} is new: its first version is 1, not {record.version}")
    alias = Alias(record.variant_id, record.units_per_pack, record.version, Source.DEFINED, MILLION, record.author)
    _put_into_force(record.alias_id, alias, ctx)


def asked(record: MappingAsked, ctx: Context) -> None:
    """Tell an order, or a feed's reports, what a SKU means, now or once it is known."""
    alias_id = record.alias_id
    alias = ctx.get(ALIASES, alias_id)
    if alias is not ABSENT and alias.variant_id is not None and not alias.locked:
        alias = msgspec.structs.replace(alias, locked=True)
        ctx.put(ALIASES, alias_id, alias)
    if record.asker == REPORT:
        _asked_by_report(alias_id, record.asker_id, alias, ctx)
    else:
        _asked_by_order(Asker(alias_id, record.asker_id, record.merchant_id or ""), alias, ctx)


def _asked_by_report(alias_id: str, report_id: str, alias: Alias | Absent, ctx: Context) -> None:
    feeds = ctx.get(FEEDS, alias_id)
    known = () if feeds is ABSENT else feeds.report_ids
    if report_id not in known:
        ctx.put(FEEDS, alias_id, Feeds((*known, report_id)))
    if alias is not ABSENT:
        _tell_report(report_id, alias_id, alias, ctx)
    if alias is ABSENT or alias.variant_id is None:
        _resolve(alias_id, _waiting(alias_id, ctx), None, ctx)


def _asked_by_order(asker: Asker, alias: Alias | Absent, ctx: Context) -> None:
    alias_id = asker.alias_id
    if alias is not ABSENT and alias.variant_id is not None:
        _tell(asker, alias, alias.variant_id, ctx)
        return
    if ctx.get(ASKERS, by_order(alias_id, asker.order_id)) is not ABSENT:
        return  # it asks again, for it has heard nothing; nor is there anything to hear
    waiting = _waiting(alias_id, ctx)
    ctx.put(ASKERS, by_number(alias_id, waiting.asked), asker)
    ctx.put(ASKERS, by_order(alias_id, asker.order_id), asker)
    _resolve(alias_id, msgspec.structs.replace(waiting, asked=waiting.asked + 1), asker, ctx)


def look(alias_id: str, ctx: Context) -> None:
    """Timer: another catalogue may know what the last one did not."""
    waiting = ctx.get(UNMAPPED, alias_id)
    if waiting is ABSENT or waiting.look_at > ctx.now_at:
        return
    first = ctx.get(ASKERS, by_number(alias_id, 0))
    _resolve(alias_id, msgspec.structs.replace(waiting, look_at=0), None if first is ABSENT else first, ctx)


def _waiting(alias_id: str, ctx: Context) -> Unmapped:
    waiting = ctx.get(UNMAPPED, alias_id)
    return Unmapped("", (), 0, -1, 0) if waiting is ABSENT else waiting


def _resolve(alias_id: str, waiting: Unmapped, asker: Asker | None, ctx: Context) -> None:
    """By GTIN, by rule, or by a person: the first of them that can. What somebody retired only a person brings back."""
    retired = ctx.get(ALIASES, alias_id) is not ABSENT
    tenant, _, sku = parts_of(alias_id)
    if waiting.network_version != ctx.network.version:
        catalogue = catalogue_of(ctx.network, tenant)
        found = catalogue.by_gtin(sku)
        if found is not None and not retired:
            ctx.put(UNMAPPED, alias_id, waiting)
            _put_into_force(alias_id, Alias(found, 1, 1, Source.GTIN, MILLION, ""), ctx)
            return
        candidates = catalogue.ranked(sku) if found is None else (Candidate(found, MILLION),)
        waiting = _ask_a_person(alias_id, waiting, candidates, ctx)
    if not waiting.look_at:
        look_at = ctx.now_at + shortest_kept_ms(ctx.network, tenant_of(alias_id), "mapping_look_ms")
        ctx.wake(look_at, "mapping.look", alias_id)
        waiting = msgspec.structs.replace(waiting, look_at=look_at)
    ctx.put(UNMAPPED, alias_id, waiting)
    if asker is None or waiting.kind != SUGGESTED or retired:
        return
    accepted_from_e6 = ctx.network.rules_of(asker.merchant_id).rules.auto_accept_confidence_e6
    if accepted_from_e6 is None:
        return
    best = waiting.candidates[0]
    if best.confidence_e6 >= accepted_from_e6:
        _put_into_force(alias_id, Alias(best.variant_id, 1, 1, Source.AUTO, best.confidence_e6, ""), ctx)


def _put_into_force(alias_id: str, alias: Alias, ctx: Context) -> None:
    """Keep it, publish it, and end the waiting for it."""
    waiting, variant_id = ctx.get(UNMAPPED, alias_id), alias.variant_id
    if variant_id is not None and waiting is not ABSENT:
        alias = msgspec.structs.replace(alias, locked=True)
        askers = (ctx.get(ASKERS, by_number(alias_id, number)) for number in range(waiting.asked))
        for number, asker in enumerate([asker for asker in askers if asker is not ABSENT]):
            _tell(asker, alias, variant_id, ctx)
            ctx.delete(ASKERS, by_number(alias_id, number))
            ctx.delete(ASKERS, by_order(alias_id, asker.order_id))
        ctx.delete(UNMAPPED, alias_id)
        if waiting.look_at:
            ctx.unwake(waiting.look_at, "mapping.look", alias_id)
        if waiting.kind:
            _review(alias_id, waiting, "resolved", f"{alias_id} means {variant_id}", ctx)
    feeds = ctx.get(FEEDS, alias_id)
    if feeds is not ABSENT:
        alias = msgspec.structs.replace(alias, locked=True)
        for report_id in feeds.report_ids:
            _tell_report(report_id, alias_id, alias, ctx)
    ctx.put(ALIASES, alias_id, alias)
    changed = AliasChanged(
        alias_id=alias_id,
        variant_id=variant_id,
        units_per_pack=alias.units_per_pack,
        version=alias.version,
        source=alias.source.value,
        confidence_e6=alias.confidence_e6,
        author=alias.author,
        changed_at=ctx.now_at,
    )
    ctx.emit("mappings", alias_id, changed)


def _tell(asker: Asker, alias: Alias, variant_id: str, ctx: Context) -> None:
    told = LineMapped(asker.order_id, asker.alias_id, variant_id, alias.units_per_pack, alias.version)
    ctx.emit("order-events", asker.order_id, told)


def _tell_report(report_id: str, alias_id: str, alias: Alias, ctx: Context) -> None:
    told = ReportMapped(report_id, alias_id, alias.variant_id, alias.units_per_pack, alias.version)
    ctx.emit("report-mappings", report_id, told)


def _ask_a_person(alias_id: str, before: Unmapped, candidates: tuple[Candidate, ...], ctx: Context) -> Unmapped:
    """Open the review item, or open it anew when what it says has changed."""
    uncertain = AMBIGUOUS if candidates else UNKNOWN
    kind = SUGGESTED if is_suggestion(candidates) else uncertain
    waiting = msgspec.structs.replace(before, kind=kind, candidates=candidates, network_version=ctx.network.version)
    if (before.kind, before.candidates) == (kind, candidates):
        return waiting
    shown = ", ".join(f"{found.variant_id} {_percent(found.confidence_e6)} %" for found in waiting.candidates)
    detail = f"{alias_id} could mean {shown}: define the alias" if shown else f"nothing is like {alias_id}: define it"
    if before.kind and before.kind != kind:
        _review(alias_id, before, "resolved", f"{alias_id}: other candidates are known now", ctx)
    _review(alias_id, waiting, "open", detail, ctx)
    return waiting


def _percent(confidence_e6: int) -> int:
    return confidence_e6 * 100 // MILLION


def _review(alias_id: str, waiting: Unmapped, status: str, detail: str, ctx: Context) -> None:
    item = ReviewItem(
        review_id=stable_id("rv", waiting.kind, alias_id),
        entity_id=alias_id,
        kind=waiting.kind,
        detail=detail,
        status=status,
        raised_at=ctx.now_at,
        candidates=tuple(ReviewCandidate(found.variant_id, found.confidence_e6) for found in waiting.candidates),
    )
    ctx.emit("review-queue", alias_id, item)


def _check(record: AliasDefined, ctx: Context) -> None:
    alias_id = record.alias_id
    require_sender(ctx, alias_id, owner_of(alias_id))
    if ctx.key != alias_id:
        raise Refused(Reason.KEY_MISMATCH, f"key {ctx.key}, alias_id {alias_id}: key the record by its alias_id")
    tenant, namespace, sku = parts_of(alias_id)
    problem = problem_of(namespace, sku)
    if problem is None and alias_id != alias_id_of(tenant, namespace, sku):
        problem = f"its canonical form is {alias_id_of(tenant, namespace, sku)}: send that"
    if problem is None and record.units_per_pack < 1:
        problem = f"units_per_pack is {record.units_per_pack}: at least 1 is needed"
    if problem is not None:
        raise Refused(Reason.INVALID_VALUE, f"alias {alias_id}: {problem}")
    if record.variant_id is None:
        return
    variant = ctx.network.variants.get(record.variant_id)
    if variant is None or tenant_of(record.variant_id) != tenant:
        detail = f"alias {alias_id}: variant {record.variant_id} is not in the network of {tenant}: define it first"
        raise Refused(Reason.UNKNOWN_VARIANT, detail)
    if variant.retired:
        raise Refused(Reason.UNKNOWN_VARIANT, f"alias {alias_id}: variant {record.variant_id} is retired")


def _says(record: AliasDefined, known: Alias) -> bool:
    """Whether the record says of this version what is known."""
    said = record.variant_id, record.units_per_pack, record.version
    return said == (known.variant_id, known.units_per_pack, known.version)


def _require_next(record: AliasDefined, known: Alias) -> None:
    """A version that is not locked may be mended; after it comes the next."""
    alias_id, version = record.alias_id, record.version
    if version < known.version:
        raise Refused(Reason.RECORD_DIFFERS, f"{alias_id} is at version {known.version}: version {version} is over")
    if version == known.version and known.locked:
        detail = f"{alias_id} version {version} is locked, for orders keep to it: send version {version + 1}"
        raise Refused(Reason.ILLEGAL_TRANSITION, detail)
    if version > known.version + 1:
        detail = f"{alias_id} is at version {known.version}: the next is {known.version + 1}, not {version}"
        raise Refused(Reason.INVALID_VALUE, detail)


STAGE: Final = Stage(
    name="mapping",
    handlers={
        "aliases": {AliasDefined: defined},
        "mapping-requests": {MappingAsked: asked},
        "stock-reports": {StockReported: reports.reported},
        "report-mappings": {ReportMapped: reports.told},
    },
    timers={"mapping.look": look},
    tables=(ALIASES, UNMAPPED, ASKERS, FEEDS, REPORTS),
    gauges={"orders_waiting_for_a_mapping": Gauge(UNMAPPED, lambda row: row.asked)},
)
