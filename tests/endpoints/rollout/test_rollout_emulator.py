"""The same rollouts against the emulator: real serving processes, real alarms, the system's clock."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from endpoints.rollout import marks
from endpoints.rollout.plugin import Deployment
from sluice.errors import SluiceError
from sluice.provider import Context
from tests.emulator.conftest import Emulator, emulator
from tests.emulator.endpoints.world import World
from tests.endpoints.rollout.samples import ALARMS, inputs_for

__all__ = ["emulator"]
TARGET = "endpoint/e/variant/AllTraffic"
SCOPE = {"ServiceNamespace": "sagemaker", "ScalableDimension": "sagemaker:variant:DesiredInstanceCount"}


@dataclass
class Log:
    """Stands for the engine's log; may act when it is told something."""

    said: list[str] = field(default_factory=list)
    react: Any = None

    def info(self, message: str, *, ephemeral: bool = False) -> None:
        self.said.append(message)
        if self.react is not None:
            self.react(message)


@dataclass
class Stack:
    """What the engine keeps, and what it does with a resource."""

    world: World
    resource: Deployment = field(default_factory=Deployment)
    inputs: dict[str, Any] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)
    log: Log = field(default_factory=Log)

    def up(self, **changes: Any) -> None:
        model = changes.pop("model", "good")
        for way in (model, changes.get("shadow")):
            if way is not None:
                self.world.model(way)
        guardrails = {**inputs_for()["guardrails"], "waitSeconds": 2, "bakeSeconds": 2}
        inputs = inputs_for(model=model, metricsFrequencySeconds=10, guardrails=guardrails, **changes)
        self.log = Log(react=self.log.react)
        context = Context(urn="a::b::c::e", log=self.log)  # type: ignore[arg-type]
        checked = self.resource.check(context, self.inputs, inputs)
        if checked.failures:
            raise SluiceError("; ".join(failure.reason for failure in checked.failures))
        if not self.state:
            outputs = self.resource.create(context, inputs).outputs
        elif self.resource.diff(context, "e", self.state, self.inputs, inputs).changes:
            outputs = self.resource.update(context, "e", self.state, self.inputs, inputs)
        else:
            return
        self.inputs, self.state = inputs, {**inputs, **outputs}


@pytest.fixture(scope="module")
def stack(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", emulator.endpoint_url)
        for name, value in {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
        }.items():
            patch.setenv(name, value)
        world = World(emulator, tmp_path_factory.mktemp("image"))
        for alarm in ALARMS:
            emulator.client("cloudwatch").put_metric_alarm(
                AlarmName=alarm,
                Namespace="Sluice/Release",
                MetricName="Abort",
                Statistic="Sum",
                Period=10,
                EvaluationPeriods=1,
                Threshold=1,
                ComparisonOperator="GreaterThanOrEqualToThreshold",
                TreatMissingData="notBreaching",
            )
        made = Stack(world)
        made.up()
        yield made


def test_a_release_through_shadow_and_canary(stack: Stack) -> None:
    assert stack.state["endpointStatus"] == "InService"
    stack.up(shadow="better", release="r2")
    now = stack.world.describe("e")
    assert [v["VariantName"] for v in now["ShadowProductionVariants"]] == ["Shadow"]
    stack.up(model="better", stage="canary", release="r2")
    assert stack.world.invoke("e")["About"]["way"] == "better"
    updates = stack.world.describe("e")["LastDeploymentConfig"]["BlueGreenUpdatePolicy"]
    assert updates["TrafficRoutingConfiguration"]["Type"] == "CANARY"
    before = stack.world.describe("e")["LastModifiedTime"]
    stack.up(model="better", stage="live", release="r2-live")
    assert stack.world.describe("e")["LastModifiedTime"] == before


def test_refresh_sees_no_drift(stack: Stack) -> None:
    context = Context(urn="a::b::c::e")
    read = stack.resource.read(context, "e", stack.state, stack.inputs)
    assert read is not None
    assert read.inputs == stack.inputs
    assert not stack.resource.diff(context, "e", read.outputs, read.inputs, stack.inputs).changes


def test_an_abort_rolls_back_fails_names_the_alarm_and_is_refused(stack: Stack) -> None:
    live = stack.state["configName"]
    cloudwatch = stack.world.emulator.client("cloudwatch")

    def abort(message: str) -> None:
        if "Updating" in message:
            cloudwatch.set_alarm_state(AlarmName=ALARMS[1], StateValue="ALARM", StateReason="operator")

    stack.log = Log(react=abort)
    with pytest.raises(SluiceError, match=f"rolled back to {live}.*{ALARMS[1]}"):
        stack.up(model="other", stage="canary", release="r3")
    assert stack.world.describe("e")["EndpointConfigName"] == live
    stack.log = Log()
    with pytest.raises(SluiceError, match="is not tried again"):
        stack.up(model="other", stage="canary", release="r3")
    arn = stack.state["endpointArn"]
    tags = {tag["Key"]: tag["Value"] for tag in stack.world.sagemaker.list_tags(ResourceArn=arn)["Tags"]}
    assert tags[marks.REFUSED].endswith(" r3")
    # An alarm that rings is waited for; once nobody sets it any more it clears by itself.
    waited = f"waiting for {ALARMS[1]} to leave ALARM"
    with ringing(stack, ALARMS[1], waited):
        stack.up(model="third", stage="canary", release="r4")
    assert any(waited in message for message in stack.log.said)


@contextlib.contextmanager
def ringing(stack: Stack, alarm: str, until: str) -> Iterator[None]:
    """The alarm is set again and again, until the rollout says so."""
    cloudwatch, heard = stack.world.emulator.client("cloudwatch"), threading.Event()

    def ring() -> None:
        cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="operator")

    def again() -> None:
        while not heard.wait(0.2):
            ring()

    ring()
    thread = threading.Thread(target=again)
    stack.log = Log(react=lambda message: heard.set() if until in message else None)
    thread.start()
    try:
        yield
    finally:
        heard.set()
        thread.join()
        stack.log.react = None


def test_another_instance_type_under_autoscaling(stack: Stack) -> None:
    scaling = stack.world.emulator.client("application-autoscaling")
    scaling.register_scalable_target(ResourceId=TARGET, MinCapacity=2, MaxCapacity=4, **SCOPE)
    scaling.put_scaling_policy(
        ResourceId=TARGET,
        PolicyName="track",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": 3.0,
            "PredefinedMetricSpecification": {
                "PredefinedMetricType": "SageMakerVariantConcurrentRequestsPerModelHighResolution"
            },
        },
        **SCOPE,
    )
    stack.up(model="third", instance_type="ml.m5.xlarge", release="r5")
    (target,) = scaling.describe_scalable_targets(ResourceIds=[TARGET], **SCOPE)["ScalableTargets"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (2, 4)
    (policy,) = scaling.describe_scaling_policies(ResourceId=TARGET, **SCOPE)["ScalingPolicies"]
    assert policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 3.0


def test_z_delete_leaves_nothing(stack: Stack) -> None:
    stack.resource.delete(Context(urn="a::b::c::e"), "e", stack.state, stack.inputs)
    assert stack.resource.read(Context(), "e", stack.state, stack.inputs) is None
    configs = stack.world.sagemaker.list_endpoint_configs(NameContains="e-")["EndpointConfigs"]
    assert not configs
