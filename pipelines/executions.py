"""Executions of a training pipeline: start one for its inputs, once, and follow it to its end."""

import subprocess
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from sluice.clock import Clock, SystemClock
from sluice.errors import SluiceError
from sluice.naming import content_hash
from sluice.paths import ROOT

POLL_SECONDS = 1.0
ENDED = frozenset({"Succeeded", "Failed", "Stopped"})


def start(
    sagemaker: Any, pipeline: str, parameters: Mapping[str, str], commit: str, again: bool = False
) -> str:
    """Start the pipeline with these parameters unless that was done before; the execution's ARN.

    The same inputs and the same definition make the same ClientRequestToken, so a repeated call, or one after a
    crash, joins the execution there is. One that failed or was stopped does not count.

    Args:
        again: start a new one even if there is one that succeeded.

    Raises:
        SluiceError: if there is no such pipeline.
    """
    try:
        definition = sagemaker.describe_pipeline(PipelineName=pipeline)["PipelineDefinition"]
    except ClientError as error:
        if error.response["Error"]["Code"] in ("ResourceNotFound", "ValidationException"):
            raise SluiceError(
                f"there is no pipeline {pipeline}", "Bring it up first: sluice up --only pipelines."
            ) from error
        raise
    given = [{"Name": name, "Value": value} for name, value in {**parameters, "Commit": commit}.items()]
    attempt = 0
    while True:
        # At least 32 characters, says StartPipelineExecution. The commit is no input: it changes no result.
        token = content_hash([pipeline, definition, dict(parameters), attempt], 48)
        began = sagemaker.start_pipeline_execution(
            PipelineName=pipeline, PipelineParameters=given, ClientRequestToken=token
        )["PipelineExecutionArn"]
        status = sagemaker.describe_pipeline_execution(PipelineExecutionArn=began)["PipelineExecutionStatus"]
        if status in ("Failed", "Stopped") or (again and status == "Succeeded"):
            attempt += 1
            continue
        return str(began)


def follow(
    sagemaker: Any, execution: str, tell: Callable[[str], None], clock: Clock | None = None
) -> list[dict[str, Any]]:
    """Wait until the execution ends, saying which steps run; its steps in the order of their start.

    Raises:
        SluiceError: if it does not succeed, with the reason of the step that failed.
    """
    clock = clock or SystemClock()
    while True:
        described = sagemaker.describe_pipeline_execution(PipelineExecutionArn=execution)
        steps = execution_steps(sagemaker, execution)
        status = described["PipelineExecutionStatus"]
        if status in ENDED:
            break
        done = sum(step["status"] == "Succeeded" for step in steps)
        running = [step["name"] for step in steps if step["status"] in ("Executing", "Starting")]
        tell(f"{', '.join(running) or 'between steps'}; {done} done")
        clock.sleep(POLL_SECONDS)
    if status != "Succeeded":
        failed = next((step for step in steps if step["status"] == "Failed"), None)
        reason = failed["reason"] if failed else described.get("FailureReason", "")
        where = f" in {failed['name']}" if failed else ""
        raise SluiceError(
            f"the training {execution.rpartition('/')[2]} {status.lower()}{where}: {reason or 'it says no reason'}",
            "The jobs' logs say more: sluice logs.",
        )
    return steps


def execution_steps(sagemaker: Any, execution: str) -> list[dict[str, Any]]:
    """Name, status, seconds and failure reason of each step so far, in the order of their start."""
    pages = sagemaker.get_paginator("list_pipeline_execution_steps").paginate(
        PipelineExecutionArn=execution, SortOrder="Ascending"
    )
    steps = [step for page in pages for step in page["PipelineExecutionSteps"]]
    return [
        {
            "name": step["StepName"],
            "status": step["StepStatus"],
            "seconds": _seconds(step),
            "reason": step.get("FailureReason", ""),
        }
        for step in steps
    ]


def commit() -> str:
    """The commit of this checkout, for the record; `unknown` where there is no git."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return "unknown"
    return done.stdout.strip() or "unknown"


def _seconds(step: Mapping[str, Any]) -> float | None:
    if "StartTime" not in step or "EndTime" not in step:
        return None
    return float(round((step["EndTime"] - step["StartTime"]).total_seconds(), 1))
