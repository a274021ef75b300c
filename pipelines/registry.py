"""The registry from outside the jobs: version 0, and what every package says."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from pipelines.steps import registry
from pipelines.steps.train import copy_code
from sluice import aws, images
from sluice.engine import outputs
from sluice.errors import SluiceError
from sluice.naming import model_package_group_name
from workloads.contract import Workload
from workloads.modules import Description, incumbent

INCUMBENT = "0"


def register_incumbent(name: str) -> dict[str, str]:
    """Make version 0, the rule that decides today, a model package like every other; once.

    Returns:
        `package` and `version`.

    Raises:
        SluiceError: if the workload has no incumbent, or its pipelines are not up.
    """
    workload = Workload.load(name)
    incumbent(name)
    sagemaker = aws.client("sagemaker")
    for known in summaries(name):
        if known["version"] == INCUMBENT:
            return {"package": str(known["package"]), "version": INCUMBENT}
    platform = outputs.platform()
    description = Description(
        kind="incumbent",
        workload=name,
        version=INCUMBENT,
        method=workload.method,
        change="incumbent",
        code_hash=_hash(workload.folder / "incumbent.py"),
    )
    archive = model_archive(workload, description)
    key = f"{name}/models/{INCUMBENT}/{description.code_hash[:12]}/model.tar.gz"
    aws.client("s3").put_object(Bucket=platform.artifacts_bucket, Key=key, Body=archive)
    package = registry.create(
        sagemaker,
        workload,
        description,
        image=images.address("serving", name, platform.image_repository, platform.image_repository_url),
        model_data_url=f"s3://{platform.artifacts_bucket}/{key}",
    )
    return {"package": package, "version": INCUMBENT}


def model_archive(workload: Workload, description: Description) -> bytes:
    """A model.tar.gz with `model.json` and `code/` alone, the same bytes for the same code."""
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        description.write(folder)
        copy_code(workload.name, folder)
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for path in sorted(path for path in folder.rglob("*") if path.is_file()):
                member = tarfile.TarInfo(path.relative_to(folder).as_posix())
                content = path.read_bytes()
                member.size, member.mode = len(content), 0o644
                tar.addfile(member, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), mtime=0)


def summaries(name: str) -> list[dict[str, Any]]:
    """Every package of the workload, the oldest first: ARN, version, what it is, its approval and its metrics.

    Raises:
        SluiceError: if the group does not exist.
    """
    group = model_package_group_name(name)
    try:
        found = list(registry.packages(aws.client("sagemaker"), group))
    except ClientError as error:
        if error.response["Error"]["Code"] in ("ValidationException", "ResourceNotFound"):
            raise SluiceError(
                f"there is no model package group {group}", "Bring it up first: sluice up --only pipelines."
            ) from error
        raise
    return [_summary(package) for package in found]


def evaluation(uri: str) -> dict[str, Any]:
    """The evaluation.json at an S3 URI; empty if there is none."""
    parts = urlsplit(uri)
    s3 = aws.client("s3")
    try:
        answer = s3.get_object(Bucket=parts.netloc, Key=parts.path.lstrip("/"))
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "404", "NoSuchBucket"):
            return {}
        raise
    return dict(json.loads(answer["Body"].read()))


def _summary(package: Mapping[str, Any]) -> dict[str, Any]:
    properties = package.get("CustomerMetadataProperties") or {}
    uri = package.get("ModelMetrics", {}).get("ModelQuality", {}).get("Statistics", {}).get("S3Uri", "")
    judged = evaluation(uri).get("models", {}).get("candidate", {}) if uri else {}
    return {
        "package": package["ModelPackageArn"],
        "version": properties.get("version", ""),
        "kind": properties.get("kind", ""),
        "change": properties.get("change", ""),
        "approval": package["ModelApprovalStatus"],
        "train_until": properties.get("train_until", ""),
        "evaluated_until": properties.get("evaluated_until", ""),
        "evaluation": uri,
        "metrics": judged.get("metrics", {}),
    }


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
