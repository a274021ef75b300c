"""Which packages an endpoint serves, by what SageMaker says alone: no release file and no Pulumi is asked."""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from endpoints.rollout.cloud import Cloud
from endpoints.rollout.configs import Kept, known_models, production
from endpoints.rollout.glass import KEYS, Glass, glass_of
from endpoints.rollout.marks import REFUSED
from endpoints.rollout.observe import Observed
from sluice.config import Frozen
from sluice.errors import SluiceError


class Serving(Frozen):
    """An endpoint in terms of releases.

    Attributes:
        status: None where there is no endpoint.
        production, shadow: package ARNs behind the variants; None where there is none or it cannot be told.
        pending: the config that is being deployed.
        refused: the fingerprint of the release that SageMaker turned back.
        glass: what is said of a broken glass, in words.
    """

    status: str | None
    config: str | None
    pending: str | None
    production: str | None
    shadow: str | None
    refused: str | None
    glass: str | None


def serving(cloud: Cloud, endpoint: str) -> Serving:
    """The endpoint now."""
    seen = cloud.endpoint(endpoint)
    tags = {} if seen.arn is None else cloud.tags(seen.arn)
    config = cloud.config(seen.config) if seen.config else None
    shadows = (config or {}).get("ShadowProductionVariants") or ()
    glass = glass_of(tags)
    return Serving(
        status=seen.status,
        config=seen.config,
        pending=_pending(seen),
        production=package_of(cloud.sagemaker, production(config).get("ModelName")),
        shadow=package_of(cloud.sagemaker, shadows[0]["ModelName"]) if shadows else None,
        refused=tags.get(REFUSED, "").rpartition(" ")[2] or None,
        glass=None if glass is None else glass.says,
    )


def answered(cloud: Cloud, endpoint: str) -> frozenset[str] | None:
    """Packages that answer on the endpoint or did, as far as their configs and models are kept; None where none did
    yet, for there is no endpoint, or it never came into service."""
    now = serving(cloud, endpoint)
    if now.status is None:
        return None
    models = known_models(cloud, endpoint)
    if not models and now.status in ("Creating", "Failed"):
        return None
    before = (package_of(cloud.sagemaker, model) for model in models)
    return frozenset(package for package in (now.production, *before) if package is not None)


def broken_glass(cloud: Cloud, endpoint: str) -> Glass | None:
    """Whether somebody put something live past the release file, and what they said."""
    seen = cloud.endpoint(endpoint)
    return None if seen.arn is None else glass_of(cloud.tags(seen.arn))


def refuse_undoing(cloud: Cloud, endpoint: str, workload: str, package: str) -> None:
    """Let a release go on after a broken glass only if its file says what is live; the marks are taken away then.

    Raises:
        SluiceError: if another package than this one is live since.
    """
    seen = cloud.endpoint(endpoint)
    glass = None if seen.arn is None else glass_of(cloud.tags(seen.arn))
    if glass is None or seen.arn is None:
        return
    if seen.pending is None and serving(cloud, endpoint).production == package:
        cloud.untag(seen.arn, KEYS)
        return
    raise SluiceError(
        f"{glass.says}. The release of {workload} does not say so yet",
        f"Make it say what is live: sluice release adopt {workload}",
    )


def package_of(sagemaker: Any, model: str | None) -> str | None:
    """The package that a model was made of; None if the model is gone or was made of something else."""
    if model is None:
        return None
    try:
        found = sagemaker.describe_model(ModelName=model)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("ValidationException", "ResourceNotFound"):
            return None
        raise
    containers = [found.get("PrimaryContainer") or {}, *(found.get("Containers") or ())]
    package: str | None = next((c["ModelPackageName"] for c in containers if c.get("ModelPackageName")), None)
    return package


def models(cloud: Cloud, prefix: str, kept: list[Kept]) -> Mapping[str, str]:
    """The models that could be put live, by package ARN.

    Args:
        prefix: that the models of this endpoint have.
        kept: its configs.
    """
    pages = cloud.sagemaker.get_paginator("list_models").paginate(NameContains=prefix)
    named = [m["ModelName"] for page in pages for m in page["Models"] if m["ModelName"].startswith(prefix)]
    found: dict[str, str] = {}
    for model in dict.fromkeys([*(each.model for each in kept), *named]):
        package = package_of(cloud.sagemaker, model)
        if package is not None:
            found.setdefault(package, model)
    return found


def _pending(seen: Observed) -> str | None:
    return None if seen.pending == seen.config else seen.pending
