"""Suppliers' catalogues in versions, and how far merchants are with them; on `network`, like all reference data.

Which variants a release has, the variants say themselves (`VariantDefined.catalogue_id`, `released_in`).
"""

from schemas.records.base import Int32, Record


class CatalogueReleased(Record):
    """A supplier's catalogue is out in a new version. Released is not activated.

    catalogue_id: tenant-qualified id, as in `VariantDefined.catalogue_id`
    supplier_id: whose catalogue
    version: counts from 1; higher than every one before
    variants: how many it has
    comment: what is new, in the supplier's words
    """

    catalogue_id: str
    supplier_id: str
    version: Int32
    variants: Int32
    comment: str = ""


class CatalogueActivated(Record):
    """How far a merchant is with a release of a catalogue.

    merchant_id: whose node
    catalogue_id: which catalogue
    version: which release of it
    state: pending (the merchant wants it), imported (its node has it), or withdrawn (it sells from the catalogue no more)
    """

    merchant_id: str
    catalogue_id: str
    version: Int32
    state: str
