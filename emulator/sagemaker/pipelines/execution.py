"""Runs an execution: starts each step when what it needs is there, until the end."""

import logging
import queue
import threading
import time
from collections.abc import Mapping
from typing import Any

from emulator.context import Context
from emulator.sagemaker import events
from emulator.sagemaker.pipelines import graph, policy, steps
from emulator.sagemaker.pipelines.expressions import ExpressionError, resolve
from emulator.sagemaker.pipelines.graph import Progress, Step
from emulator.sagemaker.pipelines.state import CachedStep, Execution, Pipeline, StepState
from emulator.sagemaker.seam import present

log = logging.getLogger("emulator.pipelines")

FAILED = "Step failure: One or multiple steps failed."
MAX_PARALLEL = 50
"""MaxParallelExecutionSteps where the pipeline sets none: SageMaker's quota."""


def start(context: Context, pipeline: Pipeline, execution: Execution) -> None:
    """Run the execution in a thread. Steps that are already Succeeded are kept (a retry)."""

    def work() -> None:
        try:
            _run(context, pipeline, execution)
        except Exception as error:
            log.exception("execution %s", execution.arn)
            _finish(context, execution, "Failed", f"InternalServerError: {error}")

    threading.Thread(target=work, name=f"execution-{execution.id}", daemon=True).start()


def _run(context: Context, pipeline: Pipeline, execution: Execution) -> None:
    assert execution.definition is not None
    all_steps = execution.definition.steps
    limit = (execution.fields.get("ParallelismConfiguration") or {}).get(
        "MaxParallelExecutionSteps", MAX_PARALLEL
    )
    finished: queue.SimpleQueue[str] = queue.SimpleQueue()
    with execution.lock:
        started = {name for name, state in execution.steps.items() if state.status == "Succeeded"}
    running = 0
    while True:
        with execution.lock:
            statuses = {name: state.status for name, state in execution.steps.items()}
            outcomes = dict(execution.outcomes)
        progress = Progress(
            frozenset(name for name, status in statuses.items() if status == "Succeeded"),
            frozenset(),
            outcomes,
        )
        progress = Progress(progress.succeeded, graph.skipped(all_steps, progress), outcomes)
        # After a failure nothing more is started; what runs comes to its end.
        if not execution.stop.is_set() and "Failed" not in statuses.values():
            for step in graph.ready(all_steps, progress, frozenset(started)):
                if running >= limit:
                    break
                started.add(step.name)
                running += 1
                _begin(context, pipeline, execution, step, finished)
        if running == 0:
            break
        finished.get()
        running -= 1
    with execution.lock:
        failed = any(state.status == "Failed" for state in execution.steps.values())
    if execution.stop.is_set():
        _finish(context, execution, "Stopped", None)
    elif failed:
        _finish(context, execution, "Failed", FAILED)
    else:
        _finish(context, execution, "Succeeded", None)


def _begin(
    context: Context, pipeline: Pipeline, execution: Execution, step: Step, finished: "queue.SimpleQueue[str]"
) -> None:
    state = StepState(
        step.name, context.clock.now(), display_name=step.display_name, description=step.description
    )
    with execution.lock:
        execution.steps.pop(
            step.name, None
        )  # of an attempt before a retry: the list is in the order of starts
        execution.steps[step.name] = state

    def work() -> None:
        status, failure = "Failed", None
        try:
            state.properties = _attempts(context, pipeline, execution, step, state)
            status = "Succeeded"
        except steps.StepFailedError as error:
            failure = str(error)
        except steps.StepStoppedError:
            status = "Stopped"
        except Exception as error:
            log.exception("step %s of %s", step.name, execution.arn)
            failure = f"InternalServerError: {type(error).__name__}: {error}"
        with execution.lock:
            state.status, state.failure, state.ended = status, failure, context.clock.now()
            execution.fields = {**execution.fields, "LastModifiedTime": state.ended}
        finished.put(step.name)

    threading.Thread(target=work, name=f"step-{step.name}", daemon=True).start()


def _attempts(
    context: Context, pipeline: Pipeline, execution: Execution, step: Step, state: StepState
) -> Mapping[str, Any]:
    """Run a step, again as its retry policies say; returns its properties."""
    found = steps.scope(execution, pipeline.fields["PipelineName"])
    if step.type == "Condition":
        return {"Outcome": steps.decide(step, execution, state, found)}
    if step.type == "Fail":
        steps.fail(step, state, found)
    try:
        arguments = resolve(step.arguments, found)
    except ExpressionError as error:
        raise steps.StepFailedError(f"ClientError: {error}") from error
    cache = step.cache if step.cache and step.cache.get("Enabled") else None
    key = policy.cache_key(step.type, arguments)
    hit = pipeline.cache.get(key) if cache is not None else None
    if cache is not None and hit is not None and policy.fresh(hit.made, context.clock.now(), cache):
        state.metadata, state.cache_hit = hit.metadata, hit.execution
        return hit.properties
    begun = time.monotonic()
    while True:
        try:
            properties = steps.run(step, arguments, execution, state)
            break
        except steps.StepFailedError as error:
            wait = policy.retry_after(step.retries, error.kind, state.attempts, time.monotonic() - begun)
            if wait is None:
                raise
            if execution.stop.wait(wait):
                raise steps.StepStoppedError from error
            state.attempts += 1
    pipeline.cache[key] = CachedStep(context.clock.now(), execution.arn, state.metadata, properties)
    return properties


def _finish(context: Context, execution: Execution, status: str, reason: str | None) -> None:
    now = context.clock.now()
    with execution.lock:
        execution.fields = {
            **execution.fields,
            **present({"FailureReason": reason}),
            "PipelineExecutionStatus": status,
            "LastModifiedTime": now,
        }
    status_changed(context, execution, "Executing", status)


def status_changed(context: Context, execution: Execution, before: str | None, now: str) -> None:
    """Tell EventBridge about the execution's status."""
    fields = execution.fields
    detail = present(
        {
            "pipelineArn": fields["PipelineArn"],
            "pipelineExecutionArn": execution.arn,
            "pipelineExecutionDisplayName": fields.get("PipelineExecutionDisplayName"),
            "currentPipelineExecutionStatus": now,
            "previousPipelineExecutionStatus": before,
            "executionStartTime": fields["CreationTime"],
            "executionEndTime": fields["LastModifiedTime"] if now != "Executing" else None,
            "pipelineExecutionDescription": fields.get("PipelineExecutionDescription"),
        }
    )
    events.put(
        context,
        "SageMaker Model Building Pipeline Execution Status Change",
        detail,
        [fields["PipelineArn"], execution.arn],
    )
