"""One worker over the shipped topology, told by FSN_… variables; `bench.harness.Worker` starts it."""

from bench.harness import topology
from streams.app import run_worker
from streams.settings import read_settings

if __name__ == "__main__":
    run_worker(topology(), read_settings())
