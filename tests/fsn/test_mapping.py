"""`fsn mapping`: a file of aliases, one alias, what waits, what was said; before a worker that maps and routes."""

from pathlib import Path

import msgspec
import pytest

from fsn.aliases import AliasError, read_file
from fsn.mapping import app
from fsn.processes import WorkerProcess
from fsn.world.world import World
from schemas.records.mapping import AliasDefined
from schemas.records.stock import StockReported
from tests.e2e.workers import wait_until

TOPOLOGY = Path(__file__).parents[2] / "topology.yaml"
HEADER = "namespace,sku,variant_id,units_per_pack,version\n"


def aliases(tmp_path, text):
    path = tmp_path / "aliases.csv"
    path.write_text(text, "utf-8")
    return read_file(path, "acme", author="ann", at=7)


def test_a_file_is_read_whole(tmp_path):
    found = aliases(
        tmp_path,
        f"\N{BYTE ORDER MARK}{HEADER}merchant:nord,DRL-200,acme|drill,6,2\n"
        'gtin,4006381333931,acme|saw,,\nmerchant:nord,"A,1",,1,3\n',
    )
    assert found == [
        AliasDefined("acme|merchant:nord|DRL-200", "acme|drill", 6, 2, "ann", 7),
        AliasDefined("acme|gtin|04006381333931", "acme|saw", 1, 1, "ann", 7),
        AliasDefined("acme|merchant:nord|A,1", None, 1, 3, "ann", 7),
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("namespace,sku\n", "has no column variant_id"),
        ("namespace,sku,variant_id,color\n", "a column 'color' that means nothing"),
        (f"{HEADER}shop:nord,A,acme|a,1,1\n", "line 2: namespace 'shop:nord' is none of"),
        (f"{HEADER}gtin,4006381333932,acme|a,1,1\n", "line 2: '4006381333932' is no GTIN"),
        (f"{HEADER}merchant:n,A,acme|a,0,1\n", "line 2: units_per_pack is '0'"),
        (f"{HEADER}merchant:n,A,acme|a,1,x\n", "line 2: version is 'x'"),
        (f"{HEADER}merchant:n,A,acme|a,99999999999,1\n", "line 2: units_per_pack is '99999999999'"),
        (f"{HEADER}merchant:n,A\n", "line 2: it has not as many fields"),
        (f"{HEADER}merchant:n,A,acme|a,1,1,surplus\n", "line 2: it has not as many fields"),
        (f"{HEADER}merchant:n,A,acme|a,1,1\nmerchant:n,A,acme|b,1,1\n", "line 3: acme|merchant:n|A stands in line 2"),
        (f'{HEADER}merchant:n,"A,acme|a,1,1\n', "is no CSV file"),
        (HEADER + "shop:x,A,acme|a,1,1\n" * 25, "and 5 more"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_by_line(tmp_path, text, problem):
    with pytest.raises(AliasError, match=r"nothing was sent|CSV|first line") as raised:
        aliases(tmp_path, text)
    assert problem in str(raised.value)


def test_a_file_that_is_not_there_or_no_text(tmp_path):
    with pytest.raises(AliasError, match="cannot be read"):
        read_file(tmp_path / "none.csv", "acme", author="", at=0)
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(AliasError, match="no CSV file in UTF-8"):
        read_file(tmp_path / "bytes.csv", "acme", author="", at=0)


@pytest.fixture
def desk(open_desk):
    return open_desk(app)


@pytest.fixture
def world(desk):
    made = World(3, orders=2, deltas=100, hours=3)
    made.keys.write(desk.keys)
    desk.publish(*made.network.keyed())
    return made


@pytest.fixture
def worker(desk, world, tmp_path):
    with WorkerProcess(
        topology=TOPOLOGY,
        log_path=tmp_path / "worker.log",
        brokers=desk.brokers,
        state_dir=tmp_path / "state",
        keys=desk.keys,
    ) as running:
        running.wait_until_ready()
        yield running


@pytest.mark.timeout(240)
@pytest.mark.usefixtures("worker")
def test_orders_and_reports_wait_for_their_aliases_and_go_on(desk, world, tmp_path):
    tenant, variant_id = world.keys.owners[0], world.network.variants[0].variant_id
    placed = world.orders[0].placed
    merchant = placed.merchant_id.partition("|")[2]
    line = msgspec.structs.replace(placed.lines[0], variant_id=None, namespace=f"merchant:{merchant}", sku="NEW-1")
    order = msgspec.structs.replace(placed, lines=(line,), fixed_location_id=None)
    desk.send("orders", order.order_id, order, placed.merchant_id)
    feed = next(feed for feed in world.network.feeds if feed.sequences == "monotonic")
    first = StockReported(feed.feed_id, feed.location_id, "OWN-1", False, 1, None, 3, "receipt", None, 1)
    desk.send("stock-reports", f"{feed.feed_id}|OWN-1", first, feed.partner_id)

    ours = f"{tenant}|merchant:{merchant}|NEW-1"
    theirs = f"{tenant}|partner:{feed.partner_id.partition('|')[2]}|OWN-1"
    wait_until(lambda: all(alias_id in desk("queue") for alias_id in (ours, theirs)))
    assert "is not known" in desk("define", ours, f"{tenant}|nothing", fails=True)
    desk("define", ours, variant_id, "--author", "ann")
    desk("define", theirs, variant_id, "--units", "4")
    wait_until(lambda: "ann" in desk("show", ours))
    assert "0 SKUs wait" in desk("queue")
    wait_until(lambda: [one for one in desk.records("order-status") if one.status == "waiting"])
    wait_until(lambda: any(one.kind == "COUNT_WANTED" for one in desk.records("review-queue")))
    count = msgspec.structs.replace(first, counted=True, sequence=2, quantity=5, reason="")
    desk.send("stock-reports", f"{feed.feed_id}|OWN-1", count, feed.partner_id)
    wait_until(lambda: any(one.on_hand == 20 for one in desk.records("stock-snapshots")))

    path = tmp_path / "many.csv"
    rows = "".join(f"merchant:{merchant},M-{number},{variant_id},1,1\n" for number in range(2_500))
    path.write_text(HEADER + rows, "utf-8")
    assert "2,500 aliases sent" in desk("import", str(path), "--tenant", tenant)
    assert "2,500 aliases sent" in desk("import", str(path), "--tenant", tenant)
    wait_until(lambda: len(desk.records("mappings")) >= 2_502)
    assert len(desk.records("mappings")) == 2_502
    assert desk.records("dead-letters") == []
    stranger = ("import", str(path), "--tenant", tenant, "--signer", "acme|nobody")
    assert "no key of acme|nobody" in desk(*stranger, fails=True)
    assert "was never defined" in desk("show", f"{tenant}|gtin|1", fails=True)
