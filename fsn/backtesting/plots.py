"""Plots: how cost, distance and the partners' shares would move, as PNG or SVG.

In: one `Pair` an order, and a `Comparison`. Out: image files in a folder, the same bytes for the same comparison.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure

from fsn.backtesting.comparing import Comparison
from fsn.backtesting.evaluating import Pair

OLD, NEW = "#7f8c9a", "#1f77b4"
BINS: Final = 50
PARTNERS_MAX: Final = 12
# No date and no chance in the files: the same comparison draws the same image.
_METADATA: Final = {"png": {"Software": None}, "svg": {"Date": None}}


def draw(pairs: Sequence[Pair], comparison: Comparison, folder: Path, *, kind: str) -> list[Path]:
    """Draw all of them."""
    folder.mkdir(parents=True, exist_ok=True)
    both = [pair for pair in pairs if pair.old.stands and pair.new.stands]
    drawn: list[Path] = []
    plots: dict[str, Callable[[Any], None]] = {
        "cost": lambda axes: _costs(axes, both),
        "distance": lambda axes: _distances(axes, both),
        "partners": lambda axes: _partners(axes, comparison),
    }
    with mpl.rc_context({"svg.hashsalt": "fsn", "font.size": 9}):
        for name, plot in plots.items():
            figure = Figure(figsize=(7, 4), layout="constrained")
            plot(figure.subplots())
            path = folder / f"{name}.{kind}"
            figure.savefig(path, dpi=120, metadata=_METADATA[kind])
            drawn.append(path)
    return drawn


def _costs(axes: Any, both: Sequence[Pair]) -> None:
    moved = [(pair.new.cost_minor - pair.old.cost_minor) / 100 for pair in both if not pair.same]
    axes.hist(moved or [0.0], bins=BINS, color=NEW)
    axes.axvline(0, color=OLD, linewidth=1)
    axes.set(
        title=f"Cost of the {len(moved):,} orders that would go otherwise", xlabel="new minus old", ylabel="orders"
    )


def _distances(axes: Any, both: Sequence[Pair]) -> None:
    old = [pair.old.distance_m / pair.old.shipments / 1_000 for pair in both]
    new = [pair.new.distance_m / pair.new.shipments / 1_000 for pair in both]
    top = max([1.0, *old, *new])
    for values, color, label in ((old, OLD, "old"), (new, NEW, "new")):
        axes.hist(values or [0.0], bins=BINS, range=(0, top), histtype="step", linewidth=1.5, color=color, label=label)
    axes.set(title="Distance of a shipment", xlabel="km", ylabel="orders")
    axes.legend()


def _partners(axes: Any, comparison: Comparison) -> None:
    old, new = comparison.old.units, comparison.new.units
    names = sorted({*old, *new}, key=lambda name: (-old[name], name))[:PARTNERS_MAX]
    places = range(len(names))
    for side, color, label, shift in ((old, OLD, "old", -0.2), (new, NEW, "new", 0.2)):
        total = max(1, sum(side.values()))
        shares = [100 * side[name] / total for name in names]
        axes.barh([place + shift for place in places], shares, height=0.4, color=color, label=label)
    axes.set_yticks(list(places), [name.rpartition("|")[2] for name in names])
    axes.invert_yaxis()
    axes.set(title="Partners' share of the units", xlabel="%")
    axes.legend()
