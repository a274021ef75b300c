"""What the world says of an endpoint, as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Observed:
    """An endpoint at one moment; `status` is None where there is none."""

    status: str | None = None
    config: str | None = None
    """The config that serves; during an update still the old one."""
    pending: str | None = None
    """The config that an update, or the creation, is on its way to."""
    reason: str | None = None
    """SageMaker's FailureReason."""
    arn: str | None = None
    modified: datetime | None = None
    desired: Mapping[str, int] = field(default_factory=dict)
    """Instances by variant."""
    phase: str | None = None
    """What the variants say they are doing: ActivatingTraffic, Baking."""


ABSENT = Observed()


def observed(description: Mapping[str, Any] | None) -> Observed:
    """DescribeEndpoint's answer; None stands for an endpoint that does not exist."""
    if description is None:
        return ABSENT
    pending = description.get("PendingDeploymentSummary") or {}
    variants = description.get("ProductionVariants", ())
    shadows = description.get("ShadowProductionVariants") or ()
    phases = {
        state["Status"]
        for variant in (*variants, *pending.get("ProductionVariants", ()))
        for state in variant.get("VariantStatus") or ()
    }
    return Observed(
        status=description["EndpointStatus"],
        config=description.get("EndpointConfigName"),
        pending=pending.get("EndpointConfigName"),
        reason=description.get("FailureReason") or None,
        arn=description["EndpointArn"],
        modified=description.get("LastModifiedTime"),
        desired={
            variant["VariantName"]: int(variant["DesiredInstanceCount"])
            for variant in (*variants, *shadows)
            if variant.get("DesiredInstanceCount") is not None
        },
        phase=", ".join(sorted(phases)) or None,
    )
