"""Training jobs."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from emulator import images
from emulator.context import Context
from emulator.sagemaker.jobs.plan import Input, Output, Plan, check_name, check_one_machine
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

DEFAULT_RUNTIME = 86_400
SUMMARY = (
    "TrainingJobName",
    "TrainingJobArn",
    "CreationTime",
    "TrainingEndTime",
    "LastModifiedTime",
    "TrainingJobStatus",
    "SecondaryStatus",
)
PHASES = {"Downloading": "Downloading", "Running": "Training", "Uploading": "Uploading"}
PHASE_MESSAGES = {
    "Starting": "Starting the training job",
    "Downloading": "Downloading input data",
    "Training": "Training image download completed. Training in progress.",
    "Uploading": "Uploading generated training model",
    "Completed": "Training job completed",
    "Failed": "Training job failed",
    "Stopped": "Training job stopped",
    "Stopping": "Stopping the training job",
    "MaxRuntimeExceeded": "Training job runtime exceeded MaxRuntimeInSeconds provided",
}


def artifacts(params: Params) -> str:
    """Where the model of a job goes."""
    base = params["OutputDataConfig"]["S3OutputPath"].rstrip("/")
    return f"{base}/{params['TrainingJobName']}/output/model.tar.gz"


def plan(params: Params, arn: str) -> Plan:
    """What the request asks for.

    Raises:
        RefusalError: ValidationException for what AWS or this emulator does not take.
    """
    name, algorithm = params["TrainingJobName"], params.get("AlgorithmSpecification") or {}
    if not algorithm.get("TrainingImage"):
        raise refusal("AlgorithmSpecification: this emulator trains with a TrainingImage only.")
    resources = params.get("ResourceConfig") or {}
    check_one_machine(resources.get("InstanceCount", 1), "training")
    channels = {
        channel["ChannelName"]: _channel(channel, algorithm)
        for channel in params.get("InputDataConfig") or ()
    }
    model, key = artifacts(params), params["OutputDataConfig"].get("KmsKeyId")
    entrypoint, arguments = algorithm.get("ContainerEntrypoint"), algorithm.get("ContainerArguments")
    hosts = {
        "current_host": "algo-1",
        "current_instance_type": resources.get("InstanceType", ""),
        "hosts": ["algo-1"],
        "network_interface_name": "eth0",
    }
    return Plan(
        name=name,
        image=algorithm["TrainingImage"],
        role=params["RoleArn"],
        entrypoint=tuple(entrypoint) if entrypoint else None,
        # Without an entrypoint of the request, SageMaker runs `docker run <image> train`.
        arguments=tuple(arguments or ()) if entrypoint else ("train",),
        environment={
            "TRAINING_JOB_NAME": name,
            "TRAINING_JOB_ARN": arn,
            **(params.get("Environment") or {}),
        },
        isolated=bool(params.get("EnableNetworkIsolation")),
        max_runtime=(params.get("StoppingCondition") or {}).get("MaxRuntimeInSeconds", DEFAULT_RUNTIME),
        message=PurePosixPath("output/failure"),
        log_group="/aws/sagemaker/TrainingJobs",
        inputs=tuple(source for source, _ in channels.values()),
        outputs=(
            Output(model, PurePosixPath("model"), key, archive=True),
            Output(
                model.replace("/model.tar.gz", "/output.tar.gz"),
                PurePosixPath("output/data"),
                key,
                archive=True,
                skip_empty=True,
            ),
        ),
        files={
            "input/config/hyperparameters.json": json.dumps(params.get("HyperParameters") or {}),
            "input/config/inputdataconfig.json": json.dumps({name: c for name, (_, c) in channels.items()}),
            "input/config/resourceconfig.json": json.dumps(hosts),
        },
        folders=tuple(PurePosixPath(path) for path in ("model", "output/data", "input/data", "code")),
    )


def _channel(channel: Mapping[str, Any], algorithm: Mapping[str, Any]) -> tuple[Input, dict[str, str]]:
    name, source = channel["ChannelName"], channel["DataSource"].get("S3DataSource")
    mode = channel.get("InputMode") or algorithm.get("TrainingInputMode")
    if source is None or source["S3DataType"] != "S3Prefix" or mode not in ("File", "FastFile"):
        raise refusal(
            f"Channel {name}: this emulator supports S3DataSource with S3DataType S3Prefix in mode File or FastFile."
        )
    config = {
        "TrainingInputMode": mode,
        "S3DistributionType": source.get("S3DataDistributionType", "FullyReplicated"),
        "RecordWrapperType": channel.get("RecordWrapperType", "None"),
    }
    if channel.get("ContentType"):
        config["ContentType"] = channel["ContentType"]
    return Input(source["S3Uri"], PurePosixPath("input/data") / name), config


def metrics(log: str, definitions: Sequence[Mapping[str, str]], now: datetime) -> list[dict[str, Any]]:
    """The last value of each metric that a regular expression finds in the log."""
    found = []
    for definition in definitions:
        matches = re.findall(definition["Regex"], log)
        if matches:
            last = matches[-1] if isinstance(matches[-1], str) else matches[-1][0]
            try:
                found.append({"MetricName": definition["Name"], "Value": float(last), "Timestamp": now})
            except ValueError:
                continue
    return found


class TrainingJobs:
    """The actions of training jobs."""

    def __init__(self, context: Context, runner: Runner) -> None:
        self._context, self._runner = context, runner

    def create(self, params: Params) -> Mapping[str, Any]:
        name = params["TrainingJobName"]
        check_name(name, "trainingJobName")
        arn = self._context.arn("sagemaker", f"training-job/{name}")
        job = plan(params, arn)
        try:
            images.find(job.image)
        except images.ImageNotFoundError:
            raise refusal(f"Requested image {job.image} not found.") from None
        now = self._context.clock.now()
        with LOCK:
            if name in self._table():
                raise refusal(
                    "Training job names must be unique within an AWS account and region, and a training job with this "
                    f"name already exists ({arn})",
                    "ResourceInUse",
                )
            fields = {key: value for key, value in params.items() if key != "Tags"}
            fields.setdefault("StoppingCondition", {"MaxRuntimeInSeconds": DEFAULT_RUNTIME})
            for flag in (
                "EnableNetworkIsolation",
                "EnableInterContainerTrafficEncryption",
                "EnableManagedSpotTraining",
            ):
                fields.setdefault(flag, False)
            fields |= {
                "TrainingJobArn": arn,
                "TrainingJobStatus": "InProgress",
                "CreationTime": now,
                "LastModifiedTime": now,
            }
            record = Record(arn, fields, checked_tags(params.get("Tags")))
            self._move(record, "Starting")
            self._table()[name] = record
        self._runner.start(
            job, lambda phase: self._entered(record, phase), lambda outcome: self._ended(record, outcome)
        )
        return {"TrainingJobArn": arn}

    def describe(self, params: Params) -> Mapping[str, Any]:
        return self.find(params["TrainingJobName"]).fields

    def list(self, params: Params) -> Mapping[str, Any]:
        chosen = choose(
            self._table().values(),
            params,
            name="TrainingJobName",
            sort_keys={
                "Name": "TrainingJobName",
                "CreationTime": "CreationTime",
                "Status": "TrainingJobStatus",
            },
            default_order="Ascending",
            equals={"StatusEquals": "TrainingJobStatus"},
        )
        records, token = page(chosen, params)
        summaries = [{key: r.fields[key] for key in SUMMARY if key in r.fields} for r in records]
        return {"TrainingJobSummaries": summaries, "NextToken": token}

    def stop(self, params: Params) -> None:
        record = self.find(params["TrainingJobName"])
        with LOCK:
            status = record.fields["TrainingJobStatus"]
            if status == "InProgress":
                self._move(record, "Stopping", TrainingJobStatus="Stopping")
            elif status != "Stopping":
                raise refusal(
                    f"The request was rejected because the training job is in status {status}. "
                    "Only a job that is InProgress can be stopped."
                )
        self._runner.stop(record.fields["TrainingJobName"])

    def find(self, name: str) -> Record:
        """The job.

        Raises:
            RefusalError: ValidationException if there is none.
        """
        record: Record | None = self._table().get(name)
        if record is None:
            raise refusal("Requested resource not found.")
        return record

    def _entered(self, record: Record, phase: Phase) -> None:
        started = {"TrainingStartTime": self._context.clock.now()} if phase == "Downloading" else {}
        self._move(record, PHASES[phase], **started)

    def _ended(self, record: Record, outcome: Outcome) -> None:
        now = self._context.clock.now()
        changes: dict[str, Any] = {"TrainingJobStatus": outcome.status, "TrainingEndTime": now}
        changes |= present({"FailureReason": outcome.failure})
        if outcome.status != "Failed":
            changes["ModelArtifacts"] = {"S3ModelArtifacts": artifacts(record.fields)}
        started = record.fields.get("TrainingStartTime")
        if started is not None:
            seconds = max(1, round((now - started).total_seconds()))
            changes |= {"TrainingTimeInSeconds": seconds, "BillableTimeInSeconds": seconds}
        definitions = record.fields["AlgorithmSpecification"].get("MetricDefinitions") or []
        path = self._runner.log_path(record.fields["TrainingJobName"])
        if definitions and path.exists():
            changes["FinalMetricDataList"] = metrics(path.read_text(errors="replace"), definitions, now)
        self._move(record, "MaxRuntimeExceeded" if outcome.timed_out else outcome.status, **changes)

    def _move(self, record: Record, secondary: str, **changes: Any) -> None:
        """Go on to a secondary status: each has a beginning and an end."""
        with LOCK:
            now = self._context.clock.now()
            earlier = [dict(step) for step in record.fields.get("SecondaryStatusTransitions", [])]
            if earlier:
                earlier[-1].setdefault("EndTime", now)
            step = {"Status": secondary, "StartTime": now, "StatusMessage": PHASE_MESSAGES[secondary]}
            if changes.get("TrainingEndTime"):
                step["EndTime"] = now
            record.fields = {
                **record.fields,
                **changes,
                "SecondaryStatus": secondary,
                "SecondaryStatusTransitions": [*earlier, step],
                "LastModifiedTime": now,
            }

    def _table(self) -> dict[str, Any]:
        table: dict[str, Any] = backend(self._context).training_jobs
        return table
