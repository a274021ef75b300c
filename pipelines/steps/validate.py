"""Isolated step: is this batch fit to train on?

Inputs observations, labels, champion. Outputs clean (observations.parquet, labels.parquet), quarantine
(rows.parquet), report (report.json, validation.json).
"""

from pipelines.steps import job
from pipelines.steps.tables import read_partitions
from pipelines.steps.validation import validate

PROFILE = "profile.json"


def main() -> None:
    """Judge the batch; a bad one is a result, on which the pipeline's condition acts, not a failure of the step."""
    stored = job.input_dir("champion") / "model" / PROFILE
    verdict = validate(
        job.workload(),
        read_partitions(job.input_dir("observations")),
        read_partitions(job.input_dir("labels")),
        job.moment("TRAIN_UNTIL"),
        job.moment("EVALUATE_UNTIL"),
        job.read_json(stored) if stored.exists() else None,
    )
    verdict.clean.write_parquet(job.output_dir("clean") / "observations.parquet")
    verdict.labels.write_parquet(job.output_dir("clean") / "labels.parquet")
    verdict.quarantine.write_parquet(job.output_dir("quarantine") / "rows.parquet")
    job.write_json(job.output_dir("report") / "report.json", verdict.report)
    outcome = {
        "passed": not verdict.reasons,
        "reason": "; ".join(verdict.reasons) or "the batch is fit to train on",
    }
    job.write_json(job.output_dir("report") / "validation.json", outcome)
    job.say(f"{verdict.clean.height} good rows, {verdict.quarantine.height} put aside: {outcome['reason']}")


if __name__ == "__main__":
    job.run(main)
