"""A Pulumi program of the tests' own, with a provider that can be told to wait or to fail."""

import shutil
import sys
from pathlib import Path

import pytest

from sluice.engine import cli
from sluice.engine.programs import Program

HERE = Path(__file__).parent


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`.local` of a test."""
    folder = tmp_path / "local"
    folder.mkdir()
    monkeypatch.setenv("SLUICE_LOCAL", str(folder))
    monkeypatch.delenv("SLUICE_ENVIRONMENT", raising=False)
    return folder


@pytest.fixture(scope="session")
def pulumi() -> Path:
    """The Pulumi CLI, built if there is none."""
    if cli.find() is None and shutil.which("go") is None:
        pytest.skip("neither a Pulumi CLI nor Go is installed")
    return cli.ensure().path


@pytest.fixture
def program(tmp_path: Path, local: Path, pulumi: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """A program with two things, of which it is written down in SLOW_JOURNAL when they are begun and made. With
    SLOW_GATE set they are made once that file exists; SLOW_FAIL makes it fail with these words."""
    folder = tmp_path / "program"
    shutil.copytree(HERE / "program", folder)
    plugin = folder / "plugin" / "pulumi-resource-slow"
    plugin.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{folder / 'plugin' / 'slow.py'}' \"$@\"\n")
    plugin.chmod(0o755)
    monkeypatch.setenv("SLOW_JOURNAL", str(tmp_path / "journal"))
    monkeypatch.setenv("SLOW_THINGS", "2")
    return Program("slow", folder, "local")
