"""What Application Auto Scaling keeps: targets, their policies, scheduled actions and activities."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from emulator.autoscaling.arithmetic import Last, Limits

NAMESPACE = "sagemaker"
DIMENSION = "sagemaker:variant:DesiredInstanceCount"


@dataclass
class Policy:
    """A target tracking policy and the names of its alarms (high, then low if there is one)."""

    name: str
    arn: str
    configuration: dict[str, Any]
    created: datetime
    alarms: tuple[str, ...] = ()


@dataclass
class Scheduled:
    """A scheduled action; `given` is what PutScheduledAction carried, `next` when it fires."""

    arn: str
    given: dict[str, Any]
    created: datetime
    next: datetime | None = None


@dataclass
class Target:
    """A registered variant."""

    resource: str
    arn: str
    minimum: int
    maximum: int
    role: str
    created: datetime
    suspended: dict[str, bool] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    policies: dict[str, Policy] = field(default_factory=dict)
    scheduled: dict[str, Scheduled] = field(default_factory=dict)
    last_out: Last | None = None
    last_in: Last | None = None
    activity: dict[str, Any] | None = None
    """The one in progress."""
    retry_at: datetime | None = None
    """After a failed activity, not before."""

    @property
    def endpoint(self) -> str:
        return self.resource.split("/")[1]

    @property
    def variant(self) -> str:
        return self.resource.split("/")[3]

    @property
    def limits(self) -> Limits:
        return Limits(
            self.minimum,
            self.maximum,
            out_suspended=bool(self.suspended.get("DynamicScalingOutSuspended")),
            in_suspended=bool(self.suspended.get("DynamicScalingInSuspended")),
        )

    def describe(self) -> dict[str, Any]:
        """A member of DescribeScalableTargets."""
        names = ("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended")
        return {
            "ServiceNamespace": NAMESPACE,
            "ResourceId": self.resource,
            "ScalableDimension": DIMENSION,
            "MinCapacity": self.minimum,
            "MaxCapacity": self.maximum,
            "RoleARN": self.role,
            "CreationTime": self.created,
            "SuspendedState": {name: bool(self.suspended.get(name)) for name in names},
            "ScalableTargetARN": self.arn,
        }
