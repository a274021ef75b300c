"""A whole emulator on a free port, in a folder of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from sluice import paths

SESSION = boto3.Session()
"""One for all emulators, because a session keeps the service models that it has parsed."""


@dataclass(frozen=True)
class Emulator:
    """A running emulator."""

    endpoint_url: str
    local: Path
    """The folder that stands for `.local`; the data folder is `emulator` in it."""
    process: "subprocess.Popen[str]"
    _clients: dict[Any, Any] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        return self.local / "emulator"

    def client(self, service: str, **config: Any) -> Any:
        """A boto3 client that goes to this emulator and does not repeat calls. It is made once."""
        key = (service, repr(sorted(config.items())))
        if key not in self._clients:
            self._clients[key] = SESSION.client(
                service,
                region_name="us-east-1",
                endpoint_url=self.endpoint_url,
                aws_access_key_id="test",
                aws_secret_access_key="test",
                config=Config(**{"retries": {"total_max_attempts": 1}, "max_pool_connections": 64, **config}),
            )
        return self._clients[key]


def start_emulator(local: Path, environment: Mapping[str, str] = {}) -> Emulator:
    """Start one with `local` as its `.local`; the caller stops it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "emulator", "--port", "0"],
        env={**os.environ, "SLUICE_LOCAL": str(local), **environment},
        cwd=paths.ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    ready = local / "emulator" / "emulator.json"
    deadline = time.monotonic() + 180
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise AssertionError(f"the emulator did not start: {process.communicate()[0]}")
        time.sleep(0.02)
    return Emulator(json.loads(ready.read_text())["endpoint_url"], local, process)


def stop_emulator(emulator: Emulator) -> None:
    """SIGTERM, and wait until it is gone."""
    emulator.process.send_signal(signal.SIGTERM)
    try:
        emulator.process.communicate(timeout=180)
    except subprocess.TimeoutExpired:
        emulator.process.kill()
        emulator.process.communicate()


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """One for all tests of a file."""
    running = start_emulator(tmp_path_factory.mktemp("local"))
    yield running
    stop_emulator(running)
