"""The first words with a broker: an AdminClient that has been answered, or why not, soon and in one sentence.

librdkafka tries again for ever, also where no trial can help; here a refused password or certificate ends it at once,
and silence after eight seconds. What is named is what must be mended: the address, the certificate, or the password.
"""

import time
from collections.abc import Mapping
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ClusterMetadata

from streams.errors import ConfigurationError

PATIENCE_S: Final = 8.0
_TRY_S: Final = 1.0


def connect(client: Mapping[str, Any]) -> tuple[AdminClient, ClusterMetadata]:
    """A client, and what its broker said of the cluster."""
    heard: list[KafkaError] = []
    try:
        admin = AdminClient({**client, "error_cb": heard.append})
    except KafkaException as error:
        raise ConfigurationError(f"FSN_SECURITY cannot be used: {_said(error.args[0])}") from error
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return admin, admin.list_topics(timeout=min(_TRY_S, PATIENCE_S))
        except KafkaException as error:
            admin.poll(0)
            _give_up_if_hopeless(client["bootstrap.servers"], heard)
            if time.monotonic() >= deadline:
                raise ConfigurationError(_silence(client["bootstrap.servers"], heard)) from error


def _give_up_if_hopeless(brokers: str, heard: list[KafkaError]) -> None:
    for error in heard:
        if error.code() == KafkaError._SSL:
            raise ConfigurationError(
                f"TLS with {brokers} failed ({_said(error)}): mend ssl.ca.location in FSN_SECURITY, or the name in the "
                "broker's certificate"
            )
        if error.code() == KafkaError._AUTHENTICATION:
            raise ConfigurationError(
                f"{brokers} refused our credentials ({_said(error)}): mend sasl.mechanism, sasl.username and "
                "sasl.password in FSN_SECURITY"
            )


def _silence(brokers: str, heard: list[KafkaError]) -> str:
    reasons = [_said(error) for error in heard if error.code() != KafkaError._ALL_BROKERS_DOWN]
    why = reasons[-1] if reasons else f"silence for {PATIENCE_S:.0f} s"
    return f"no broker answers at {brokers} ({why}): start it, or mend FSN_BROKERS; where it wants TLS, FSN_SECURITY"


def _said(error: KafkaError) -> str:
    """librdkafka's sentence without the thread and address it begins with."""
    return str(error.str()).rpartition("]: ")[2]
