"""Partition p of every topic goes to one member: balanced, sticky, whatever the subscriptions."""

from types import SimpleNamespace

from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from hypothesis import given
from hypothesis import strategies as st

from streams.assignor import TaskAssignor, assign_numbers

members = st.dictionaries(
    st.sampled_from([f"member-{letter}" for letter in "abcdef"]), st.lists(st.integers(0, 15), max_size=16), min_size=1
)


@given(st.integers(1, 16), members)
def test_every_number_goes_to_exactly_one_member_in_fair_shares(partitions, owned):
    plan = assign_numbers(partitions, owned)
    assert sorted(number for numbers in plan.values() for number in numbers) == list(range(partitions))
    sizes = [len(numbers) for numbers in plan.values()]
    assert max(sizes) - min(sizes) <= 1


@given(st.integers(1, 16), members)
def test_the_plan_does_not_depend_on_the_order_of_members(partitions, owned):
    assert assign_numbers(partitions, owned) == assign_numbers(partitions, dict(reversed(list(owned.items()))))


@given(st.integers(1, 16), members)
def test_a_settled_plan_stays(partitions, owned):
    plan = assign_numbers(partitions, owned)
    assert assign_numbers(partitions, plan) == plan


@given(st.integers(2, 16), st.integers(2, 5))
def test_when_a_member_leaves_the_others_keep_what_they_had(partitions, count):
    plan = assign_numbers(partitions, {f"m{number}": [] for number in range(count)})
    gone = plan.pop("m0")
    after = assign_numbers(partitions, plan)
    moved = sum(len(set(after[name]) - set(had)) for name, had in plan.items())
    assert moved == len(gone)


def assignor(**counts):
    made = TaskAssignor(app=None)
    made.partitions = 4
    cluster = SimpleNamespace(partitions_for_topic=lambda topic: set(range(counts[topic])))
    return made, cluster


def tps(assignment):
    return {(topic, number) for topic, numbers in assignment.assignment for number in numbers}


def test_a_rolling_upgrade_that_adds_a_topic_never_splits_a_number():
    """The old worker does not subscribe the new topic: nobody reads it for the old worker's numbers yet."""
    made, cluster = assignor(orders=4, returns=4)
    old, new = made.metadata(["orders"]), made.metadata(["orders", "returns"])
    plan = {name: tps(assignment) for name, assignment in made.assign(cluster, {"old": old, "new": new}).items()}
    for name, mine in plan.items():
        numbers = {number for _, number in mine}
        others = {number for other, theirs in plan.items() if other != name for _, number in theirs}
        assert not numbers & others
    assert {number for topic, number in plan["new"] if topic == "returns"} == {
        number for topic, number in plan["new"] if topic == "orders"
    }


def test_the_leader_topic_goes_with_number_zero():
    made, cluster = assignor(orders=4, fsn__leader=1)
    subscribed = made.metadata(["orders", "fsn__leader"])
    plan = made.assign(cluster, {"a": subscribed, "b": subscribed})
    (leader,) = [name for name, assignment in plan.items() if ("fsn__leader", 0) in tps(assignment)]
    assert ("orders", 0) in tps(plan[leader])


def rejoined(made, plan, topics, member):
    """The same member as another process: it subscribes these topics and is given the plan of before."""
    again = TaskAssignor(app=None)
    word = again.metadata(topics)
    return again, word, again.is_outdated(plan[member])


def test_a_plan_made_for_other_topics_is_outdated_and_asked_for_in_other_words():
    """Kafka gives a static member that is back in time its old assignment, whatever it subscribes now."""
    made, cluster = assignor(orders=4, returns=4)
    plan = made.assign(cluster, {"a": made.metadata(["orders"]), "b": made.metadata(["orders"])})
    _, _, outdated = rejoined(made, plan, ["orders"], "a")
    assert not outdated
    for topics in (["orders", "returns"], ["returns"]):
        upgraded, word, outdated = rejoined(made, plan, topics, "a")
        assert outdated
        assert upgraded.metadata(topics).user_data != word.user_data
        anew = made.assign(cluster, {"a": upgraded.metadata(topics), "b": made.metadata(["orders"])})
        assert not upgraded.is_outdated(anew["a"])


def test_a_plan_of_a_leader_that_does_not_say_for_which_topics_is_taken():
    made, cluster = assignor(orders=4)
    word = made.metadata(["orders"])
    plan = made.assign(cluster, {"a": word})["a"]
    assert not made.is_outdated(ConsumerProtocolMemberAssignment(plan.version, plan.assignment, word.user_data))
    assert not made.is_outdated(ConsumerProtocolMemberAssignment(plan.version, plan.assignment, b""))
