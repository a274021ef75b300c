"""One emulator with a tiny model server for the tests of a file."""

import pytest

from tests.emulator.conftest import Emulator
from tests.emulator.endpoints.world import World


@pytest.fixture(scope="module")
def world(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(emulator, tmp_path_factory.mktemp("image"))
