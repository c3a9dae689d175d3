"""A command line before a broker: one of `fsn`'s commands, what lies on the topics, and records in their owners' names."""

from typer.testing import CliRunner

from fsn.declaration import load_topology
from streams.signatures import KeyRing
from tests.e2e.workers import CODEC, producer, read_committed

TOPOLOGY = load_topology()


class Desk:
    """desk("queue", …) runs the command; with `fails` it must end badly, and says how."""

    def __init__(self, app, brokers, keys):
        self.app, self.brokers, self.keys = app, brokers, keys

    def __call__(self, *arguments, fails=False):
        env = {"FSN_BROKERS": self.brokers, "FSN_KEYS": str(self.keys), "COLUMNS": "220"}
        result = CliRunner().invoke(self.app, list(arguments), env=env)
        assert (result.exit_code != 0) is fails, result.output
        return f"{result.exception} {result.output}" if fails else result.output

    def records(self, topic, kind=object):
        messages = read_committed(self.brokers, topic, TOPOLOGY.topics[topic].partitions)
        records = [CODEC.decode(message.value()) for message in messages if message.value()]
        return [record for record in records if isinstance(record, kind)]

    def send(self, topic, key, record, owner):
        """A record in its owner's name."""
        ring, value, client = KeyRing.load(self.keys), CODEC.encode(record), producer(self.brokers)
        client.produce(topic, value, key, headers=ring.sign(ring.key_of(owner), topic, key.encode(), value))
        assert client.flush(30) == 0

    def publish(self, *keyed):
        """(key, record) of reference data, in order."""
        client = producer(self.brokers)
        for entity_id, record in keyed:
            client.produce("network", CODEC.encode(record), entity_id, 0)
        assert client.flush(30) == 0
