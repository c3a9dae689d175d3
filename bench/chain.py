"""`python -m bench.chain [--quick]`: orders per second through the whole chain of one worker.

In: orders that name the merchant's own SKUs, all sent at once; a partner that accepts what it is offered. Timed are two
stretches, each in a fresh run, in turn: until the decision is seen (map, route, reserve, lock), and with labels, until the label's
request is seen (map, route, reserve, assign, accept, label). Out: orders per second of the clock, and per second of
the worker's own processor time: broker, senders, partner and reader share the machine's cores with the worker.
"""

import argparse
import json
import subprocess
import sys
from typing import Final

from bench.harness import FULL, QUICK, ROOT, BenchError, Scale, interleaved, summary
from bench.memory import cpu_seconds
from bench.orders import AT_ONCE, LOCATIONS, VARIANTS, phase, stocked
from bench.world import World

LABEL_RECORDS: Final = 2
"""Of each order on `label-requests`: the request and the resolver's record."""


def run(scale: Scale, *, labels: bool) -> dict[str, float]:
    """One round: all orders at once, by SKU, until the last is decided, or its label asked for."""
    world = World(locations=LOCATIONS, variants=VARIANTS)
    rules = [world.labelled()] if labels else []
    with stocked(scale, world, *rules, *world.aliases()) as (bootstrap, folder, worker, _):
        partner = _partner(bootstrap) if labels else None
        try:
            orders = world.orders(scale.orders, prefix="chain", by_sku=True)
            assert worker.pid is not None
            before = cpu_seconds(worker.pid)
            took = phase(
                bootstrap,
                folder,
                orders,
                AT_ONCE,
                worker,
                shown_on="label-requests" if labels else "routing-decisions",
                records_each=LABEL_RECORDS if labels else 1,
            )
            used = cpu_seconds(worker.pid) - before
        finally:
            if partner is not None:
                partner.kill()
                partner.wait()
    return {"orders_per_s": len(orders) / max(took), "orders_per_worker_cpu_s": len(orders) / used}


def _partner(bootstrap: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "bench.accepting", bootstrap]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    if process.stdout.readline() != "ready\n":
        raise BenchError("the partner did not start")
    return process


def main() -> None:
    """Measure in turn and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.chain", description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one short round: shows that it works, gives no figures")
    scale = QUICK if parser.parse_args().quick else FULL
    contenders = {"decided": lambda: run(scale, labels=False), "labelled": lambda: run(scale, labels=True)}
    results, foreign = interleaved(contenders, scale.rounds, lambda line: print(line, file=sys.stderr))
    figures = {
        name: {figure: summary([found[figure] for found in rounds]) for figure in rounds[0]}
        for name, rounds in results.items()
    }
    print(json.dumps({**figures, "foreign_cores": foreign}, indent=2))


if __name__ == "__main__":
    main()
