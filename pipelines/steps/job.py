"""The /opt/ml contract: where a job finds its inputs, leaves its outputs, and says why it failed."""

import json
import os
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from sluice.clock import parse_iso
from sluice.errors import SluiceError
from sluice.paths import opt_ml
from workloads.contract import Workload

MESSAGE_LIMIT = 1024
"""DescribeProcessingJob's ExitMessage and DescribeTrainingJob's FailureReason hold this much."""


def input_dir(name: str) -> Path:
    """The folder of a processing input."""
    return opt_ml() / "processing" / "input" / name


def output_dir(name: str) -> Path:
    """The folder of a processing output, made."""
    folder = opt_ml() / "processing" / "output" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def setting(name: str) -> str:
    """A setting of the job, which the pipeline definition gives as an environment variable.

    Raises:
        SluiceError: if it is not set.
    """
    value = os.environ.get(name, "")
    if not value:
        raise SluiceError(
            f"the job has no {name}", "The pipeline definition sets it in the step's Environment."
        )
    return value


def moment(name: str) -> datetime:
    """A setting that is a moment."""
    try:
        return parse_iso(setting(name))
    except ValueError:
        raise SluiceError(f"{name} is {setting(name)!r}, which is no ISO 8601 moment") from None


def workload() -> Workload:
    """The workload of this job."""
    return Workload.load(setting("SLUICE_WORKLOAD"))


def write_json(path: Path, value: Any) -> None:
    """Indented, with sorted keys; never a NaN, which is no JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """The value in a JSON file.

    Raises:
        SluiceError: if it is missing.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SluiceError(
            f"the step needs {path.name} in {path.parent}, which no earlier step left there"
        ) from None


def run(step: Callable[[], None], message: str = "message") -> None:
    """Run a step's main; on failure leave one sentence in `/opt/ml/output/<message>` and exit 1.

    SageMaker shows that file as ExitMessage of a processing job (`message`) and as FailureReason of a training job
    (`failure`).
    """
    try:
        step()
    except Exception as error:
        problem = str(error) if isinstance(error, SluiceError) else f"{type(error).__name__}: {error}"
        folder = opt_ml() / "output"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / message).write_text(" ".join(problem.split())[:MESSAGE_LIMIT], encoding="utf-8")
        print(problem, file=sys.stderr)  # noqa: T201 - the job's log
        if not isinstance(error, SluiceError):
            raise
        sys.exit(1)


def say(text: str) -> None:
    """A line in the job's log."""
    print(text, flush=True)  # noqa: T201 - the job's log
