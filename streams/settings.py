"""A worker's settings, from the environment (`FSN_…`) or by keyword; wrong ones fail at start, by name."""

from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from streams.errors import ConfigurationError
from streams.security import ClientSettings, parse

METADATA_MAX_AGE_MS: Final = 30_000
"""Whoever missed that a partition has another leader hears of it then; at 5 min workers once stood still as long."""
METADATA: Final = {"topic.metadata.refresh.interval.ms": METADATA_MAX_AGE_MS}


class Settings(BaseSettings):
    """Everything a worker is told besides its topology.

    brokers: bootstrap servers, `host:port,host:port`
    state_dir: where local stores live
    membership: static members (a fixed instance id) or dynamic ones; static with the embedded broker
    instance_id: this worker's name among static members
    session_timeout_s: how long the group waits for a silent member
    transaction_timeout_s: after which a broker ends a transaction that nobody ended, longer than any outage and at most
        the broker's `transaction.max.timeout.ms` (decision 15); a task's successor ends it at once
    web_port: metrics, health and schemas; 0 turns the web server off
    keys: file of signing keys; without it no signature is checked, which the log says loudly
    dead_letter_key: 32 bytes in hex; encrypts dead letters
    schema_registry: URL of a Confluent schema registry whose ids records travel under; without it, the bundled ids
    security: how every client authenticates (`security.protocol=…;sasl.…`, or `@file`); see streams/security.py
    log_format: json or text
    fault_point: step:count at which this process kills itself; for the fault suite only (streams/faults.py)
    """

    model_config = SettingsConfigDict(env_prefix="FSN_", frozen=True, extra="forbid", hide_input_in_errors=True)

    brokers: str = "127.0.0.1:9092"
    state_dir: Path = Path(".fsn/state")
    membership: Literal["static", "dynamic"] = "static"
    instance_id: str = "worker-1"
    session_timeout_s: float = Field(default=6.0, ge=1.0, le=300.0)
    transaction_timeout_s: int = Field(default=900, ge=1)
    web_port: int = Field(default=6066, ge=0, le=65535)
    keys: Path | None = None
    dead_letter_key: str | None = Field(default=None, repr=False)
    schema_registry: str | None = None
    security: SecretStr = SecretStr("")
    log_format: Literal["json", "text"] = "json"
    fault_point: str = ""

    @field_validator("dead_letter_key")
    @classmethod
    def _is_key(cls, value: str | None) -> str | None:
        if value is not None and len(bytes.fromhex(value)) != 32:
            raise ValueError("must be 32 bytes in hex")
        return value

    @field_validator("schema_registry")
    @classmethod
    def _is_url(cls, value: str | None) -> str | None:
        """Several may be given, separated by commas; an empty variable is none."""
        for part in (value or "").split(","):
            url = urlsplit(part.strip())
            if value and (url.scheme not in {"http", "https"} or not url.hostname):
                raise ValueError("must be a URL such as http://registry:8081")
        return value or None

    @field_validator("security")
    @classmethod
    def _is_security(cls, value: SecretStr) -> SecretStr:
        parse(value.get_secret_value())
        return value

    def client(self) -> ClientSettings:
        """librdkafka settings common to every client."""
        security = parse(self.security.get_secret_value())
        return ClientSettings({"bootstrap.servers": self.brokers, "log_level": 3, **METADATA, **security})


def read_settings(**overrides: Any) -> Settings:
    """Settings with these overrides; names the variable when one is wrong."""
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})
    except ValidationError as error:
        problems = "; ".join(
            f"FSN_{'_'.join(map(str, problem['loc'])).upper()}: {problem['msg']}" for problem in error.errors()
        )
        raise ConfigurationError(problems) from error
