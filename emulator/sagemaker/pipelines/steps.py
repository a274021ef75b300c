"""Runs one step of an execution."""

import json
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from emulator.sagemaker import objects
from emulator.sagemaker.pipelines import conditions
from emulator.sagemaker.pipelines.expressions import ExpressionError, Scope, resolve
from emulator.sagemaker.pipelines.graph import Step
from emulator.sagemaker.pipelines.policy import failure_kind
from emulator.sagemaker.pipelines.state import Execution, StepState
from emulator.sagemaker.seam import client

POLL = 0.1


class StepFailedError(Exception):
    """The step's FailureReason."""

    def __init__(self, reason: str, kind: str = "SageMaker.OTHER") -> None:
        super().__init__(reason)
        self.kind = kind


class StepStoppedError(Exception):
    """The execution was asked to stop."""


@dataclass(frozen=True)
class JobType:
    """How a job of SageMaker is made, watched and ended."""

    noun: str
    metadata: str

    @property
    def name(self) -> str:
        return f"{self.noun}JobName"


JOBS = {"Processing": JobType("Processing", "ProcessingJob"), "Training": JobType("Training", "TrainingJob")}


def scope(execution: Execution, pipeline_name: str) -> Scope:
    """What the expressions of an execution's steps refer to, as of now."""
    with execution.lock:
        done = {name: step.properties for name, step in execution.steps.items() if step.status == "Succeeded"}
    started = execution.fields["CreationTime"].isoformat()
    return Scope(
        parameters=execution.parameters,
        execution={
            "StartDateTime": started,
            "CurrentDateTime": started,
            "PipelineName": pipeline_name,
            "PipelineArn": execution.fields["PipelineArn"],
            "PipelineExecutionId": execution.id,
            "PipelineExecutionArn": execution.arn,
        },
        steps=done,
        property_file=lambda step, file: _property_file(execution, done, step, file),
        document=_document,
    )


def _property_file(execution: Execution, done: Mapping[str, Any], step_name: str, file_name: str) -> Any:
    steps = execution.definition.steps if execution.definition else ()
    step = next(step for step in steps if step.name == step_name)
    file = step.property_files[file_name]
    for output in (done[step_name].get("ProcessingOutputConfig") or {}).get("Outputs", ()):
        if output["OutputName"] == file["OutputName"]:
            return _document(f"{output['S3Output']['S3Uri'].rstrip('/')}/{file['FilePath']}")
    raise ExpressionError(f"the step {step_name} has no output {file['OutputName']!r} for {file_name!r}")


def _document(uri: str) -> Any:
    try:
        return json.loads(objects.read(uri))
    except ClientError as error:
        raise ExpressionError(f"Failed to read {uri}: {error}") from error
    except ValueError as error:
        raise ExpressionError(f"{uri} is no JSON: {error}") from error


def run(
    step: Step, arguments: Mapping[str, Any], execution: Execution, state: StepState
) -> Mapping[str, Any]:
    """Run a step that calls SageMaker, to its end; returns its properties.

    Args:
        arguments: with every expression resolved.

    Raises:
        StepFailedError: if it fails.
        StepStoppedError: if it was stopped.
    """
    try:
        if step.type in JOBS:
            return _job(JOBS[step.type], step, dict(arguments), execution, state)
        if step.type == "Model":
            return _model(step, dict(arguments), execution, state)
        return _package(dict(arguments), state)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        kind = "Step.THROTTLING" if "Throttling" in code else "SageMaker.OTHER"
        if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500:
            kind = "Step.SERVICE_FAULT"
        if code == "ResourceLimitExceeded":
            kind = "SageMaker.RESOURCE_LIMIT"
        raise StepFailedError(f"ClientError: {error}", kind) from error
    except BotoCoreError as error:
        raise StepFailedError(f"ClientError: {error}") from error


def decide(step: Step, execution: Execution, state: StepState, found: Scope) -> bool:
    """The outcome of a Condition step.

    Raises:
        StepFailedError: if a condition has no value.
    """
    try:
        taken = conditions.outcome(step.arguments["Conditions"], found)
    except ExpressionError as error:
        raise StepFailedError(f"ClientError: {error}") from error
    with execution.lock:
        execution.outcomes[step.name] = taken
        state.metadata = {"Condition": {"Outcome": "True" if taken else "False"}}
    return taken


def fail(step: Step, state: StepState, found: Scope) -> None:
    """A Fail step: fails with its message.

    Raises:
        StepFailedError: always.
    """
    try:
        message = str(resolve(step.arguments["ErrorMessage"], found))
    except ExpressionError as error:
        raise StepFailedError(f"ClientError: {error}") from error
    state.metadata = {"Fail": {"ErrorMessage": message}}
    raise StepFailedError(message)


def resource_name(execution_id: str, step: str) -> str:
    """`pipelines-<execution>-<step>-<random>`, as SageMaker names what a pipeline makes, at most 63 characters."""
    clean = re.sub(r"[^A-Za-z0-9]+", "-", step).strip("-") or "step"
    return f"pipelines-{execution_id}-{clean[:29].rstrip('-')}-{secrets.token_hex(5)}"


def _job(
    job: JobType, step: Step, arguments: dict[str, Any], execution: Execution, state: StepState
) -> Mapping[str, Any]:
    sagemaker = client("sagemaker")

    def action(verb: str) -> Callable[..., Any]:
        method: Callable[..., Any] = getattr(sagemaker, f"{verb}_{job.noun.lower()}_job")
        return method

    # A name of the definition is a prefix: the same pipeline may run twice at a time.
    prefix = arguments.pop(job.name, None) or step.name
    name = resource_name(execution.id, prefix)
    arn = action("create")(**{job.name: name, **arguments})[f"{job.noun}JobArn"]
    state.metadata = {job.metadata: {"Arn": arn}}
    stopping = False
    while True:
        described: Mapping[str, Any] = action("describe")(**{job.name: name})
        status = described[f"{job.noun}JobStatus"]
        if status == "Completed":
            return described
        if status == "Failed":
            reason = described.get("FailureReason", "the job failed")
            raise StepFailedError(reason, failure_kind(reason))
        if status == "Stopped":
            if stopping:
                raise StepStoppedError
            raise StepFailedError(f"ClientError: the job {name} was stopped: {_why(described)}")
        if execution.stop.wait(POLL) and not stopping:
            stopping, state.status = True, "Stopping"
            try:
                action("stop")(**{job.name: name})
            except ClientError:
                continue  # it ended at the same moment
        elif stopping:
            time.sleep(POLL)


def _why(described: Mapping[str, Any]) -> str:
    return str(described.get("ExitMessage") or described.get("SecondaryStatus") or "by a call")


def _model(
    step: Step, arguments: dict[str, Any], execution: Execution, state: StepState
) -> Mapping[str, Any]:
    sagemaker = client("sagemaker")
    prefix = arguments.pop("ModelName", None) or step.name
    name = resource_name(execution.id, prefix)
    arn = sagemaker.create_model(ModelName=name, **arguments)["ModelArn"]
    state.metadata = {"Model": {"Arn": arn}}
    described: Mapping[str, Any] = sagemaker.describe_model(ModelName=name)
    return described


def _package(arguments: dict[str, Any], state: StepState) -> Mapping[str, Any]:
    sagemaker = client("sagemaker")
    arn = sagemaker.create_model_package(**arguments)["ModelPackageArn"]
    state.metadata = {"RegisterModel": {"Arn": arn}}
    described: Mapping[str, Any] = sagemaker.describe_model_package(ModelPackageName=arn)
    return described
