"""What a call does to the fields of a model package. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from emulator.sagemaker.seam import refusal

KEPT = (
    "ModelPackageDescription",
    "ModelPackageRegistrationType",
    "InferenceSpecification",
    "ValidationSpecification",
    "SourceAlgorithmSpecification",
    "CertifyForMarketplace",
    "ModelApprovalStatus",
    "MetadataProperties",
    "ModelMetrics",
    "Domain",
    "Task",
    "SamplePayloadUrl",
    "CustomerMetadataProperties",
    "DriftCheckBaselines",
    "AdditionalInferenceSpecifications",
    "SkipModelValidation",
    "SourceUri",
    "SecurityConfig",
    "ModelCard",
    "ModelLifeCycle",
    "ManagedStorageType",
)
"""The fields of CreateModelPackage that DescribeModelPackage answers as they were given."""

APPROVALS = ("Approved", "Rejected", "PendingManualApproval")
MAX_PROPERTIES = 50
"""CustomerMetadataProperties: at most 50 entries (API reference of CreateModelPackage)."""


def check_approval(status: str | None) -> None:
    """
    Raises:
        RefusalError: ValidationException if it is no approval status.
    """
    if status is not None and status not in APPROVALS:
        raise refusal(
            f"1 validation error detected: Value '{status}' at 'modelApprovalStatus' failed to satisfy constraint: "
            "Member must satisfy enum value set: [Approved, Rejected, PendingManualApproval]"
        )


def updated(fields: Mapping[str, Any], params: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The fields after UpdateModelPackage: metadata properties are merged, not replaced.

    Raises:
        RefusalError: ValidationException for a wrong status or too many properties.
    """
    check_approval(params.get("ModelApprovalStatus"))
    after = dict(fields)
    for key in (
        "ModelApprovalStatus",
        "ModelPackageRegistrationType",
        "ApprovalDescription",
        "InferenceSpecification",
        "SourceUri",
        "ModelCard",
        "ModelLifeCycle",
    ):
        if params.get(key) is not None:
            after[key] = params[key]
    given, removed = (
        params.get("CustomerMetadataProperties") or {},
        params.get("CustomerMetadataPropertiesToRemove") or [],
    )
    if given or removed:
        merged = {**fields.get("CustomerMetadataProperties", {}), **given}
        after["CustomerMetadataProperties"] = {k: v for k, v in merged.items() if k not in removed}
        check_properties(after["CustomerMetadataProperties"])
    more = params.get("AdditionalInferenceSpecificationsToAdd")
    if more:
        after["AdditionalInferenceSpecifications"] = [
            *fields.get("AdditionalInferenceSpecifications", []),
            *more,
        ]
    after["LastModifiedTime"] = now
    return after


def check_properties(properties: Mapping[str, str] | None) -> None:
    """
    Raises:
        RefusalError: ValidationException for too many or too long entries.
    """
    entries = properties or {}
    if len(entries) > MAX_PROPERTIES:
        raise refusal(
            "1 validation error detected: Value at 'customerMetadataProperties' failed to satisfy constraint: "
            f"Member must have length less than or equal to {MAX_PROPERTIES}"
        )
    for key, value in entries.items():
        if not 1 <= len(key) <= 128 or not 1 <= len(value) <= 256:
            raise refusal(
                f"1 validation error detected: Value at 'customerMetadataProperties' for the key '{key}' failed to "
                "satisfy constraint: keys have 1 to 128 characters, values 1 to 256"
            )
