"""The training pipeline of a workload. Its bytes depend on the workload's declaration and this code alone."""

import json

from sagemaker.core.workflow.conditions import ConditionEquals
from sagemaker.core.workflow.execution_variables import ExecutionVariables
from sagemaker.core.workflow.functions import Join, JsonGet
from sagemaker.core.workflow.parameters import ParameterString
from sagemaker.core.workflow.properties import PropertyFile
from sagemaker.mlops.workflow.condition_step import ConditionStep
from sagemaker.mlops.workflow.fail_step import FailStep
from sagemaker.mlops.workflow.pipeline import Pipeline

from pipelines.bind import SENTINELS
from pipelines.build.sdk import Steps, output_of
from sluice import naming
from workloads.contract import Workload


def build(workload: Workload) -> str:
    """The definition as JSON text: fetch champion → validate → prepare → train → evaluate → gate → register."""
    train_until, evaluate_until = ParameterString("TrainUntil"), ParameterString("EvaluateUntil")
    commit = ParameterString("Commit", default_value="unknown")
    period = {"TRAIN_UNTIL": train_until, "EVALUATE_UNTIL": evaluate_until}
    steps = Steps(workload)
    data = f"s3://{SENTINELS['data-bucket']}/{workload.name}"

    fetch = steps.processing(
        "FetchChampion",
        "fetch_champion",
        inputs={},
        outputs=("champion", "registry"),
        environment={"ENDPOINT_NAME": SENTINELS["endpoint-name"]},
        connected=True,
    )
    champion = output_of(fetch, "champion")
    validation = PropertyFile(name="Validation", output_name="report", path="validation.json")
    validate = steps.processing(
        "Validate",
        "validate",
        inputs={"observations": f"{data}/observations", "labels": f"{data}/labels", "champion": champion},
        outputs=("clean", "quarantine", "report"),
        environment=period,
        files=(validation,),
    )
    prepare = steps.processing(
        "Prepare",
        "prepare",
        inputs={"clean": output_of(validate, "clean")},
        outputs=("train", "evaluation"),
        environment=period,
    )
    train = steps.training(
        "Train", {"train": output_of(prepare, "train"), "registry": output_of(fetch, "registry")}
    )
    model = train.properties.ModelArtifacts.S3ModelArtifacts
    evaluate = steps.processing(
        "Evaluate",
        "evaluate",
        inputs={"model": model, "evaluation": output_of(prepare, "evaluation"), "champion": champion},
        outputs=("evaluation",),
    )
    evaluation = output_of(evaluate, "evaluation")
    verdict = PropertyFile(name="Verdict", output_name="gate", path="gate.json")
    gate = steps.processing(
        "Gate", "gate", inputs={"evaluation": evaluation}, outputs=("gate",), files=(verdict,)
    )
    register = steps.processing(
        "Register",
        "register",
        inputs={"model": model, "evaluation": evaluation, "gate": output_of(gate, "gate")},
        outputs=("package",),
        environment={
            "SERVING_IMAGE": SENTINELS["serving-image"],
            "MODEL_DATA_URL": model,
            "EVALUATION_URL": evaluation,
            "EXECUTION_ARN": ExecutionVariables.PIPELINE_EXECUTION_ARN,
            "COMMIT": commit,
        },
        connected=True,
    )
    gated = _when(
        "GatePassed",
        gate,
        verdict,
        [register],
        _fail("GateFailed", "the gate refused the model", gate, verdict),
    )
    trained = [prepare, train, evaluate, gate, gated]
    refused = _fail("ValidationFailed", "the batch is not fit to train on", validate, validation)
    pipeline = Pipeline(
        naming.pipeline_name(workload.name),
        parameters=[train_until, evaluate_until, commit],
        steps=[fetch, validate, _when("ValidationPassed", validate, validation, trained, refused)],
        # Else every execution makes an experiment and a trial, for which the role has no right.
        pipeline_experiment_config=None,
        sagemaker_session=steps.session,
    )
    # The SDK writes members that are not set as null, which CreatePipeline's schema does not know.
    definition = {key: value for key, value in json.loads(pipeline.definition()).items() if value is not None}
    return json.dumps(definition, indent=2) + "\n"


def _when(
    name: str, step: object, file: PropertyFile, then: list[object], otherwise: FailStep
) -> ConditionStep:
    passed = JsonGet(step_name=step.name, property_file=file, json_path="passed")  # type: ignore[attr-defined]
    return ConditionStep(
        name, conditions=[ConditionEquals(left=passed, right=True)], if_steps=then, else_steps=[otherwise]
    )


def _fail(name: str, what: str, step: object, file: PropertyFile) -> FailStep:
    reason = JsonGet(step_name=step.name, property_file=file, json_path="reason")  # type: ignore[attr-defined]
    return FailStep(name, error_message=Join(on=": ", values=[what, reason]))
