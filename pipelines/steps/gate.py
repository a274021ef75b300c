"""Isolated step: may the candidate be registered? Input evaluation. Output gate (gate.json)."""

from pipelines.steps import job
from pipelines.steps.gating import decide


def main() -> None:
    """Write gate.json, on which the pipeline's condition acts."""
    evaluation = job.read_json(job.input_dir("evaluation") / "evaluation.json")
    reasons, notes = decide(job.workload().gate, evaluation)
    summary = "; ".join(reasons) or "every bound holds and nothing it has to beat is better"
    outcome = {"passed": not reasons, "reasons": reasons, "reason": summary, "notes": notes}
    job.write_json(job.output_dir("gate") / "gate.json", outcome)
    job.say(f"{'passed' if not reasons else 'refused'}: {summary}")


if __name__ == "__main__":
    job.run(main)
