"""The model package group, read and written through boto3. What a package says of itself is in one place here."""

from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.steps.versions import Registered
from sluice.errors import SluiceError
from sluice.naming import content_hash, model_package_group_name
from workloads.contract import Workload
from workloads.modules import Description

CONTENT_TYPES = ("text/csv", "application/json", "application/x-npy", "application/vnd.apache.arrow.stream")
RESPONSE_TYPES = ("text/csv", "application/json")
LIMIT = 256
"""CustomerMetadataProperties' values hold this many characters."""


def packages(sagemaker: Any, group: str) -> Iterator[Mapping[str, Any]]:
    """DescribeModelPackage of each package of the group that was completely registered, the oldest first."""
    pages = sagemaker.get_paginator("list_model_packages").paginate(
        ModelPackageGroupName=group, SortBy="CreationTime", SortOrder="Ascending"
    )
    for page in pages:
        for summary in page["ModelPackageSummaryList"]:
            yield sagemaker.describe_model_package(ModelPackageName=summary["ModelPackageArn"])


def registered(description: Mapping[str, Any]) -> Registered | None:
    """What a package says of itself; None of one that is not ours."""
    properties = description.get("CustomerMetadataProperties") or {}
    if "version" not in properties:
        return None
    return Registered(
        package=description["ModelPackageArn"],
        version=properties["version"],
        code_hash=properties.get("code_hash", ""),
        data_hash=properties.get("data_hash", ""),
        execution=properties.get("execution", ""),
    )


def create(
    sagemaker: Any,
    workload: Workload,
    description: Description,
    *,
    image: str,
    model_data_url: str,
    evaluation_url: str = "",
    evaluated_until: str = "",
    champion: str = "",
    commit: str = "",
    execution: str = "",
) -> str:
    """Register a model, waiting for a decision; returns the package's ARN. Doing it again for the same execution
    and version gives the same package.

    Raises:
        SluiceError: if the version was meanwhile taken by another execution.
    """
    group = model_package_group_name(workload.name)
    for package in filter(None, map(registered, packages(sagemaker, group))):
        if package.version != description.version:
            continue
        if package.execution == execution:
            return package.package
        raise SluiceError(
            f"{workload.name} {description.version} was registered by another execution while this one ran",
            "Start the training again; it takes the next version.",
        )
    properties = {
        "workload": workload.name,
        "version": description.version,
        "kind": description.kind,
        "change": description.change,
        "image_digest": image.rpartition("@")[2],
        "code_hash": description.code_hash,
        "data_hash": description.data_hash,
        "commit": commit,
        "train_from": description.train_from,
        "train_until": description.train_until,
        "evaluated_until": evaluated_until,
        "champion": champion,
        "execution": execution,
    }
    request: dict[str, Any] = {
        "ModelPackageGroupName": group,
        "ModelPackageDescription": f"{workload.name} {description.version} ({description.kind}): {description.change}",
        "ModelApprovalStatus": "PendingManualApproval",
        # A value may not be empty, and what is unknown is better missing.
        "CustomerMetadataProperties": {name: value[:LIMIT] for name, value in properties.items() if value},
        "InferenceSpecification": {
            "Containers": [
                {
                    "Image": image,
                    "ModelDataUrl": model_data_url,
                    "Environment": {"SLUICE_WORKLOAD": workload.name},
                }
            ],
            "SupportedContentTypes": list(CONTENT_TYPES),
            "SupportedResponseMIMETypes": list(RESPONSE_TYPES),
            "SupportedRealtimeInferenceInstanceTypes": [workload.serving.instance_type],
        },
        # A repeated call with the same token gives the same package, even where the answer of the first was lost.
        "ClientToken": content_hash([group, description.version, execution, image, model_data_url], 32),
    }
    if evaluation_url:
        statistics = {"ContentType": "application/json", "S3Uri": evaluation_url}
        request["ModelMetrics"] = {"ModelQuality": {"Statistics": statistics}}
    return str(sagemaker.create_model_package(**request)["ModelPackageArn"])
