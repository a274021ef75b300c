"""How a machine takes the network away from a job."""

import os
import subprocess
import sys

import pytest

from emulator.sagemaker.jobs import isolation

CONNECT = "import socket; socket.create_connection(('127.0.0.1', {port}), 2)"


@pytest.mark.parametrize("user", [0, 1000])
def test_what_runs_behind_the_prefix_has_no_network(user: int, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    if os.geteuid() != 0 and user == 0:
        pytest.skip("only root makes a network namespace without one of users")
    monkeypatch.setattr(os, "geteuid", lambda: user)
    isolation.prefix.cache_clear()
    prefix = isolation.prefix()
    isolation.prefix.cache_clear()
    if prefix is None:
        pytest.skip("this machine cannot isolate")
    assert ("-rn" in prefix) == (user != 0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        command = [sys.executable, "-c", CONNECT.format(port=server.getsockname()[1])]
        assert subprocess.run(command, capture_output=True, check=False).returncode == 0
        isolated = subprocess.run([*prefix, *command], capture_output=True, check=False, text=True)
    assert isolated.returncode != 0
    assert "unreachable" in isolated.stderr


def test_a_machine_without_unshare_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    isolation.prefix.cache_clear()
    assert isolation.prefix() is None
    isolation.prefix.cache_clear()
