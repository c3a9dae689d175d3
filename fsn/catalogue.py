"""`fsn catalogue`: suppliers' releases, what merchants have taken of them, and who may do what with which variant.

In: ids as the reference data has them; the topic `network` of a cluster. Out: CatalogueReleased, CatalogueActivated and
EntitlementGranted on `network`; tables. What a worker would refuse is refused here in the same words, before anything is
sent, and so is a name that the reference data does not know.
"""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from fsn.declaration import DEFAULT_FILE, File
from fsn.terminal import literal, plain

if TYPE_CHECKING:
    from fsn.network_desk import NetworkDesk
    from processors.network import Network
    from schemas.records.network import VariantDefined

app = typer.Typer(
    name="catalogue", help="Catalogues: show, release, activate, grant, revoke, entitlements.", no_args_is_help=True
)

Brokers = Annotated[str | None, typer.Option("--brokers", "-b", envvar="FSN_BROKERS", help="host:port, or several.")]
CatalogueId = Annotated[str, typer.Argument(help="The catalogue's id, such as `acme|cat_spring`.")]
SupplierId = Annotated[str, typer.Argument(help="The supplier's id.")]
MerchantId = Annotated[str, typer.Argument(help="The merchant's id.")]
Category = Annotated[str | None, typer.Option(help="Only this category.")]
Product = Annotated[str | None, typer.Option(help="Only this variant.")]

MAPS: Final = {"supplier": "suppliers", "merchant": "merchants", "catalogue": "catalogues", "variant": "variants"}


class State(StrEnum):
    """How far a merchant is with a release."""

    PENDING = "pending"
    IMPORTED = "imported"
    WITHDRAWN = "withdrawn"


class CatalogueError(RuntimeError):
    """A name that the reference data does not know."""


@app.command()
def show(*, brokers: Brokers = None, file: File = DEFAULT_FILE) -> None:
    """Show every catalogue, its last release, and which merchants have which of them."""
    from rich.console import Console
    from rich.table import Table

    network = _open(brokers, file).network()
    shown = Table("catalogue", "supplier", "version", "variants", "known here", "merchants: imported (pending)")
    for catalogue_id, release in sorted(network.catalogues.items()):
        taken = [
            f"{merchant_id}: {one.imported or '-'}" + (f" ({one.pending})" if one.pending else "")
            for (merchant_id, named), one in sorted(network.activations.items())
            if named == catalogue_id
        ]
        known = sum(variant.catalogue_id == catalogue_id for variant in network.variants.values())
        row = (catalogue_id, release.supplier_id, str(release.version), f"{release.variants:,}", f"{known:,}")
        shown.add_row(*map(literal, (*row, ", ".join(taken) or "none")))
    Console().print(shown)


@app.command()
def release(
    catalogue_id: CatalogueId,
    supplier_id: SupplierId,
    *,
    comment: Annotated[str, typer.Option(help="What is new.")] = "",
    brokers: Brokers = None,
    file: File = DEFAULT_FILE,
) -> None:
    """Release the next version of a catalogue: the variants that name it, as they are now."""
    from schemas.records.catalogues import CatalogueReleased

    desk = _open(brokers, file)
    network = desk.network()
    _require(network, "supplier", supplier_id)
    before = network.catalogues.get(catalogue_id)
    version = 1 if before is None else before.version + 1
    variants = [one for one in network.variants.values() if one.catalogue_id == catalogue_id and not one.retired]
    ahead = [one.variant_id for one in variants if one.released_in > version]
    if ahead:
        raise CatalogueError(
            f"{plain(ahead[0])} is released in version {network.variants[ahead[0]].released_in}, and this would be {version}"
        )
    desk.publish((catalogue_id, CatalogueReleased(catalogue_id, supplier_id, version, len(variants), comment)))
    typer.echo(f"{plain(catalogue_id)} version {version}: {len(variants):,} variants")


@app.command()
def activate(
    merchant_id: MerchantId,
    catalogue_id: CatalogueId,
    *,
    state: Annotated[State, typer.Option(help="How far the merchant is.")] = State.PENDING,
    version: Annotated[
        int | None, typer.Option(help="Which release; without it, the last one, or the pending one.")
    ] = None,
    brokers: Brokers = None,
    file: File = DEFAULT_FILE,
) -> None:
    """Say that a merchant wants a release, that its node has imported it, or that it sells from it no more."""
    from processors.network import Activation
    from schemas.records.catalogues import CatalogueActivated

    desk = _open(brokers, file)
    network = desk.network()
    _require(network, "merchant", merchant_id)
    _require(network, "catalogue", catalogue_id)
    if version is None:
        known = network.activations.get((merchant_id, catalogue_id), Activation())
        version = known.pending or known.imported if state is not State.PENDING else 0
        version = version or network.catalogues[catalogue_id].version
    desk.publish((merchant_id, CatalogueActivated(merchant_id, catalogue_id, version, state.value)))
    typer.echo(f"{plain(merchant_id)}, {plain(catalogue_id)} version {version}: {state.value}")


@app.command()
def grant(
    supplier_id: SupplierId,
    merchant_id: MerchantId,
    level: Annotated[str, typer.Argument(help="view_only … returns_allowed; each includes those before it.")],
    *,
    category: Category = None,
    product: Product = None,
    brokers: Brokers = None,
    file: File = DEFAULT_FILE,
) -> None:
    """Let a merchant do so much with a supplier's product, category, or everything."""
    _grant(supplier_id, merchant_id, level, category=category, product=product, desk=_open(brokers, file))


@app.command()
def revoke(
    supplier_id: SupplierId,
    merchant_id: MerchantId,
    *,
    category: Category = None,
    product: Product = None,
    brokers: Brokers = None,
    file: File = DEFAULT_FILE,
) -> None:
    """Take a grant back: the next wider one holds again; it takes effect on the next record."""
    desk = _open(brokers, file)
    _grant(supplier_id, merchant_id, "view_only", category=category, product=product, desk=desk, retired=True)


@app.command()
def entitlements(
    merchant_id: MerchantId,
    variant_id: Annotated[str, typer.Argument(help="The variant's id.")],
    *,
    brokers: Brokers = None,
    file: File = DEFAULT_FILE,
) -> None:
    """Show what a merchant may do with a variant, and which grant says so."""
    from rich.console import Console
    from rich.table import Table

    from processors.network import LEVELS
    from processors.routing.entitlements import is_imported, may_see_stock, order_verdict, rank_of
    from processors.routing.words import WORDS

    network = _open(brokers, file).network()
    _require(network, "merchant", merchant_id)
    _require(network, "variant", variant_id)
    variant = network.variants[variant_id]
    rank, verdict = rank_of(network, merchant_id, variant), order_verdict(network, merchant_id, variant)
    shown = Table("", "", title=literal(f"{merchant_id} and {variant_id}"), show_header=False)
    for name, value in (
        ("supplier", variant.supplier_id or "none: the merchant's own"),
        ("level", LEVELS[rank] if rank >= 0 else "none"),
        ("says", _winner(network, merchant_id, variant)),
        ("includes", ", ".join(LEVELS[: rank + 1]) or "nothing"),
        ("release imported", "yes" if is_imported(network, merchant_id, variant) else "no"),
        ("may see stock", "yes" if may_see_stock(network, merchant_id, variant) else "no"),
        ("may order", "no: " + WORDS[verdict] if verdict else "yes"),
    ):
        shown.add_row(name, literal(value))
    Console().print(shown)


def _winner(network: "Network", merchant_id: str, variant: "VariantDefined") -> str:
    """The grant that holds: the most specific one there is."""
    supplier = None if variant.supplier_id is None else network.suppliers.get(variant.supplier_id)
    if supplier is None or not supplier.entitlements_required:
        return "nobody asks for a grant"
    scopes = ("product", variant.variant_id), ("category", variant.category_id), ("merchant", merchant_id)
    for scope, scope_id in scopes:
        if (supplier.supplier_id, merchant_id, scope, scope_id) in network.grants:
            return f"the grant for the {scope} {scope_id}"
    return "no grant"


def _grant(
    supplier_id: str,
    merchant_id: str,
    level: str,
    *,
    category: str | None,
    product: str | None,
    desk: "NetworkDesk",
    retired: bool = False,
) -> None:
    from processors.network import grant_key
    from schemas.records.network import EntitlementGranted

    if category is not None and product is not None:
        raise typer.BadParameter("name a category or a product, not both")
    network = desk.network()
    _require(network, "supplier", supplier_id)
    _require(network, "merchant", merchant_id)
    if product is not None:
        _require(network, "variant", product)
    scope = "category" if category is not None else "product" if product is not None else "merchant"
    record = EntitlementGranted(supplier_id, merchant_id, scope, category or product or merchant_id, level, retired)
    if retired and grant_key(record) not in network.grants:
        raise CatalogueError(
            f"{plain(merchant_id)} has no such grant of {plain(supplier_id)}: `entitlements` shows what holds"
        )
    desk.publish((supplier_id, record))
    typer.echo(f"{plain(merchant_id)}, {scope} {plain(record.scope_id)}: {'revoked' if retired else level}")


def _require(network: "Network", kind: str, entity_id: str) -> None:
    if entity_id not in getattr(network, MAPS[kind]):
        raise CatalogueError(f"{kind} {plain(entity_id)} is not in the reference data: nothing was sent")


def _open(brokers: str | None, file: Path) -> "NetworkDesk":
    from fsn.declaration import load_topology
    from fsn.network_desk import NetworkDesk
    from streams.settings import read_settings

    return NetworkDesk(load_topology(file), read_settings(brokers=brokers))
