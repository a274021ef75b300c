"""One world for the tests of a file. They run in the order of the file and build on each other, for a release takes
minutes; run a file as a whole, with -x."""

from collections.abc import Iterator

import pytest

from tests.e2e.world import World


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A platform that is not up yet."""
    made = World(tmp_path_factory.mktemp("world"))
    try:
        yield made
    finally:
        made.end()
