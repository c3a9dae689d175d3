"""FSN_SECURITY: how every client proves who it is and knows its broker, said once in librdkafka's names.

In: `name=value` pairs separated by `;`, or `@path` of a file with one pair a line; there a value is taken as it stands,
so that a password may hold `;`, `#` or blanks. Out: librdkafka's settings, and the same in aiokafka's words. Refused: a
name that one of the two libraries does not know, for it would protect some connections and not others; credentials
that the protocol would not use; files that are not there. No message repeats a value: one of them is a password.
"""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from aiokafka.helpers import create_ssl_context

PROTOCOL: Final = "security.protocol"
PROTOCOLS: Final = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
SASL: Final = ("sasl.mechanism", "sasl.username", "sasl.password")
FILES: Final = ("ssl.ca.location", "ssl.certificate.location", "ssl.key.location")
NAMES: Final = (PROTOCOL, *SASL, *FILES, "ssl.key.password")
LIBRDKAFKA_ONLY: Final = ("debug", "log_level")
"""What librdkafka says of itself; aiokafka has Python's logging for that."""
SECRET: Final = ("sasl.password", "ssl.key.password")


class ClientSettings(dict[str, Any]):
    """librdkafka settings that show no secret when they are printed."""

    def __repr__(self) -> str:
        return repr({name: "…" if name in SECRET else value for name, value in self.items()})


def parse(text: str) -> dict[str, str]:
    """The settings that FSN_SECURITY says; ValueError names what is wrong, never a value."""
    pairs = _file_lines(Path(text[1:])) if text.startswith("@") else [pair for pair in text.split(";") if pair.strip()]
    settings: dict[str, str] = {}
    for number, pair in enumerate(pairs, 1):
        name, equals, value = pair.partition("=")
        name = name.strip()
        if not equals or name not in (*NAMES, *LIBRDKAFKA_ONLY):
            raise ValueError(_unknown(number, name if equals else ""))
        if name in settings:
            raise ValueError(f"{name} is given twice: remove one")
        settings[name] = value
    _check(settings)
    return settings


def aiokafka_security(client: Mapping[str, Any]) -> dict[str, Any]:
    """aiokafka's words for librdkafka's settings; OSError when a certificate cannot be read."""
    protocol = client.get(PROTOCOL, "PLAINTEXT").upper()
    words: dict[str, Any] = {"security_protocol": protocol}
    if "SASL" in protocol:
        words |= {
            "sasl_mechanism": client["sasl.mechanism"],
            "sasl_plain_username": client["sasl.username"],
            "sasl_plain_password": client["sasl.password"],
        }
    if "SSL" in protocol:
        words["ssl_context"] = create_ssl_context(
            cafile=client.get("ssl.ca.location"),
            certfile=client.get("ssl.certificate.location"),
            keyfile=client.get("ssl.key.location"),
            password=client.get("ssl.key.password"),
        )
    return words


def _file_lines(path: Path) -> list[str]:
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}: name an existing file behind the @") from error
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


def _unknown(number: int, name: str) -> str:
    """What is said of a pair that is none of ours: it may be the tail of a password, so only near misses are shown."""
    close = difflib.get_close_matches(name, NAMES, n=1, cutoff=0.8)
    hint = f"did you mean {close[0]}?" if close else f"known names are {', '.join(NAMES)}"
    return f"pair {number} is no name=value of ours; {hint} A value that holds ; goes into a file: FSN_SECURITY=@path"


def _check(settings: dict[str, str]) -> None:
    protocol = settings.get(PROTOCOL, "PLAINTEXT").upper()
    if protocol not in PROTOCOLS:
        raise ValueError(f"{PROTOCOL} is one of {', '.join(PROTOCOLS)}")
    if PROTOCOL in settings:
        settings[PROTOCOL] = protocol
    given = [name for name in SASL if settings.get(name)]
    if "SASL" in protocol and len(given) < len(SASL):
        missing = next(name for name in SASL if name not in given)
        raise ValueError(f"{PROTOCOL}={protocol} needs {missing}: add it")
    if "SASL" not in protocol and given:
        raise ValueError(f"{given[0]} is given, and {PROTOCOL} is {protocol}, which would not use it: say SASL_SSL")
    if "SASL" in protocol and settings["sasl.mechanism"] not in MECHANISMS:
        raise ValueError(f"sasl.mechanism is one of {', '.join(MECHANISMS)}")
    if "SSL" not in protocol and any(name.startswith("ssl.") for name in settings):
        raise ValueError(
            f"certificates are given, and {PROTOCOL} is {protocol}, which would not use them: say SASL_SSL"
        )
    for name in FILES:
        if name in settings and not Path(settings[name]).is_file():
            raise ValueError(f"{name}: there is no file {settings[name]}")
