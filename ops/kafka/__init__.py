"""Apache Kafka on loopback, resolved by Maven: for the fault suite and the published figures."""
