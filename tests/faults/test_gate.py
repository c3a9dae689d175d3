"""The proxy that stands in for a namespace: open it passes everything, cut off it passes nothing and says nothing."""

import contextlib
import socket
import threading

import pytest

from ops.kafka.gate import Gate


@pytest.fixture
def echo():
    """The port of a server that says everything back."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, args=(server,), daemon=True).start()
        yield server.getsockname()[1]


def serve(server):
    with contextlib.suppress(OSError):
        while True:
            threading.Thread(target=answer, args=(server.accept()[0],), daemon=True).start()


def answer(client):
    with client, contextlib.suppress(OSError):
        while said := client.recv(1024):
            client.sendall(said)


def connected(port):
    client = socket.create_connection(("127.0.0.1", port), timeout=5)
    client.settimeout(0.3)
    return client


def test_open_it_passes_everything(echo):
    with Gate() as gate, connected(gate.port_for("127.0.0.1", echo)) as client:
        client.sendall(b"hello")
        assert client.recv(10) == b"hello"
        assert gate.port_for("127.0.0.1", echo) == client.getpeername()[1]


def test_cut_off_it_holds_what_is_said_on_old_and_new_connections(echo):
    with Gate() as gate, connected(gate.port_for("127.0.0.1", echo)) as old:
        old.sendall(b"1")
        assert old.recv(10) == b"1"
        gate.cut_off()
        with connected(gate.port_for("127.0.0.1", echo)) as new:
            for client in (old, new):
                client.sendall(b"2")
                with pytest.raises(TimeoutError):
                    client.recv(10)
            gate.reconnect()
            assert (old.recv(10), new.recv(10)) == (b"2", b"2")


def test_what_cannot_be_reached_is_hung_up_on():
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with Gate() as gate, connected(gate.port_for("127.0.0.1", port)) as client:
        assert client.recv(10) == b""
