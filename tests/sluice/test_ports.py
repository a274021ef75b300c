"""Ports for servers, apart from those of connections."""

import random
import socket

import pytest

from sluice import ports
from sluice.errors import SluiceError


def test_a_port_is_free_and_no_connection_is_given_it() -> None:
    port = ports.free()
    assert ports.LOWEST <= port < ports._ephemeral()
    with socket.socket() as server:
        server.bind(("127.0.0.1", port))
        server.listen()
        with socket.create_connection(server.getsockname()) as connection:
            assert connection.getsockname()[1] >= ports._ephemeral()


def test_a_taken_port_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", ports.free()))
        taken.listen()
        number = taken.getsockname()[1]
        drawn = iter((number, number + 1, number + 2, number + 3))
        monkeypatch.setattr(random, "randrange", lambda *_: next(drawn))
        assert ports.free() > number


def test_none_is_an_error_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", ports.free()))
        taken.listen()
        monkeypatch.setattr(random, "randrange", lambda *_: taken.getsockname()[1])
        with pytest.raises(SluiceError, match="no free port"):
            ports.free()
