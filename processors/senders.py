"""Senders: whose signature may stand under a record.

In: the signer the engine proved (None where signatures are not required) and the entity a record speaks for. Every
entity starts with its tenant. The worker itself (`fsn`), the entity's tenant and its owner may speak for it.
Refused: FORGED, anybody else. An entity whose owner is not known (yet) may be named by anyone of its tenant, so that
the caller can refuse it as unknown, which is what the sender needs to hear.
"""

from processors.reasons import Reason
from processors.step import Context, Refused
from processors.tenants import WORKER, tenant_of


def require_sender(ctx: Context, entity_id: str, owner_id: str | None) -> None:
    """Refuse a record that is signed by somebody who may not speak for this entity."""
    signer = ctx.signer
    if signer is None or signer in (WORKER, owner_id):
        return
    tenant = tenant_of(entity_id)
    if signer == tenant or (owner_id is None and tenant_of(signer) == tenant):
        return
    raise Refused(
        Reason.FORGED,
        f"signed by {signer}, but {entity_id} belongs to {owner_id or tenant}: sign with the key of its owner",
    )
