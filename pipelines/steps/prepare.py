"""Isolated step: features of the training rows, and the later rows for evaluation.

Input clean. Outputs train (train.npz, profile.json, data.json), evaluation (rows.parquet, data.json).
"""

import numpy as np
import polars as pl

from pipelines.steps import job
from pipelines.steps.preparation import prepare


def main() -> None:
    """Write what the workload's own `features()` makes of the clean rows."""
    clean = job.input_dir("clean")
    prepared = prepare(
        job.workload(),
        pl.read_parquet(clean / "observations.parquet"),
        pl.read_parquet(clean / "labels.parquet"),
        job.moment("TRAIN_UNTIL"),
        job.moment("EVALUATE_UNTIL"),
    )
    train, evaluation = job.output_dir("train"), job.output_dir("evaluation")
    np.savez(train / "train.npz", x=prepared.x, y=prepared.y)
    job.write_json(train / "profile.json", prepared.profile)
    prepared.evaluation.write_parquet(evaluation / "rows.parquet")
    for folder in (train, evaluation):
        job.write_json(folder / "data.json", prepared.facts)
    job.say(f"{len(prepared.y)} rows to train on, {prepared.evaluation.height} later ones to evaluate with")


if __name__ == "__main__":
    job.run(main)
