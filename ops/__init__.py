"""What runs beside FSN on the machine of a developer: a real Apache Kafka."""
