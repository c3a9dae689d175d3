"""The true worker on a real broker that wants TLS, SCRAM and permissions: with its own it works, without one it says so."""

import re
import time

import pytest

from fsn.processes import WorkerProcess
from ops.kafka.certificates import Authority
from schemas.topology import load
from streams.acls import acls
from tests.e2e.workers import CODEC, delta, producer, read_committed

TALLY = "tests/streams/tally.yaml"

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def cluster(secured):
    with secured.prepared(TALLY):
        yield secured


@pytest.fixture
def worker(cluster, tmp_path):
    made = WorkerProcess(
        topology=TALLY,
        log_path=tmp_path / "worker.log",
        brokers=cluster.bootstrap,
        state_dir=tmp_path,
        log_format="text",
        security=cluster.security("worker"),
    )
    made.start()
    yield made
    made.kill()


def test_a_worker_with_its_role_alone_processes_what_upstream_sends(cluster, worker):
    upstream = producer(cluster.bootstrap, **cluster.client_settings("upstream"))
    for number in range(1_000):
        record = delta(number, f"acme|v{number % 50}")
        upstream.produce("stock-deltas", CODEC.encode(record), record.variant_id, timestamp=1_700_000_000_000)
    upstream.flush()
    worker.wait_until_ready()
    reader = cluster.client_settings("read-model") | {"group.id": "tally-read-model-1"}
    shown, deadline = {}, time.monotonic() + 60
    while sum(shown.values()) < 1_000 and time.monotonic() < deadline:
        for message in read_committed(cluster.bootstrap, "stock-snapshots", **reader):
            snapshot = CODEC.decode(message.value())
            shown[snapshot.location_id] = snapshot.on_hand
    assert shown == {f"acme|v{number}": 20 for number in range(50)}
    assert worker.stop() == 0
    text = worker.log_path.read_text()
    assert "WARNING" not in text.replace("FSN_KEYS", "")
    assert cluster.client_settings("worker")["sasl.password"] not in text


def test_the_password_is_wrong(cluster, refusal):
    said = refusal(cluster.bootstrap, security=cluster.security("worker", password="guessed"))
    assert re.search(r"refused our credentials \(.*invalid credentials.*\): mend sasl.mechanism, sasl.username", said)
    assert "guessed" not in said


def test_the_authority_is_another(cluster, refusal, tmp_path):
    said = refusal(cluster.bootstrap, security=cluster.security("worker", ca=Authority(tmp_path).path))
    assert re.search(r"TLS with .* failed \(.*certificate verify failed.*\): mend ssl.ca.location", said)


def test_the_broker_wants_tls(cluster, refusal):
    said = refusal(cluster.bootstrap)
    assert re.search(r"no broker answers at .*; where it wants TLS, FSN_SECURITY", said)


@pytest.mark.parametrize(
    "right",
    [
        "READ topic stock-deltas",
        "WRITE topic stock-snapshots",
        "READ topic changelog",
        "READ topic tally-__assignor-__leader",
        "READ group tally",
        "WRITE transactional-id fsn-tally-*",
    ],
)
def test_a_permission_is_missing(cluster, refusal, right):
    with cluster.without(acls(load(TALLY)), f"User:worker {right}"):
        said = refusal(cluster.bootstrap, security=cluster.security("worker"))
    assert f"worker of FSN_SECURITY may not {right} on {cluster.bootstrap}: run `fsn topology acls --apply`" in said


def test_every_permission_is_missing(cluster, refusal):
    said = refusal(cluster.bootstrap, security=cluster.security("auditor"))
    assert "auditor of FSN_SECURITY may not READ topic stock-deltas, " in said
    assert re.search(r"and \d+ more on ", said)
