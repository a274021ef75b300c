"""Model packages, read-only: what the registry says of them, and why one may not be deployed."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from botocore.exceptions import ClientError

from endpoints.release.file import ReleaseFile, number, short
from sluice import aws, naming
from sluice.config import Frozen
from sluice.errors import SluiceError

Approval = Literal["Approved", "Rejected", "PendingManualApproval"]


class Package(Frozen):
    """A version in the registry. `properties` are what the training pipeline wrote down with it, `evaluation` is the S3
    URI of what its model scored."""

    arn: str
    workload: str
    version: str
    kind: str
    approval: Approval
    image: str
    created: str
    properties: dict[str, str]
    evaluation: str = ""

    @property
    def patches(self) -> str | None:
        """The package whose model this one has in another image; None of one that was trained."""
        return self.properties.get("patches")

    @property
    def image_digest(self) -> str:
        """`sha256:…` of the image that the package pins."""
        return self.image.rpartition("@")[2]


def describe(package: str, sagemaker: Any = None) -> Package | None:
    """The package, or None if the registry does not know it."""
    try:
        found = (sagemaker or aws.client("sagemaker")).describe_model_package(ModelPackageName=package)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("ValidationException", "ResourceNotFound"):
            return None
        raise
    properties = dict(found.get("CustomerMetadataProperties", {}))
    containers = found.get("InferenceSpecification", {}).get("Containers", [])
    return Package(
        arn=found["ModelPackageArn"],
        workload=properties.get("workload", found.get("ModelPackageGroupName", "")),
        version=properties.get("version", ""),
        kind=properties.get("kind", ""),
        approval=found["ModelApprovalStatus"],
        image=containers[0]["Image"] if containers else "",
        created=str(found["CreationTime"]),
        properties=properties,
        evaluation=found.get("ModelMetrics", {})
        .get("ModelQuality", {})
        .get("Statistics", {})
        .get("S3Uri", ""),
    )


def expectation(package: Package, s3: Any) -> dict[str, float]:
    """What the package's own evaluation lets one expect at most of its labelled answers: the upper ends of the 95 %
    intervals, by check of the judge. Empty where there is no evaluation."""
    if not package.evaluation:
        return {}
    bucket, _, key = package.evaluation.removeprefix("s3://").partition("/")
    try:
        evaluation = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
            return {}
        raise
    interval = evaluation["models"]["candidate"]["intervals"].get("brier")
    return {} if interval is None else {"brier": float(interval[1])}


def packages(workload: str, sagemaker: Any = None) -> list[Package]:
    """Every package of the workload, the newest first."""
    client = sagemaker or aws.client("sagemaker")
    pages = client.get_paginator("list_model_packages").paginate(
        ModelPackageGroupName=naming.model_package_group_name(workload)
    )
    try:
        arns = [found["ModelPackageArn"] for page in pages for found in page["ModelPackageSummaryList"]]
    except ClientError as error:
        if error.response["Error"]["Code"] in ("ValidationException", "ResourceNotFound"):
            return []
        raise
    described = (describe(arn, client) for arn in sorted(arns, key=number, reverse=True))
    return [package for package in described if package is not None]


def find(workload: str, wanted: str | None, candidates: Iterable[Package]) -> Package:
    """The package that a person means by `wanted`: an ARN, a number in the group, or a version; the newest of a
    version that was made twice. None is the newest of all.

    Args:
        candidates: the workload's packages, the newest first.

    Raises:
        SluiceError: if there is none.
    """
    known = list(candidates)
    for package in known:
        if wanted is None or wanted in (
            package.arn,
            short(package.arn),
            str(number(package.arn)),
            package.version,
        ):
            return package
    raise SluiceError(
        f"{workload} has no model package {wanted}" if wanted else f"{workload} has no model package yet",
        f"There are: {', '.join(f'{short(p.arn)} (version {p.version})' for p in known)}."
        if known
        else f"Train one: sluice train {workload}",
    )


def refuse(release: ReleaseFile, known: Mapping[str, Package | None]) -> list[str]:
    """Why the release may not be deployed; nothing if it may. Pure.

    Args:
        known: each package that the release names, as the registry describes it.
    """
    reasons = []
    for role, entry in (("champion", release.champion), ("challenger", release.challenger)):
        if entry is None:
            continue
        package = known.get(entry.package)
        if entry.package in release.rejected:
            reasons.append(f"the {role} {short(entry.package)} is rejected")
        if package is None:
            reasons.append(f"the {role} {short(entry.package)} is not in the registry")
            continue
        if package.approval != "Approved":
            reasons.append(f"the {role} {short(entry.package)} is not approved, it is {package.approval}")
        if package.version != entry.version:
            reasons.append(
                f"the {role} {short(entry.package)} is version {package.version}, the release says {entry.version}"
            )
        if "@sha256:" not in package.image:
            reasons.append(
                f"the {role} {short(entry.package)} pins no image by digest: {package.image or 'none'}"
            )
    reasons += [
        f"{short(package)} of the history is not in the registry, so there is no way back to it"
        for package in release.history
        if known.get(package) is None
    ]
    return reasons


def refuse_undeployable(release: ReleaseFile, workload: str, sagemaker: Any = None) -> dict[str, Package]:
    """The packages of a release that may be deployed, by ARN: champion, challenger and history.

    Raises:
        SluiceError: with every reason why it may not.
    """
    client = sagemaker or aws.client("sagemaker")
    entries = [entry.package for entry in (release.champion, release.challenger) if entry is not None]
    known = {arn: describe(arn, client) for arn in (*entries, *release.history)}
    reasons = refuse(release, known)
    reasons += [
        f"{short(arn)} is a model of {package.workload}"
        for arn, package in known.items()
        if package is not None and package.workload != workload
    ]
    if reasons:
        raise SluiceError(
            f"the release of {workload} cannot be deployed: {'; '.join(reasons)}",
            f"`sluice release status {workload}` shows it; change it by `sluice release`, or approve the package.",
        )
    return {arn: package for arn, package in known.items() if package is not None}
