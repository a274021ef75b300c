"""Release file, registry and endpoint together, under random commands, faults and crashes.

A package that answers already when it is rejected, or its approval is taken back, stays until another takes its
place: nothing that answers is ever taken away without one."""

import random
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from emulator.context import Context
from emulator.sagemaker import containers, events
from emulator.sagemaker import models as served_models
from emulator.sagemaker.seam import backend
from endpoints.release import operations, store
from endpoints.release.file import ReleaseFile
from endpoints.release.opinion import Opinion
from endpoints.release.target import Target
from endpoints.rollout.pace import Pace
from tests.endpoints.release.machine import world
from tests.endpoints.release.machine.git import MemoryGit
from tests.endpoints.release.machine.rules import ReleaseMachine
from tests.endpoints.release.machine.sagemaker import TABLES

SETTINGS = settings(derandomize=True, stateful_step_count=25, suppress_health_check=list(HealthCheck))


@dataclass
class Looked:
    """What is shown of a challenger. How evidence comes to an opinion is tried elsewhere."""

    opinion: Opinion

    def evidence(self, _: Target, exact: bool = True) -> str:
        return "s3://evidence/of/it"


class OnGit(ReleaseMachine):
    """The same, over git itself."""

    def git(self) -> MemoryGit | None:
        return None


@pytest.fixture(autouse=True)
def in_one_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No image store, no events, no chance but hypothesis's own, and each write of a file a moment at which a command
    may be killed."""
    monkeypatch.setenv("SLUICE_LOCAL", str(tmp_path))
    monkeypatch.setattr(containers, "check", lambda _: None)
    monkeypatch.setattr(events, "put", lambda *_: None)
    # Worlds put theirs in their place.
    monkeypatch.setattr(served_models, "_models", None)
    tables = backend(Context(tmp_path, "", "", "", spawned=None, api=None))
    for table in TABLES:
        monkeypatch.setattr(tables, table, {})
    monkeypatch.setattr(store.Store, "_git", world.git)
    monkeypatch.setattr(store, "save", world.save)

    def look(_: Target, __: ReleaseFile) -> Looked:
        return Looked(world.current.opinion)

    def evenly(pace: Pace) -> None:
        begin(pace)
        pace.jitter = random.Random(0)

    begin = Pace.__post_init__
    monkeypatch.setattr(operations, "look", look)
    monkeypatch.setattr(Pace, "__post_init__", evenly)


def test_whatever_happens_to_a_release() -> None:
    run_state_machine_as_test(ReleaseMachine, settings=settings(SETTINGS, max_examples=80))


def test_whatever_happens_to_a_release_that_git_keeps() -> None:
    run_state_machine_as_test(OnGit, settings=settings(SETTINGS, max_examples=5))
