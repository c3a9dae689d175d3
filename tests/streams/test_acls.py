"""Who may do what follows from the topology, and from nothing else."""

from pathlib import Path

import pytest

from schemas.topology import load
from streams.acls import ROLES, Acl, acls, principals_of
from streams.errors import ConfigurationError

TOPOLOGY = load(Path(__file__).parents[2] / "topology.yaml")
ALL = acls(TOPOLOGY)


def of(role):
    return [str(acl).removeprefix(f"User:{role} ") for acl in ALL if acl.principal == f"User:{role}"]


def test_nobody_but_workers_comes_near_an_internal_topic():
    internal = {topic.name for topic in TOPOLOGY.topics.values() if topic.internal}
    assert {acl.principal for acl in ALL if acl.name in internal} == {"User:worker"}


def test_upstream_writes_signed_topics_and_reads_nothing():
    assert all(right.startswith("WRITE topic ") for right in of("upstream"))
    assert {TOPOLOGY.topics[right.split()[-1]].signed for right in of("upstream")} == {"required"}


def test_a_worker_has_its_group_its_transactions_and_the_leader_topic():
    assert of("worker")[-3:] == [
        "READ topic fsn-__assignor-__leader",
        "READ group fsn",
        "WRITE transactional-id fsn-fsn-*",
    ]
    assert "WRITE topic network" not in of("worker")


def test_operators_say_what_the_network_is_and_send_dead_letters_again():
    assert {"WRITE topic network", "READ topic dead-letters", "WRITE topic dead-letters"} <= set(of("operator"))
    assert {"READ group fsn-operator*", "WRITE transactional-id fsn-fsn-dlq"} <= set(of("operator"))


def test_auditors_and_read_models_write_nothing():
    assert not [right for right in of("auditor") + of("read-model") if not right.startswith("READ ")]


def test_one_principal_may_play_two_roles():
    principals = principals_of(["auditor=User:CN=eve,O=acme", "read-model=User:CN=eve,O=acme"])
    found = acls(TOPOLOGY, principals)
    assert found.count(Acl("User:CN=eve,O=acme", "READ", "topic", "ledger-entries")) == 1
    assert {acl.principal for acl in found} == {"User:CN=eve,O=acme"} | {
        f"User:{role}" for role in ROLES if role not in {"auditor", "read-model"}
    }


@pytest.mark.parametrize("word", ["cook=User:x", "worker", "worker=x", "worker=Group:x"])
def test_a_principal_is_named_as_kafka_names_it(word):
    with pytest.raises(ConfigurationError, match="say role=User:name, with a role of worker, upstream"):
        principals_of([word])
