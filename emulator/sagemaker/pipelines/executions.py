"""The actions on executions of pipelines."""

import re
import secrets
import string
import threading
from collections.abc import Mapping
from typing import Any

from emulator.context import Context
from emulator.sagemaker.pipelines import definition, execution
from emulator.sagemaker.pipelines.registry import Pipelines
from emulator.sagemaker.pipelines.state import Execution, Pipeline
from emulator.sagemaker.seam import LOCK, Params, backend, choose, page, present, refusal

_TOKEN = re.compile(r"^[A-Za-z0-9-]{32,128}$")
_ID = string.ascii_lowercase + string.digits
SUMMARY = {
    "PipelineExecutionArn": "PipelineExecutionArn",
    "StartTime": "CreationTime",
    "PipelineExecutionStatus": "PipelineExecutionStatus",
    "PipelineExecutionDescription": "PipelineExecutionDescription",
    "PipelineExecutionDisplayName": "PipelineExecutionDisplayName",
    "PipelineExecutionFailureReason": "FailureReason",
}
UNSUPPORTED = ("SelectiveExecutionConfig", "PipelineVersionId", "PipelineVersionAlias")


class Executions:
    """The table of executions."""

    def __init__(self, context: Context, pipelines: Pipelines) -> None:
        self._context, self._pipelines = context, pipelines

    def start(self, params: Params) -> Mapping[str, Any]:
        pipeline = self._pipelines.find(params["PipelineName"])
        for key in UNSUPPORTED:
            if params.get(key) is not None:
                raise refusal(f"{key} is not supported by this emulator.")
        token = params["ClientRequestToken"]
        if not _TOKEN.match(token):
            raise refusal(
                f"1 validation error detected: Value '{token}' at 'clientRequestToken' failed to satisfy constraint: "
                f"Member must satisfy regular expression pattern: {_TOKEN.pattern}"
            )
        with LOCK:
            if token in pipeline.tokens:
                return {"PipelineExecutionArn": pipeline.tokens[token]}
            made = self._make(pipeline, params)
            pipeline.tokens[token] = made.arn
            pipeline.executions.append(made)
            backend(self._context).pipeline_executions[made.arn] = made
            pipeline.fields = {**pipeline.fields, "LastRunTime": made.fields["CreationTime"]}
        execution.status_changed(self._context, made, None, "Executing")
        execution.start(self._context, pipeline, made)
        return {"PipelineExecutionArn": made.arn}

    def _make(self, pipeline: Pipeline, params: Params) -> Execution:
        text = pipeline.fields["PipelineDefinition"]
        parsed = definition.parse(text)
        try:
            values = definition.values(parsed, params.get("PipelineParameters") or [])
        except definition.DefinitionError as error:
            raise refusal(str(error)) from None
        now = self._context.clock.now()
        arn = f"{pipeline.arn}/execution/{''.join(secrets.choice(_ID) for _ in range(12))}"
        fields = present(
            {
                "PipelineArn": pipeline.arn,
                "PipelineExecutionArn": arn,
                "PipelineExecutionDisplayName": params.get("PipelineExecutionDisplayName")
                or f"execution-{int(now.timestamp() * 1000)}",
                "PipelineExecutionStatus": "Executing",
                "PipelineExecutionDescription": params.get("PipelineExecutionDescription"),
                "CreationTime": now,
                "LastModifiedTime": now,
                "RoleArn": params.get("RoleArn") or pipeline.fields["RoleArn"],
                "ParallelismConfiguration": params.get("ParallelismConfiguration")
                or pipeline.fields.get("ParallelismConfiguration"),
            }
        )
        return Execution(arn, fields, definition=parsed, definition_text=text, parameters=values)

    def describe(self, params: Params) -> Mapping[str, Any]:
        return self.find(params["PipelineExecutionArn"]).fields

    def list(self, params: Params) -> Mapping[str, Any]:
        pipeline = self._pipelines.find(params["PipelineName"])
        chosen = choose(
            pipeline.executions,
            {**params, "CreationTimeAfter": params.get("CreatedAfter")}
            | {"CreationTimeBefore": params.get("CreatedBefore")},
            name="PipelineExecutionDisplayName",
            sort_keys={"CreationTime": "CreationTime", "PipelineExecutionArn": "PipelineExecutionArn"},
        )
        records, token = page(chosen, params)
        summaries = [present({key: r.fields.get(field) for key, field in SUMMARY.items()}) for r in records]
        return {"PipelineExecutionSummaries": summaries, "NextToken": token}

    def steps(self, params: Params) -> Mapping[str, Any]:
        found = self.find(params["PipelineExecutionArn"])
        with found.lock:
            summaries = [state.summary() for state in found.steps.values()]
        if params.get("SortOrder") != "Ascending":
            summaries.reverse()
        listed, token = page(summaries, params)
        return {"PipelineExecutionSteps": listed, "NextToken": token}

    def definition(self, params: Params) -> Mapping[str, Any]:
        found = self.find(params["PipelineExecutionArn"])
        return {
            "PipelineDefinition": found.definition_text,
            "CreationTime": found.fields["CreationTime"],
        }

    def parameters(self, params: Params) -> Mapping[str, Any]:
        found = self.find(params["PipelineExecutionArn"])
        listed = [{"Name": name, "Value": _text(value)} for name, value in found.parameters.items()]
        shown, token = page(listed, params)
        return {"PipelineParameters": shown, "NextToken": token}

    def stop(self, params: Params) -> Mapping[str, Any]:
        found = self.find(params["PipelineExecutionArn"])
        with found.lock:
            status = found.fields["PipelineExecutionStatus"]
            if status == "Executing":
                found.fields = {**found.fields, "PipelineExecutionStatus": "Stopping"}
            elif status != "Stopping":
                raise refusal(
                    f"Pipeline execution with ARN {found.arn} cannot be stopped: its status is {status}, and only an "
                    "execution that is Executing can be."
                )
        found.stop.set()
        return {"PipelineExecutionArn": found.arn}

    def retry(self, params: Params) -> Mapping[str, Any]:
        found = self.find(params["PipelineExecutionArn"])
        pipeline = self._pipelines.find(found.fields["PipelineArn"])
        with found.lock:
            status = found.fields["PipelineExecutionStatus"]
            if status not in ("Failed", "Stopped"):
                raise refusal(
                    f"Pipeline execution with ARN {found.arn} cannot be retried: its status is {status}, and only one "
                    "that is Failed or Stopped can be."
                )
            if pipeline.fields["PipelineDefinition"] != found.definition_text:
                # RetryPipelineExecution goes on with the definition it began with, and fails if that was changed.
                raise refusal(
                    "The pipeline definition was changed after the execution; start a new execution."
                )
            found.steps = {name: s for name, s in found.steps.items() if s.status == "Succeeded"}
            found.stop = threading.Event()
            kept = {key: value for key, value in found.fields.items() if key != "FailureReason"}
            found.fields = {**kept, "PipelineExecutionStatus": "Executing"}
        execution.status_changed(self._context, found, status, "Executing")
        execution.start(self._context, pipeline, found)
        return {"PipelineExecutionArn": found.arn}

    def update(self, params: Params) -> Mapping[str, Any]:
        found = self.find(params["PipelineExecutionArn"])
        keys = ("PipelineExecutionDescription", "PipelineExecutionDisplayName", "ParallelismConfiguration")
        with found.lock:
            found.fields = {
                **found.fields,
                **present({key: params.get(key) for key in keys}),
                "LastModifiedTime": self._context.clock.now(),
            }
        return {"PipelineExecutionArn": found.arn}

    def find(self, arn: str) -> Execution:
        """The execution.

        Raises:
            RefusalError: ResourceNotFound if there is none.
        """
        found: Execution | None = backend(self._context).pipeline_executions.get(arn)
        if found is None:
            raise refusal(f"Pipeline execution with ARN {arn} does not exist.", "ResourceNotFound")
        return found


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
