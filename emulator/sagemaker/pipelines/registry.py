"""The actions on pipelines themselves."""

from collections.abc import Mapping
from typing import Any

from emulator.context import Context
from emulator.sagemaker import objects
from emulator.sagemaker.pipelines import definition
from emulator.sagemaker.pipelines.state import Pipeline
from emulator.sagemaker.seam import LOCK, Params, backend, checked_tags, choose, page, present, refusal


class Pipelines:
    """The table of pipelines."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def create(self, params: Params) -> Mapping[str, Any]:
        name = params["PipelineName"]
        text = _definition_text(params)
        if text is None:
            raise refusal("Either PipelineDefinition or PipelineDefinitionS3Location must be provided.")
        _check(text)
        arn = self._context.arn("sagemaker", f"pipeline/{name}")
        now = self._context.clock.now()
        with LOCK:
            if name in self._table():
                raise refusal(
                    "Pipeline names must be unique within an AWS account and region. "
                    f"Pipeline with name ({name}) already exists."
                )
            fields = present(
                {
                    "PipelineArn": arn,
                    "PipelineName": name,
                    "PipelineDisplayName": params.get("PipelineDisplayName") or name,
                    "PipelineDefinition": text,
                    "PipelineDescription": params.get("PipelineDescription"),
                    "RoleArn": params["RoleArn"],
                    "PipelineStatus": "Active",
                    "CreationTime": now,
                    "LastModifiedTime": now,
                    "ParallelismConfiguration": params.get("ParallelismConfiguration"),
                }
            )
            self._table()[name] = Pipeline(arn, fields, checked_tags(params.get("Tags")))
        return {"PipelineArn": arn}

    def update(self, params: Params) -> Mapping[str, Any]:
        text = _definition_text(params)
        if text is not None:
            _check(text)
        with LOCK:
            pipeline = self.find(params["PipelineName"])
            changes = {
                key: params.get(key)
                for key in (
                    "PipelineDisplayName",
                    "PipelineDescription",
                    "RoleArn",
                    "ParallelismConfiguration",
                )
            }
            pipeline.fields = {
                **pipeline.fields,
                **present({**changes, "PipelineDefinition": text}),
                "LastModifiedTime": self._context.clock.now(),
            }
        return {"PipelineArn": pipeline.arn}

    def describe(self, params: Params) -> Mapping[str, Any]:
        return self.find(params["PipelineName"]).fields

    def delete(self, params: Params) -> Mapping[str, Any]:
        with LOCK:
            pipeline = self.find(params["PipelineName"])
            if any(
                execution.fields["PipelineExecutionStatus"] in ("Executing", "Stopping")
                for execution in pipeline.executions
            ):
                raise refusal(
                    f"Pipeline {pipeline.arn} has executions that are running. Stop them first.",
                    "ConflictException",
                )
            del self._table()[pipeline.fields["PipelineName"]]
            for execution in pipeline.executions:
                backend(self._context).pipeline_executions.pop(execution.arn, None)
        return {"PipelineArn": pipeline.arn}

    def list(self, params: Params) -> Mapping[str, Any]:
        chosen = choose(
            self._table().values(),
            {**params, "NameContains": params.get("PipelineNamePrefix")}
            | {
                "CreationTimeAfter": params.get("CreatedAfter"),
                "CreationTimeBefore": params.get("CreatedBefore"),
            },
            name="PipelineName",
            sort_keys={"Name": "PipelineName", "CreationTime": "CreationTime"},
        )
        prefix = params.get("PipelineNamePrefix") or ""
        chosen = [record for record in chosen if record.fields["PipelineName"].startswith(prefix)]
        records, token = page(chosen, params)
        return {"PipelineSummaries": [_summary(record.fields) for record in records], "NextToken": token}

    def find(self, name_or_arn: str) -> Pipeline:
        """The pipeline.

        Raises:
            RefusalError: ResourceNotFound if there is none.
        """
        name = name_or_arn.rpartition("/")[2]
        pipeline: Pipeline | None = self._table().get(name)
        if pipeline is None:
            arn = self._context.arn("sagemaker", f"pipeline/{name}")
            raise refusal(f"Pipeline '{arn}' does not exist.", "ResourceNotFound")
        return pipeline

    def _table(self) -> dict[str, Any]:
        table: dict[str, Any] = backend(self._context).pipelines
        return table


def _summary(fields: Mapping[str, Any]) -> dict[str, Any]:
    keys = (
        "PipelineArn",
        "PipelineName",
        "PipelineDisplayName",
        "PipelineDescription",
        "RoleArn",
        "CreationTime",
        "LastModifiedTime",
    )
    return present({**{key: fields.get(key) for key in keys}, "LastExecutionTime": fields.get("LastRunTime")})


def _definition_text(params: Params) -> str | None:
    inline, location = params.get("PipelineDefinition"), params.get("PipelineDefinitionS3Location")
    if inline is not None and location is not None:
        raise refusal("Only one of PipelineDefinition and PipelineDefinitionS3Location can be provided.")
    if location is not None:
        uri = f"s3://{location['Bucket']}/{location['ObjectKey']}"
        try:
            return objects.read(uri).decode()
        except Exception as error:
            raise refusal(f"Could not read the pipeline definition at {uri}: {error}") from error
    return inline


def _check(text: str) -> None:
    try:
        definition.parse(text)
    except definition.DefinitionError as error:
        raise refusal(str(error)) from None
