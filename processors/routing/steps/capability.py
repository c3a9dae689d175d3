"""Step 5, capability: can the location handle this kind of order and these goods?

Fence: it offers the service type, and has every capability that a variant needs (hazmat, cold chain, oversize,
battery) or that the rules demand for business customers (papers). An unknown variant has unknown needs: nobody can. Nor can
anybody ship what the variant's supplier does not allow the merchant to order.
"""

from collections.abc import Collection, Sequence

from processors.routing.words import OK, Verdict


def fence_service(service_type: str, services: Collection[str]) -> Verdict:
    """Whether the kind of order is offered."""
    return OK if service_type in services else Verdict.SERVICE_TYPE_MISSING


def fence(needs: Sequence[str] | Verdict, capabilities: Collection[str]) -> Verdict:
    """needs: what the goods and the customer need; a verdict when a variant forbids any location."""
    if isinstance(needs, Verdict):
        return needs
    for need in needs:
        if need not in capabilities:
            return Verdict.CAPABILITY_MISSING
    return OK
