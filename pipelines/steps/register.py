"""Connected step: put the candidate into the registry, where it waits for its approval.

Inputs model (model.tar.gz), evaluation (evaluation.json), gate (gate.json). Output package (package.json).
"""

import os
import tempfile
from pathlib import Path

from pipelines.steps import job, registry
from pipelines.steps.evaluate import unpack
from sluice import aws
from sluice.errors import SluiceError
from workloads.modules import Description


def main() -> None:
    """Create the model package of this execution, once."""
    workload = job.workload()
    evaluation = job.read_json(job.input_dir("evaluation") / "evaluation.json")
    if not job.read_json(job.input_dir("gate") / "gate.json")["passed"]:
        raise SluiceError("the gate refused this model", "Only a model that passed is registered.")
    with tempfile.TemporaryDirectory() as folder:
        unpack(job.input_dir("model") / "model.tar.gz", Path(folder))
        description = Description.read(Path(folder))
    package = registry.create(
        aws.client("sagemaker"),
        workload,
        description,
        image=job.setting("SERVING_IMAGE"),
        model_data_url=job.setting("MODEL_DATA_URL"),
        evaluation_url=job.setting("EVALUATION_URL").rstrip("/") + "/evaluation.json",
        evaluated_until=evaluation["data"]["evaluated_until"],
        champion=evaluation["champion"]["package"],
        commit=os.environ.get("COMMIT", ""),
        execution=job.setting("EXECUTION_ARN"),
    )
    job.write_json(
        job.output_dir("package") / "package.json", {"package": package, "version": description.version}
    )
    job.say(f"{workload.name} {description.version} is registered as {package}")


if __name__ == "__main__":
    job.run(main)
