"""Isolated training job: the workload's `train()` on the rows that prepare left.

Channels train (train.npz, profile.json, data.json) and registry (packages.json). The model directory gets the
model's files, model.json, profile.json, and code/, with which this version can be run beside any other later.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.steps import job
from pipelines.steps.versions import Registered, code_hash, next_version
from sluice.paths import ROOT, opt_ml
from workloads import modules
from workloads.contract import Workload
from workloads.files import files
from workloads.modules import Description


def main() -> None:
    """Train, name the version, and leave a model directory that explains itself."""
    workload = job.workload()
    channels, model = opt_ml() / "input" / "data", opt_ml() / "model"
    facts = job.read_json(channels / "train" / "data.json")
    packages = [Registered(**package) for package in job.read_json(channels / "registry" / "packages.json")]
    parameters = typed_parameters(workload, _hyperparameters())
    with np.load(channels / "train" / "train.npz", allow_pickle=False) as arrays:
        x, y = arrays["x"], arrays["y"]
    model.mkdir(parents=True, exist_ok=True)
    modules.method(workload.name).train(x, y, parameters, workload.seed).save(model)
    code = code_hash(workload.folder)
    version, change = next_version(packages, workload.method, code, facts["data_hash"])
    Description(
        kind="model",
        workload=workload.name,
        version=version,
        method=workload.method,
        change=change,
        code_hash=code,
        data_hash=facts["data_hash"],
        train_from=facts["train_from"],
        train_until=facts["train_until"],
        rows=len(y),
        features=modules.features(workload.name).FEATURES,
        seed=workload.seed,
        hyperparameters=parameters,
    ).write(model)
    shutil.copy(channels / "train" / "profile.json", model / "profile.json")
    copy_code(workload.name, model)
    job.say(f"{workload.name} {version} trained on {len(y)} rows; change: {change}")


def typed_parameters(workload: Workload, given: dict[str, str]) -> dict[str, Any]:
    """The hyperparameters of workload.yaml, each replaced by the given text where there is one: SageMaker hands
    every hyperparameter over as a string."""
    return {
        name: type(default)(json.loads(given[name]) if not isinstance(default, str) else given[name])
        if name in given
        else default
        for name, default in workload.hyperparameters.items()
    }


def copy_code(workload: str, model: Path) -> None:
    """Put the workload's code and what it imports into the model directory."""
    for path in files(workload):
        target = model / "code" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, target)


def _hyperparameters() -> dict[str, str]:
    path = opt_ml() / "input" / "config" / "hyperparameters.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


if __name__ == "__main__":
    job.run(main, message="failure")
