"""The table of contents: every stage, in the order in which an order flows.

  reference  feed status and location load, as every partition knows them
  mapping    what every partner's SKUs mean
  stock      the single writer of an item: deltas, counts, reservations, waiting orders
  orders     asks, routes, reserves, decides, hands over
  location   the partner's inbox: slots, acceptance, expiry, feed freshness
  labels     which carrier account carries an accepted assignment
  tracking   carriers' messages as one canonical history
  finance    which order a financial record belongs to
  ledger     entries, and whether they add up
  invariants what must hold between all their rows, checked at every batch

In one batch a record goes through the stages that read its topic in this order. `fold` makes the network that all of
them read. Importing this module loads rules only: no engine, no codec, no clock.
"""

from typing import Final

from processors import finance, invariants, reference
from processors.labels import stage as labels
from processors.ledger import stage as ledger
from processors.location import stage as location
from processors.mapping import stage as mapping
from processors.network import Network, fold
from processors.orders import stage as orders
from processors.step import Stage
from processors.stock import stage as stock
from processors.tracking import stage as tracking

STAGES: Final[tuple[Stage, ...]] = (
    reference.STAGE,
    mapping.STAGE,
    stock.STAGE,
    orders.STAGE,
    location.STAGE,
    labels.STAGE,
    tracking.STAGE,
    finance.STAGE,
    ledger.STAGE,
    invariants.STAGE,
)

__all__ = ["STAGES", "Network", "fold"]
