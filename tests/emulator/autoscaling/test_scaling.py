"""A variant under load: the API, the alarms and the loop, on a clock that the test holds."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulator import autoscaling, cloudwatch
from tests.emulator.inprocess import START, World

RESOURCE = "endpoint/flights-local/variant/AllTraffic"
COMMON = {
    "ServiceNamespace": "sagemaker",
    "ResourceId": RESOURCE,
    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
}


@dataclass
class Fleet:
    """What SageMaker says of the endpoint; takes two looks to change."""

    count: int = 2
    desired: int = 2
    status: str = "InService"
    exists: bool = True
    asked: list[int] = field(default_factory=list)
    looks: int = 0

    def describe_endpoint(self, EndpointName: str) -> dict[str, Any]:
        if not self.exists or EndpointName != "flights-local":
            error = {"Code": "ValidationException", "Message": "Could not find endpoint"}
            raise ClientError({"Error": error}, "DescribeEndpoint")
        if self.count != self.desired:
            self.looks += 1
            if self.looks > 2:
                self.count, self.looks, self.status = self.desired, 0, "InService"
        variant = {
            "VariantName": "AllTraffic",
            "CurrentInstanceCount": self.count,
            "DesiredInstanceCount": self.desired,
        }
        return {"EndpointStatus": self.status, "ProductionVariants": [variant]}

    def update_endpoint_weights_and_capacities(self, **given: Any) -> None:
        self.desired = given["DesiredWeightsAndCapacities"][0]["DesiredInstanceCount"]
        self.asked.append(self.desired)
        self.status = "Updating"


@pytest.fixture
def fleet(world: World) -> Iterator[Fleet]:
    made = Fleet()
    autoscaling.service()._sagemaker = made
    yield made


def register(world: World, **changes: Any) -> Any:
    client = world.client("application-autoscaling")
    client.register_scalable_target(**COMMON, **{"MinCapacity": 2, "MaxCapacity": 6, **changes})
    return client


def track(world: World, **changes: Any) -> list[str]:
    configuration = {
        "TargetValue": 5.0,
        "PredefinedMetricSpecification": {
            "PredefinedMetricType": "SageMakerVariantConcurrentRequestsPerModelHighResolution"
        },
        "ScaleOutCooldown": 30,
        "ScaleInCooldown": 60,
        **changes,
    }
    answer = world.client("application-autoscaling").put_scaling_policy(
        **COMMON,
        PolicyName="concurrency",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=configuration,
    )
    return [each["AlarmName"] for each in answer["Alarms"]]


def load(world: World, concurrency: float, seconds: int) -> None:
    dimensions = [
        {"Name": "EndpointName", "Value": "flights-local"},
        {"Name": "VariantName", "Value": "AllTraffic"},
    ]
    for _ in range(0, seconds, 10):
        datum = {"MetricName": "ConcurrentRequestsPerModel", "Dimensions": dimensions, "Value": concurrency}
        cloudwatch.publish("AWS/SageMaker", [{**datum, "StorageResolution": 1}])
        world.pass_time(10)


def test_a_missing_endpoint_or_variant_is_refused(world: World, fleet: Fleet) -> None:
    for resource in ("endpoint/other/variant/AllTraffic", "endpoint/flights-local/variant/Other"):
        with pytest.raises(ClientError, match="doesn't exist") as error:
            world.client("application-autoscaling").register_scalable_target(
                **{**COMMON, "ResourceId": resource}, MinCapacity=1, MaxCapacity=2
            )
        assert error.value.response["Error"]["Code"] == "ValidationException"


@pytest.mark.parametrize(
    "changes",
    [
        {"MinCapacity": 3, "MaxCapacity": 2},
        {"MinCapacity": 3},
        {"ServiceNamespace": "ecs"},
        {"ResourceId": "endpoint/x"},
    ],
)
def test_refused_registrations(world: World, fleet: Fleet, changes: dict[str, Any]) -> None:
    with pytest.raises(ClientError) as error:
        world.client("application-autoscaling").register_scalable_target(**{**COMMON, **changes})
    assert error.value.response["Error"]["Code"] == "ValidationException"


def test_out_under_load_and_back_in_slowly(world: World, fleet: Fleet) -> None:
    client = register(world)
    names = track(world)
    assert [name.split("-")[:3] for name in names] == [
        ["TargetTracking", "endpoint/flights", "local/variant/AllTraffic"]
    ] * 2
    load(world, 4, 60)
    assert fleet.asked == []
    load(world, 9, 50)
    assert fleet.asked == [4], "2 instances with 9 each need 4 with 5 each"
    load(world, 4.5, 60)
    assert fleet.asked == [4], "at its target the fleet stays"
    load(world, 1, 600)
    assert fleet.asked == [4], "AlarmLow looks at 15 minutes"
    load(world, 1, 600)
    assert fleet.asked == [4, 2]
    activities = client.describe_scaling_activities(**COMMON)["ScalingActivities"]
    assert [each["StatusCode"] for each in activities] == ["Successful", "Successful"]
    assert "AlarmLow" in activities[0]["Cause"] and "AlarmHigh" in activities[1]["Cause"]


def test_never_past_the_ceiling(world: World, fleet: Fleet) -> None:
    register(world)
    track(world)
    load(world, 500, 120)
    assert fleet.asked == [6]


def test_blocked_while_the_endpoint_updates(world: World, fleet: Fleet) -> None:
    register(world)
    track(world)
    fleet.status = "Updating"
    load(world, 50, 120)
    assert fleet.asked == []
    fleet.status = "InService"
    load(world, 50, 10)
    assert fleet.asked == [6]


def test_suspended(world: World, fleet: Fleet) -> None:
    register(world, SuspendedState={"DynamicScalingOutSuspended": True})
    track(world)
    load(world, 50, 120)
    assert fleet.asked == []


def test_without_traffic_nothing_moves(world: World, fleet: Fleet) -> None:
    register(world, MinCapacity=1)
    track(world)
    world.pass_time(1300)
    assert fleet.asked == []


def test_a_schedule_moves_the_floor(world: World, fleet: Fleet) -> None:
    client = register(world)
    at = (START + timedelta(seconds=30)).strftime("%Y-%m-%dT%H:%M:%S")
    client.put_scheduled_action(
        **COMMON,
        ScheduledActionName="morning",
        Schedule=f"at({at})",
        ScalableTargetAction={"MinCapacity": 4, "MaxCapacity": 8},
    )
    world.pass_time(25)
    assert fleet.asked == []
    world.pass_time(10)
    assert fleet.asked == [4]
    target = client.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"][0]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (4, 8)
    activity = client.describe_scaling_activities(**COMMON)["ScalingActivities"][0]
    assert "morning was triggered" in activity["Cause"]
    with pytest.raises(ClientError, match="not valid"):
        client.put_scheduled_action(
            **COMMON,
            ScheduledActionName="x",
            Schedule="cron(0 7 * * *)",
            ScalableTargetAction={"MinCapacity": 4},
        )


def test_a_new_policy_takes_new_alarms_and_deregistering_takes_all(world: World, fleet: Fleet) -> None:
    client = register(world)
    old, new = track(world), track(world, TargetValue=7.0)
    alarms = world.client("cloudwatch").describe_alarms(AlarmNamePrefix="TargetTracking-")["MetricAlarms"]
    assert {each["AlarmName"] for each in alarms} == set(new) and not set(old) & set(new)
    assert sorted(each["Threshold"] for each in alarms) == [pytest.approx(6.3), 7.0]
    assert autoscaling.targets("endpoint/flights-local")[0]["MaxCapacity"] == 6
    client.deregister_scalable_target(**COMMON)
    assert world.client("cloudwatch").describe_alarms()["MetricAlarms"] == []
    assert autoscaling.targets(RESOURCE) == []
    with pytest.raises(ClientError) as error:
        client.deregister_scalable_target(**COMMON)
    assert error.value.response["Error"]["Code"] == "ObjectNotFoundException"


def test_a_deleted_endpoint_takes_its_target_along(world: World, fleet: Fleet) -> None:
    register(world)
    track(world)
    fleet.exists = False
    world.pass_time(2)
    assert autoscaling.targets(RESOURCE) == []
    assert world.client("cloudwatch").describe_alarms()["MetricAlarms"] == []


def test_scale_in_can_be_disabled(world: World, fleet: Fleet) -> None:
    register(world, MinCapacity=1)
    assert len(track(world, DisableScaleIn=True)) == 1
    load(world, 0.1, 1200)
    assert fleet.asked == []


def test_what_is_not_emulated_says_so(world: World, fleet: Fleet) -> None:
    client = register(world)
    step = {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": [{"ScalingAdjustment": 1}]}
    with pytest.raises(ClientError, match="not emulated"):
        client.put_scaling_policy(
            **COMMON, PolicyName="s", PolicyType="StepScaling", StepScalingPolicyConfiguration=step
        )
