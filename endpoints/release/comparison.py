"""Whether a patched serving image answers as the champion did: captured requests of production, asked again in a
processing job, where production does not feel it."""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal
from urllib.parse import quote

from botocore.exceptions import ClientError

from endpoints.release.captures import PRODUCTION, Place
from endpoints.release.file import Champion
from endpoints.release.target import Target
from endpoints.watch.intake import Cursor, Limit, take
from sluice import naming
from sluice.clock import iso
from sluice.config import Frozen, parse
from sluice.errors import SluiceError
from sluice.naming import canonical, content_hash

HOURS = 24
OBJECTS = 200
"""Capture objects at most, the newest. The job itself ends after as many rows as `endpoints.serving.replayed` says."""
EVERY_OBJECT = Limit(sys.maxsize, sys.maxsize)
SECONDS = 1800
"""For the job, which takes a minute or two: a patch has an hour to reach production."""
EVERY = 5.0
"""Seconds between two looks at the job; DescribeProcessingJob is throttled."""
BASE = "/opt/ml/processing"

Verdict = Literal["equal", "different", "unknown"]


class Replayed(Frozen):
    """What the job counted: `endpoints.serving.replayed.Counts`."""

    requests: int = 0
    rows: int = 0
    equal: int = 0
    different: int = 0
    refused: int = 0
    unreadable: int = 0
    others: int = 0
    largest_difference: float = 0.0
    examples: tuple[dict[str, Any], ...] = ()


def verdict(seen: Replayed, minimum: int) -> Verdict:
    """One difference is one too many, and too few rows are no proof. Pure.

    Args:
        minimum: rows that have to be answered the same.
    """
    if seen.different:
        return "different"
    return "equal" if seen.equal >= minimum else "unknown"


@dataclass(frozen=True)
class Workshop:
    """Where the job runs: without a network of its own, on encrypted volumes, under the role of the servers."""

    role_arn: str
    subnet_ids: tuple[str, ...]
    security_group_ids: tuple[str, ...]
    volume_key_arn: str


@dataclass(frozen=True)
class Subject:
    """What is compared: the champion's model in another image.

    Attributes:
        container: of the champion's package: its model data and environment.
        image: by digest.
    """

    champion: Champion
    container: Mapping[str, Any]
    image: str
    instance_type: str


@dataclass(frozen=True)
class Compared:
    """What a comparison found. `uri` is of what the job wrote; None if there was nothing to replay."""

    verdict: Verdict
    seen: Replayed
    job: str | None
    uri: str | None


class Comparisons:
    """The comparisons of one endpoint. They lie beside the captures that they are made of."""

    def __init__(self, target: Target) -> None:
        """
        Raises:
            SluiceError: if the endpoint keeps no captures.
        """
        described = target.clients["sagemaker"].describe_endpoint(EndpointName=target.endpoint)
        capture = described.get("DataCaptureConfig") or {}
        if not capture.get("DestinationS3Uri"):
            raise SluiceError(
                f"{target.endpoint} captures nothing, so there is nothing to replay", "Bring it up by sluice."
            )
        self._target = target
        self._key: str | None = capture.get("KmsKeyId")
        self._changed = described["LastModifiedTime"]
        self.place = Place.of(capture["DestinationS3Uri"], target.endpoint)

    def compare(
        self, subject: Subject, workshop: Workshop, tell: Callable[[str], None] = lambda _: None
    ) -> Compared:
        """The verdict on the subject. What an earlier call began or found, also one that was killed, is taken up;
        only where that decided nothing, newer captures are replayed.

        Args:
            tell: is told how it stands.

        Raises:
            SluiceError: if the image could not answer at all, or the job did not end well.
        """
        minimum = self._target.workload.release.minimum_pairs
        said = [subject.champion.package, subject.image, subject.instance_type]
        prefix = naming.name(self._target.endpoint, "patch", content_hash(said, 8))
        earlier = self._jobs(prefix)
        for name, status in earlier.items():
            if status in ("InProgress", "Stopping", "Completed"):
                seen = self._result(name, tell)
                if verdict(seen, minimum) != "unknown":
                    return self._compared(name, seen, minimum)
        objects = self._newest(subject)
        if not objects:
            return Compared("unknown", Replayed(), None, None)
        # A name is given once; what failed may be tried again.
        attempt = sum(status in ("Failed", "Stopped") for status in earlier.values())
        name = naming.name(prefix, content_hash([objects, attempt], 8))
        if name not in earlier:
            self._start(name, subject, workshop, objects)
        return self._compared(name, self._result(name, tell), minimum)

    def keep(self, name: str, value: Mapping[str, Any]) -> str:
        """Write a document under the comparisons; its S3 URI with its version, where the bucket keeps versions. Its
        name is of the content."""
        return self._put(f"{name}-{content_hash(value)}.json", value, versioned=True)

    def _compared(self, name: str, seen: Replayed, minimum: int) -> Compared:
        return Compared(verdict(seen, minimum), seen, name, self._uri(f"{name}/replayed.json"))

    def _jobs(self, prefix: str) -> dict[str, str]:
        """Status by name, the newest first."""
        pages = (
            self._target.clients["sagemaker"]
            .get_paginator("list_processing_jobs")
            .paginate(NameContains=prefix, SortBy="CreationTime", SortOrder="Descending")
        )
        jobs = [job for page in pages for job in page["ProcessingJobSummaries"]]
        return {job["ProcessingJobName"]: job["ProcessingJobStatus"] for job in jobs}

    def _newest(self, subject: Subject) -> list[str]:
        """Names of the newest capture objects that the champion's answers may be in."""
        since = self._target.clock.now() - timedelta(hours=HOURS)
        if subject.champion.since is not None:
            since = max(since, subject.champion.since)
        found = take(self._target.clients["s3"], self.place, PRODUCTION, Cursor(), since, EVERY_OBJECT)
        return list(found.names[-OBJECTS:])

    def _start(self, name: str, subject: Subject, workshop: Workshop, objects: list[str]) -> None:
        folder = f"s3://{self.place.bucket}/{self.place.folder(PRODUCTION)}"
        # "A manifest is an S3 object which is a JSON file consisting of an array of elements": S3DataSource.
        manifest = self._put(f"{name}/captures.manifest", [{"prefix": folder}, *objects])
        champion = subject.champion
        environment = {
            **subject.container.get("Environment", {}),
            "ANSWERED_BY": champion.version,
            # Who has been champion for longer than is known has been so since the endpoint last changed.
            "ANSWERED_SINCE": iso(champion.since or self._changed),
        }
        inputs = (
            ("captures", "ManifestFile", manifest),
            ("model", "S3Prefix", subject.container["ModelDataUrl"]),
        )
        try:
            self._target.clients["sagemaker"].create_processing_job(
                ProcessingJobName=name,
                RoleArn=workshop.role_arn,
                AppSpecification={
                    "ImageUri": subject.image,
                    "ContainerEntrypoint": ["python", "-m", "endpoints.serving.replayed"],
                },
                Environment=environment,
                ProcessingInputs=[
                    {
                        "InputName": given,
                        "S3Input": {
                            "S3Uri": uri,
                            "LocalPath": f"{BASE}/{given}",
                            "S3DataType": kind,
                            "S3InputMode": "File",
                            "S3DataDistributionType": "FullyReplicated",
                        },
                    }
                    for given, kind, uri in inputs
                ],
                ProcessingOutputConfig={
                    "Outputs": [
                        {
                            "OutputName": "replayed",
                            "S3Output": {
                                "S3Uri": self._uri(name),
                                "LocalPath": f"{BASE}/output",
                                "S3UploadMode": "EndOfJob",
                            },
                        }
                    ],
                    **({"KmsKeyId": self._key} if self._key else {}),
                },
                ProcessingResources={
                    "ClusterConfig": {
                        "InstanceCount": 1,
                        "InstanceType": subject.instance_type,
                        "VolumeSizeInGB": self._target.workload.training.volume_gb,
                        "VolumeKmsKeyId": workshop.volume_key_arn,
                    }
                },
                NetworkConfig={
                    "EnableNetworkIsolation": True,
                    "EnableInterContainerTrafficEncryption": True,
                    "VpcConfig": {
                        "SecurityGroupIds": list(workshop.security_group_ids),
                        "Subnets": list(workshop.subnet_ids),
                    },
                },
                StoppingCondition={"MaxRuntimeInSeconds": SECONDS},
            )
        except ClientError as error:
            # Somebody else began the same comparison.
            if error.response["Error"]["Code"] != "ResourceInUse":
                raise

    def _result(self, name: str, tell: Callable[[str], None]) -> Replayed:
        sagemaker = self._target.clients["sagemaker"]
        while (job := sagemaker.describe_processing_job(ProcessingJobName=name))["ProcessingJobStatus"] in (
            "InProgress",
            "Stopping",
        ):
            tell(f"{name} replays what production answered")
            self._target.clock.sleep(EVERY)
        if job["ProcessingJobStatus"] != "Completed":
            reason = job.get("FailureReason") or job.get("ExitMessage") or "it was stopped"
            raise SluiceError(
                f"the patched image could not be compared, {name} is {job['ProcessingJobStatus']}: {reason}",
                "`sluice logs` has what it said. Run this again once that is mended.",
            )
        key = self._uri(f"{name}/replayed.json").partition(f"s3://{self.place.bucket}/")[2]
        body = self._target.clients["s3"].get_object(Bucket=self.place.bucket, Key=key)["Body"]
        return parse(Replayed, json.loads(body.read()), self._uri(f"{name}/replayed.json"))

    def _uri(self, name: str) -> str:
        parts = (self.place.prefix, "replayed", self.place.endpoint, name)
        return f"s3://{self.place.bucket}/{'/'.join(part for part in parts if part)}"

    def _put(self, name: str, value: Any, versioned: bool = False) -> str:
        uri = self._uri(name)
        encryption = (
            {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self._key} if self._key is not None else {}
        )
        answer = self._target.clients["s3"].put_object(
            Bucket=self.place.bucket,
            Key=uri.removeprefix(f"s3://{self.place.bucket}/"),
            Body=canonical(value),
            ContentType="application/json",
            **encryption,
        )
        version = answer.get("VersionId") if versioned else None
        return uri if version in (None, "null") else f"{uri}?versionId={quote(version)}"
