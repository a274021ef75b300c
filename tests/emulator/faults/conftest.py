"""Faults in an emulator of this process, and in a running one."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from emulator import faults
from tests.emulator import inprocess
from tests.emulator.conftest import Emulator
from tests.emulator.endpoints.world import World


class InProcess:
    """moto with our services and faults in it."""

    def __init__(self, world: inprocess.World) -> None:
        self.world = world
        self.client = world.client
        self._api = Client(world.context.api)

    def ask(self, method: str, path: str = "", body: Any = None) -> tuple[int, Any]:
        answer = self._api.open(f"/_sluice/faults{path}", method=method, json=body)
        return answer.status_code, answer.get_json()

    def inject(self, kind: str, **what: Any) -> Mapping[str, Any]:
        status, answer = self.ask("POST", "", {"kind": kind, **what})
        assert status == 200, answer
        return dict(answer)

    def end(self, fault: Mapping[str, Any]) -> Mapping[str, Any]:
        status, answer = self.ask("DELETE", f"/{fault['fault']}")
        assert status == 200, answer
        return dict(answer)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[InProcess]:
    with inprocess.world(tmp_path) as world:
        faults.install(world.context)
        yield InProcess(world)
        world.context.faults.end_all()


class Running:
    """A running emulator, and the command."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator

    def inject(self, kind: str, **what: Any) -> dict[str, Any]:
        return self._ask("POST", "", {"kind": kind, **what})

    def refused(self, kind: str, **what: Any) -> str:
        """Why it is refused."""
        with pytest.raises(urllib.error.HTTPError) as error:
            self.inject(kind, **what)
        assert error.value.code == 400
        return str(json.load(error.value)["error"])

    def end(self, fault: Mapping[str, Any]) -> dict[str, Any]:
        return self._ask("DELETE", f"/{fault['fault']}")

    def seen(self, fault: Mapping[str, Any]) -> int:
        """How many calls a fault has looked at."""
        listed = self._ask("GET", "")["faults"]
        return next(int(each["seen"]) for each in listed if each["fault"] == fault["fault"])

    def end_all(self) -> None:
        self._ask("DELETE", "")

    def _ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        request = urllib.request.Request(
            f"{self.emulator.endpoint_url}/_sluice/faults{path}",
            data=None if body is None else json.dumps(body).encode(),
            method=method,
        )
        with urllib.request.urlopen(request) as answer:
            found: dict[str, Any] = json.load(answer)
            return found


@pytest.fixture
def running(emulator: Emulator) -> Iterator[Running]:
    made = Running(emulator)
    yield made
    made.end_all()


@pytest.fixture(scope="module")
def world(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(emulator, tmp_path_factory.mktemp("image"))
