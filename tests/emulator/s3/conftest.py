from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emulator import inprocess


@pytest.fixture
def world(tmp_path: Path) -> Iterator[inprocess.World]:
    """A new account, in this process."""
    with inprocess.world(tmp_path) as made:
        yield made
