"""FSN_SECURITY reaches both client libraries and Faust alike, and shows its password to nobody."""

import re

import pytest
from cryptography import x509
from faust.types.auth import AuthProtocol, SASLMechanism

from ops.kafka.certificates import Authority
from streams.errors import ConfigurationError
from streams.security import aiokafka_security, parse
from streams.settings import METADATA, read_settings
from streams.transport import broker_credentials

SCRAM = "security.protocol=SASL_SSL;sasl.mechanism=SCRAM-SHA-512;sasl.username=worker;sasl.password=hush=hush"


@pytest.fixture
def ca(tmp_path):
    return Authority(tmp_path).path


def client(text):
    return read_settings(security=text, brokers="h:1").client()


def test_nothing_said_is_plain_text_for_all():
    assert client("") == {"bootstrap.servers": "h:1", "log_level": 3, **METADATA}
    assert aiokafka_security(client("")) == {"security_protocol": "PLAINTEXT"}
    assert broker_credentials(client("")) is None


def test_the_same_words_reach_librdkafka_aiokafka_and_faust(ca):
    said = client(f"{SCRAM};ssl.ca.location={ca}")
    assert (said["sasl.username"], said["sasl.password"]) == ("worker", "hush=hush")
    words, faust = aiokafka_security(said), broker_credentials(said)
    assert (words["security_protocol"], words["sasl_mechanism"]) == ("SASL_SSL", "SCRAM-SHA-512")
    assert (words["sasl_plain_username"], words["sasl_plain_password"]) == ("worker", "hush=hush")
    assert (faust.protocol, faust.mechanism) == (AuthProtocol.SASL_SSL, SASLMechanism.SCRAM_SHA_512)
    assert (faust.username, faust.password) == ("worker", "hush=hush")
    for context in (words["ssl_context"], faust.ssl_context):
        assert context.check_hostname
        serial_number = int(context.get_ca_certs()[0]["serialNumber"], 16)
        assert serial_number == x509.load_pem_x509_certificate(ca.read_bytes()).serial_number


def test_certificates_alone_are_ssl(ca):
    faust = broker_credentials(client(f"security.protocol=ssl;ssl.ca.location={ca}"))
    assert faust.protocol is AuthProtocol.SSL


def test_a_password_in_a_file_is_taken_as_it_stands(tmp_path):
    file = tmp_path / "security"
    file.write_text(
        "# of the worker\nsecurity.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\n\nsasl.username=w\nsasl.password= a;b=c#d \n"
    )
    assert parse(f"@{file}")["sasl.password"] == " a;b=c#d "


WRONG = [
    ("security.protocol=TLS", "security.protocol is one of PLAINTEXT, SSL"),
    ("sasl.user=x;sasl.password=hush", "pair 1 .* did you mean sasl.username"),
    (f"{SCRAM};tail=of", r"pair 5 is no name=value of ours; .* A value that holds ; goes into a file: FSN_SECURITY=@path"),
    (f"{SCRAM};tail", "pair 5 is no name=value of ours"),
    (f"{SCRAM};sasl.username=other", "sasl.username is given twice"),
    ("security.protocol=SASL_SSL;sasl.mechanism=PLAIN;sasl.username=w", "SASL_SSL needs sasl.password"),
    ("sasl.password=hush", "sasl.password is given, and security.protocol is PLAINTEXT"),
    (SCRAM.replace("SHA-512", "MD5"), "sasl.mechanism is one of PLAIN, SCRAM-SHA-256"),
    ("security.protocol=SASL_PLAINTEXT;sasl.mechanism=PLAIN;sasl.username=w;sasl.password=hush;ssl.key.password=hush", "certificates are given"),
    ("security.protocol=SSL;ssl.ca.location=nowhere.pem", "ssl.ca.location: there is no file nowhere.pem"),
    ("@nowhere", "nowhere: No such file"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "problem"), WRONG)
def test_what_would_protect_only_some_connections_is_refused_without_a_secret(text, problem):
    with pytest.raises(ConfigurationError, match=f"FSN_SECURITY: .*{problem}") as refused:
        read_settings(security=text)
    assert not re.search("hush|tail", str(refused.value) + str(refused.value.__cause__))


def test_no_secret_is_shown():
    settings = read_settings(security=SCRAM.replace("SASL_SSL", "SASL_PLAINTEXT"), dead_letter_key="ab" * 32)
    shown = f"{settings!r} {settings} {settings.client()!r} {broker_credentials(settings.client())!r}"
    assert "hush" not in shown
    assert "abab" not in shown
