"""The built definitions, `<workload>-training.json`, committed so that a review sees what changes. Made by
`python -m pipelines.build`, never by hand."""

import json
from pathlib import Path
from typing import Any

from sluice import naming
from sluice.errors import SluiceError

FOLDER = Path(__file__).resolve().parent


def path(workload: str) -> Path:
    """Where the definition of a workload's training pipeline lies."""
    return FOLDER / f"{naming.pipeline_name(workload)}.json"


def read(workload: str) -> dict[str, Any]:
    """The definition of a workload's training pipeline, unbound.

    Raises:
        SluiceError: if it was never built.
    """
    try:
        return dict(json.loads(path(workload).read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise SluiceError(
            f"{path(workload).name} does not exist in pipelines/definitions", "Run: python -m pipelines.build"
        ) from None
