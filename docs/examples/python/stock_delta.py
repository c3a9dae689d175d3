"""Writes one signed stock delta with CloudEvents headers, by confluent-kafka[avro,schemaregistry]."""

import hmac
import os
import time
import uuid

from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient, topic_record_subject_name_strategy
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

TOPIC, KEY, EVENT_ID = "stock-deltas", "acme|drill_18v", str(uuid.uuid4())
delta = {"feed_id": "acme|depot|berlin|wms", "location_id": "acme|berlin", "variant_id": KEY, "sku": "DRILL-18V"}
delta |= {"idempotency_key": EVENT_ID, "quantity": 1, "reason": "receipt", "occurred_at": int(time.time() * 1000)}

registry = SchemaRegistryClient({"url": os.environ["FSN_REGISTRY"]})  # a worker's web port
schema = registry.get_latest_version("stock-deltas-fsn.stock.StockDelta").schema.schema_str
by_record = {"auto.register.schemas": False, "subject.name.strategy": topic_record_subject_name_strategy}
value = AvroSerializer(registry, schema, conf=by_record)(delta, SerializationContext(TOPIC, MessageField.VALUE))

secret = bytes.fromhex(os.environ["FSN_SECRET"])
headers = {
    "fsn-key-id": os.environ["FSN_KEY_ID"],
    "fsn-signature": hmac.digest(secret, b"|".join((TOPIC.encode(), KEY.encode(), value)), "sha256"),
    "ce_specversion": "1.0",
    "ce_id": EVENT_ID,
    "ce_source": "/acme/depot/wms",
    "ce_type": "fsn.stock.StockDelta",
    "content-type": "application/avro",
}
producer = Producer({"bootstrap.servers": os.environ["FSN_BROKERS"], "partitioner": "murmur2_random"})
producer.produce(TOPIC, value, KEY, headers=headers)
if producer.flush(30):
    raise SystemExit("no broker has taken the record")
