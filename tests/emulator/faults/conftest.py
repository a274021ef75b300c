"""Faults in an emulator of this process, and in a running one."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from emulator import faults
from tests.emulator import inprocess
from tests.emulator.conftest import Emulator
from tests.emulator.endpoints.world import World
from tests.emulator.faults.running import Running


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


@pytest.fixture
def running(emulator: Emulator) -> Iterator[Running]:
    made = Running(emulator)
    yield made
    made.end_all()


@pytest.fixture(scope="module")
def world(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(emulator, tmp_path_factory.mktemp("image"))
