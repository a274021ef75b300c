"""Processing jobs."""

import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from emulator import images
from emulator.context import Context
from emulator.sagemaker.jobs.plan import Input, Output, Plan, below, check_name, check_one_machine
from emulator.sagemaker.jobs.runner import Outcome, Phase, Runner
from emulator.sagemaker.seam import (
    LOCK,
    Params,
    Record,
    backend,
    checked_tags,
    choose,
    page,
    present,
    refusal,
)

BASE = "/opt/ml/processing"
DEFAULT_RUNTIME = 86_400
SUMMARY = (
    "ProcessingJobName",
    "ProcessingJobArn",
    "CreationTime",
    "ProcessingEndTime",
    "LastModifiedTime",
    "ProcessingJobStatus",
    "FailureReason",
    "ExitMessage",
)


def plan(params: Params, arn: str) -> Plan:
    """What the request asks for.

    Raises:
        RefusalError: ValidationException for what AWS or this emulator does not take.
    """
    name, application = params["ProcessingJobName"], params["AppSpecification"]
    check_one_machine(params["ProcessingResources"]["ClusterConfig"]["InstanceCount"], "processing")
    network = params.get("NetworkConfig") or {}
    outputs = params.get("ProcessingOutputConfig") or {}
    key = outputs.get("KmsKeyId")
    written = tuple(_output(output, key) for output in outputs.get("Outputs") or ())
    entrypoint = application.get("ContainerEntrypoint")
    description = {key: value for key, value in params.items() if key != "Tags"} | {"ProcessingJobArn": arn}
    return Plan(
        name=name,
        image=application["ImageUri"],
        role=params["RoleArn"],
        entrypoint=tuple(entrypoint) if entrypoint else None,
        arguments=tuple(application.get("ContainerArguments") or ()),
        environment=params.get("Environment") or {},
        isolated=bool(network.get("EnableNetworkIsolation")),
        max_runtime=(params.get("StoppingCondition") or {}).get("MaxRuntimeInSeconds", DEFAULT_RUNTIME),
        message=PurePosixPath("output/message"),
        log_group="/aws/sagemaker/ProcessingJobs",
        inputs=tuple(_input(given) for given in params.get("ProcessingInputs") or ()),
        outputs=written,
        files={
            "config/processingjobconfig.json": json.dumps(description, default=str),
            "config/resourceconfig.json": json.dumps({"current_host": "algo-1", "hosts": ["algo-1"]}),
        },
        folders=(PurePosixPath("output"), *(output.folder for output in written)),
    )


def _input(given: Mapping[str, Any]) -> Input:
    source = given.get("S3Input")
    if source is None:
        raise refusal(f"ProcessingInput {given['InputName']}: only S3Input is supported by this emulator.")
    if source.get("S3InputMode", "File") != "File":
        raise refusal(f"ProcessingInput {given['InputName']}: this emulator supports S3InputMode File.")
    if source.get("S3CompressionType", "None") != "None":
        raise refusal(
            f"ProcessingInput {given['InputName']}: S3CompressionType must be None for S3InputMode File."
        )
    return Input(
        source["S3Uri"], below(source["LocalPath"], BASE), manifest=source["S3DataType"] == "ManifestFile"
    )


def _output(given: Mapping[str, Any], key: str | None) -> Output:
    target = given.get("S3Output")
    if target is None or target.get("S3UploadMode") != "EndOfJob":
        raise refusal(
            f"ProcessingOutput {given['OutputName']}: this emulator supports S3Output with S3UploadMode EndOfJob."
        )
    return Output(target["S3Uri"], below(target["LocalPath"], BASE), key, skip_empty=True)


class ProcessingJobs:
    """The actions of processing jobs."""

    def __init__(self, context: Context, runner: Runner) -> None:
        self._context, self._runner = context, runner

    def create(self, params: Params) -> Mapping[str, Any]:
        name = params["ProcessingJobName"]
        check_name(name, "processingJobName")
        arn = self._context.arn("sagemaker", f"processing-job/{name}")
        job = plan(params, arn)
        try:
            images.find(job.image)
        except images.ImageNotFoundError:
            raise refusal(f"Requested image {job.image} not found.") from None
        now = self._context.clock.now()
        with LOCK:
            if name in self._table():
                raise refusal(
                    "Processing job names must be unique within an AWS account and region, and a processing job with "
                    f"this name already exists ({arn})",
                    "ResourceInUse",
                )
            fields = {key: value for key, value in params.items() if key != "Tags"}
            fields.setdefault("StoppingCondition", {"MaxRuntimeInSeconds": DEFAULT_RUNTIME})
            fields |= {
                "ProcessingJobArn": arn,
                "ProcessingJobStatus": "InProgress",
                "CreationTime": now,
                "LastModifiedTime": now,
            }
            record = Record(arn, fields, checked_tags(params.get("Tags")))
            self._table()[name] = record
        self._runner.start(
            job, lambda phase: self._entered(record, phase), lambda outcome: self._ended(record, outcome)
        )
        return {"ProcessingJobArn": arn}

    def describe(self, params: Params) -> Mapping[str, Any]:
        return self.find(params["ProcessingJobName"]).fields

    def list(self, params: Params) -> Mapping[str, Any]:
        chosen = choose(
            self._table().values(),
            params,
            name="ProcessingJobName",
            sort_keys={
                "Name": "ProcessingJobName",
                "CreationTime": "CreationTime",
                "Status": "ProcessingJobStatus",
            },
            default_order="Ascending",
            equals={"StatusEquals": "ProcessingJobStatus"},
        )
        records, token = page(chosen, params)
        summaries = [{key: r.fields[key] for key in SUMMARY if key in r.fields} for r in records]
        return {"ProcessingJobSummaries": summaries, "NextToken": token}

    def stop(self, params: Params) -> None:
        record = self.find(params["ProcessingJobName"])
        with LOCK:
            status = record.fields["ProcessingJobStatus"]
            if status == "InProgress":
                self._set(record, ProcessingJobStatus="Stopping")
            elif status != "Stopping":
                raise refusal(
                    f"The request was rejected because the processing job is in status {status}. "
                    "Only a job that is InProgress can be stopped."
                )
        self._runner.stop(record.fields["ProcessingJobName"])

    def find(self, name: str) -> Record:
        """The job.

        Raises:
            RefusalError: ResourceNotFound if there is none.
        """
        record: Record | None = self._table().get(name)
        if record is None:
            arn = self._context.arn("sagemaker", f"processing-job/{name}")
            raise refusal(f"Could not find requested job with name: {arn}", "ResourceNotFound")
        return record

    def _entered(self, record: Record, phase: Phase) -> None:
        if phase == "Running":
            self._set(record, ProcessingStartTime=self._context.clock.now())

    def _ended(self, record: Record, outcome: Outcome) -> None:
        # SageMaker's own jobs that reach MaxRuntimeInSeconds are stopped, not failed.
        message = "MaxRuntimeInSeconds was reached" if outcome.timed_out else outcome.message
        self._set(
            record,
            ProcessingJobStatus=outcome.status,
            ProcessingEndTime=self._context.clock.now(),
            FailureReason=outcome.failure,
            ExitMessage=message,
        )

    def _set(self, record: Record, **changes: Any) -> None:
        with LOCK:
            record.fields = {
                **record.fields,
                **present(changes),
                "LastModifiedTime": self._context.clock.now(),
            }

    def _table(self) -> dict[str, Any]:
        table: dict[str, Any] = backend(self._context).processing_jobs
        return table
