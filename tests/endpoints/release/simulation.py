"""A whole release in memory: file, registry, endpoint and Pulumi's resource, on a clock that a test holds.

The deployment is the real one, over a SageMaker that keeps SageMaker's rules.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar

from endpoints.plan import plan
from endpoints.release.target import Target
from endpoints.rollout.plugin import Deployment
from sluice.clock import ManualClock
from sluice.errors import SluiceError
from sluice.provider import Context
from tests.endpoints.rollout.fake import FakeAws, _Client, refuse
from workloads.contract import Workload

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
GROUP = "arn:aws:sagemaker:us-east-1:123456789012:model-package/flights"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/sluice@sha256:" + "0" * 64
ENDPOINT = "flights-local"
ALARMS = (f"{ENDPOINT}-rollback-5xx", f"{ENDPOINT}-abort")


def arn(number: int) -> str:
    return f"{GROUP}/{number}"


def model_of(package: str) -> str:
    return f"flights-local-v{package.rpartition('/')[2]}"


class Aws(FakeAws):
    """SageMaker with its registry and its models."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.versions: dict[int, str] = {}
        self.approvals: dict[int, str] = {}
        self.models: dict[str, str] = {}
        self.alarms = dict.fromkeys(ALARMS, "OK")

    def on_DescribeModelPackage(self, ModelPackageName: str) -> Any:
        number = int(ModelPackageName.rpartition("/")[2])
        if number not in self.versions:
            raise refuse("DescribeModelPackage", "ModelPackage does not exist.")
        return {
            "ModelPackageArn": ModelPackageName,
            "ModelPackageGroupName": "flights",
            "CreationTime": NOON,
            "ModelApprovalStatus": self.approvals[number],
            "InferenceSpecification": {"Containers": [{"Image": IMAGE}]},
            "CustomerMetadataProperties": {
                "workload": "flights",
                "version": self.versions[number],
                "kind": "incumbent" if self.versions[number] == "0" else "model",
            },
        }

    def on_ListModelPackages(self, ModelPackageGroupName: str) -> Any:
        return {"ModelPackageSummaryList": [{"ModelPackageArn": arn(number)} for number in self.versions]}

    def on_UpdateModelPackage(
        self, ModelPackageArn: str, ModelApprovalStatus: str, ApprovalDescription: str
    ) -> Any:
        self.approvals[int(ModelPackageArn.rpartition("/")[2])] = ModelApprovalStatus
        return {}

    def on_DescribeModel(self, ModelName: str) -> Any:
        if ModelName not in self.models:
            raise refuse("DescribeModel", "Could not find model.")
        return {"ModelName": ModelName, "PrimaryContainer": {"ModelPackageName": self.models[ModelName]}}

    def on_ListModels(self, NameContains: str) -> Any:
        return {"Models": [{"ModelName": name} for name in self.models if NameContains in name]}

    def on_DescribeAlarms(
        self, AlarmNames: Any = (), AlarmTypes: Any = (), AlarmNamePrefix: str | None = None
    ) -> Any:
        if AlarmNamePrefix is not None:
            AlarmNames = [name for name in self.alarms if name.startswith(AlarmNamePrefix)]
        return super().on_DescribeAlarms(AlarmNames, AlarmTypes)


@dataclass
class Simulation:
    """One workload. `crash` is called before each thing that lasts: a step of the file, a deployment."""

    clock: ManualClock = field(default_factory=lambda: ManualClock(NOON))
    crash: Callable[[str], None] = lambda _: None
    state: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, Any] = field(default_factory=dict)
    deployed: int = 0
    kind: ClassVar[type[Aws]] = Aws

    def __post_init__(self) -> None:
        self.aws = self.kind(self.clock)
        self.resource = Deployment(self.aws.cloud, self.clock)
        self.target = Target(
            Workload.load("flights"),
            "local",
            "us-east-1",
            self.deploy,
            self.refresh,
            clock=self.clock,
            who="ada",
        )
        clients = {name: _Client(self.aws, name) for name in ("sagemaker", "cloudwatch")}
        self.target.__dict__.update(cloud=self.aws.cloud(), clients=clients)

    def package(self, number: int, version: str, approval: str = "Approved") -> str:
        """Register a package."""
        self.aws.versions[number], self.aws.approvals[number] = version, approval
        return arn(number)

    def deploy(self, target: Target) -> None:
        """`pulumi up`: models first, then the resource, whose check may refuse."""
        self.crash("before the deployment")
        # The program sets the alarms on the new config, of which there are no values yet.
        self.aws.alarms = dict.fromkeys(ALARMS, "OK")
        wanted = plan(target.read())
        assert wanted is not None
        for version in (wanted.production, *([wanted.shadow] if wanted.shadow else [])):
            self.aws.models[model_of(version.package)] = version.package
        inputs: dict[str, Any] = {
            "endpointName": ENDPOINT,
            "production": {
                "modelName": model_of(wanted.production.package),
                "instanceType": "ml.m5.large",
                "instances": 2,
            },
            "guardrails": {
                "canaryPercent": 50,
                "waitSeconds": 40,
                "bakeSeconds": 20,
                "maximumSeconds": 600,
                "alarmNames": list(ALARMS),
            },
            "stage": wanted.stage,
            "release": wanted.release,
        }
        if wanted.shadow is not None:
            shadow = model_of(wanted.shadow.package)
            inputs["shadow"] = {"modelName": shadow, "instanceType": "ml.m5.large"}
        context = Context(urn="a::b::c::e")
        if failures := self.resource.check(context, self.inputs, inputs).failures:
            raise SluiceError("; ".join(failure.reason for failure in failures))
        if not self.state:
            outputs = self.resource.create(context, inputs).outputs
        elif self.resource.diff(context, ENDPOINT, self.state, self.inputs, inputs).changes:
            outputs = self.resource.update(context, ENDPOINT, self.state, self.inputs, inputs)
        else:
            return
        self.deployed += 1
        self.crash("before Pulumi writes its state")
        self.inputs, self.state = inputs, {**inputs, **outputs}

    def refresh(self, _: Target) -> None:
        """`pulumi refresh`."""
        read = self.resource.read(Context(urn="a::b::c::e"), ENDPOINT, self.state, self.inputs)
        self.inputs, self.state = ({}, {}) if read is None else (dict(read.inputs), dict(read.outputs))

    def tags(self) -> dict[str, str]:
        """Of the endpoint."""
        return self.aws.tag_store[self.aws.endpoints[ENDPOINT]["EndpointArn"]]

    def live(self) -> str:
        """The model that answers."""
        config = self.aws.configs[self.aws.endpoints[ENDPOINT]["EndpointConfigName"]]
        return str(config["ProductionVariants"][0]["ModelName"])
