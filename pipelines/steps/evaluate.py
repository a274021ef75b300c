"""Isolated step: the candidate, the champion, the incumbent and a trivial baseline on the same later rows.

Inputs model (model.tar.gz), evaluation (rows.parquet, data.json), champion (champion.json, model/). Output
evaluation (evaluation.json).
"""

import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from pipelines.steps import job
from pipelines.steps.evaluation import BASELINE, CANDIDATE, CHAMPION, INCUMBENT, evaluate
from pipelines.steps.metrics import Floats
from pipelines.steps.tables import typed
from sluice.errors import SluiceError
from workloads import modules
from workloads.modules import Description, Scorer


def main() -> None:
    """Write evaluation.json."""
    workload = job.workload()
    rows = job.input_dir("evaluation") / "rows.parquet"
    data = job.read_json(job.input_dir("evaluation") / "data.json")
    champion = job.read_json(job.input_dir("champion") / "champion.json")
    frame = pl.read_parquet(rows)
    labels = frame[workload.label.name].to_numpy().astype(np.bool_)
    columns, _ = typed(workload, frame)
    with tempfile.TemporaryDirectory() as folder:
        unpack(job.input_dir("model") / "model.tar.gz", Path(folder))
        candidate = Description.read(Path(folder))
        scores = {CANDIDATE: Scorer(Path(folder)).score(columns)}
    if champion["package"]:
        scores[CHAMPION] = score_apart(job.input_dir("champion") / "model", rows)
    scores[INCUMBENT] = modules.incumbent(workload.name).decide(columns)
    # Who knows the training base rate and nothing else.
    scores[BASELINE] = np.full(len(labels), data["base_rate"])
    found = evaluate(workload, columns, labels, scores)
    result: dict[str, Any] = {
        "workload": workload.name,
        "version": candidate.version,
        "change": candidate.change,
        "champion": champion,
        "data": data,
        **found,
    }
    job.write_json(job.output_dir("evaluation") / "evaluation.json", result)
    for name, model in found["models"].items():
        m = model["metrics"]
        job.say(
            f"{name}: AUC {m['auc']:.4f}, average precision {m['average_precision']:.4f}, log loss {m['log_loss']:.4f}"
        )


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a model.tar.gz.

    Raises:
        SluiceError: if it is missing or no such archive.
    """
    try:
        with tarfile.open(archive, "r:gz") as tar:
            tar.extractall(folder, filter="data")
    except (OSError, tarfile.TarError) as error:
        raise SluiceError(f"{archive.name} cannot be unpacked: {error}") from error


def score_apart(model: Path, rows: Path) -> Floats:
    """Scores of a model by its own code, in a process that sees that code and nothing of ours.

    Raises:
        SluiceError: with the last line it said, if it fails.
    """
    model = model.resolve()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "scores.npy"
        environment = {**os.environ, "PYTHONPATH": str(model / "code"), "PYTHONSAFEPATH": "1"}
        arguments = [sys.executable, "-m", "workloads.score", str(model), str(rows.resolve()), str(out)]
        done = subprocess.run(arguments, cwd=model / "code", env=environment, capture_output=True, text=True)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise SluiceError(f"the champion cannot score the evaluation rows: {last}")
        return np.asarray(np.load(out, allow_pickle=False), dtype=np.float64)


if __name__ == "__main__":
    job.run(main)
