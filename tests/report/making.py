"""Hand-made records, as the reader hands them to the checkers: what a test does not name has a dull default."""

from fsn.report.reader import Read

ORDER, SHOE, SOCK, BERLIN, PARIS = "acme|shop|1", "acme|shoe", "acme|sock", "acme|berlin", "acme|paris"


def reads(*records, partition=0):
    """(type, fields) pairs as one partition's records."""
    return [
        Read(partition, offset, 1_000 + offset, fields.get("order_id", ""), kind, fields)
        for offset, (kind, fields) in enumerate(records)
    ]


def broken(checked):
    """The promises broken, in order."""
    return [fault.check for fault in checked.faults]


def item(revision, on_hand, reserved, held=0, location_id=BERLIN):
    return {
        "location_id": location_id,
        "revision": revision,
        "on_hand": on_hand,
        "reserved": reserved,
        "held": held,
    }


def lines(**units):
    """berlin=2: two units at acme|berlin."""
    return [{"location_id": f"acme|{name}", "quantity": quantity} for name, quantity in units.items()]


def reservation(order_id=ORDER, attempt=1, variant_id=SHOE):
    return {"order_id": order_id, "attempt": attempt, "variant_id": variant_id}


def granted(*items, order_id=ORDER, attempt=1, **units):
    fields = {"items": list(items), "lines": lines(**units)}
    return "ReservationGranted", {**reservation(order_id, attempt), **fields}


def released(*items, order_id=ORDER, attempt=1, **units):
    fields = {"items": list(items), "lines": lines(**units)}
    return "ReservationReleased", {**reservation(order_id, attempt), **fields}


def consumed(shown, quantity, order_id=ORDER, attempt=1, shipment_id="s1"):
    fields = {"items": [shown], "quantity": quantity, "shipment_id": shipment_id}
    return "ReservationConsumed", {**reservation(order_id, attempt), **fields}


def denied(*items, order_id=ORDER, attempt=1):
    return "ReservationDenied", {**reservation(order_id, attempt), "reason": "stock_short", "items": list(items)}


def routed(*items, order_id=ORDER, attempt=1, **units):
    parts = [{"location_id": line["location_id"], "lines": [{"quantity": line["quantity"]}]} for line in lines(**units)]
    return "StockRouted", {**reservation(order_id, attempt), "plan": {"parts": parts}, "items": list(items)}


def snapshot(revision, on_hand, reserved, held=0, location_id=BERLIN, variant_id=SHOE):
    return "StockSnapshot", {**item(revision, on_hand, reserved, held, location_id), "variant_id": variant_id}
