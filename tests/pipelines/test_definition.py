"""The committed definitions are what the SageMaker SDK builds of the workloads."""

import subprocess
import sys

import pytest

from pipelines.build.__main__ import LOCK
from sluice import environments
from sluice.paths import ROOT


@pytest.mark.skipif(
    not environments.folder(LOCK).exists(),
    reason="the SDK's environment is not installed; make check installs it",
)
def test_the_definitions_are_not_stale():
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.build", "--check"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
