"""A real endpoint of a running emulator follows its floor and its load."""

import json
import time
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator.conftest import Emulator
from tests.emulator.endpoints.world import World

COMMON = {
    "ServiceNamespace": "sagemaker",
    "ResourceId": "endpoint/scaled/variant/AllTraffic",
    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
}
TYPE = "SageMakerVariantConcurrentRequestsPerModelHighResolution"


def wait_for(world: World, count: int) -> None:
    for _ in range(900):
        found = world.describe("scaled")
        variant = found["ProductionVariants"][0]
        if found["EndpointStatus"] == "InService" and variant["CurrentInstanceCount"] == count:
            return
        time.sleep(0.2)
    raise AssertionError(f"the endpoint has {variant}, not {count} instances")


def busy(emulator: Emulator, concurrency: float) -> None:
    """As the data plane would have said it over the last 40 seconds."""
    dimensions = [{"Name": "EndpointName", "Value": "scaled"}, {"Name": "VariantName", "Value": "AllTraffic"}]
    data = [
        {
            "MetricName": "ConcurrentRequestsPerModel",
            "Dimensions": dimensions,
            "Timestamp": time.time() - age,
            "Values": [concurrency],
            "Counts": [1000.0],
            "StorageResolution": 1,
        }
        for age in range(0, 40, 5)
    ]
    body: Any = json.dumps({"namespace": "AWS/SageMaker", "data": data}).encode()
    headers = {"Content-Type": "application/json"}
    urllib.request.urlopen(
        urllib.request.Request(f"{emulator.endpoint_url}/_sluice/metrics", body, headers), timeout=180
    )


def test_floor_load_and_end(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> None:
    served = World(emulator, tmp_path_factory.mktemp("image"))
    client = emulator.client("application-autoscaling")
    with pytest.raises(ClientError, match="doesn't exist"):
        client.register_scalable_target(**COMMON, MinCapacity=1, MaxCapacity=2)
    served.endpoint("scaled", served.config("scaled-1"))
    before = served.describe("scaled")["ProductionVariants"][0]["CurrentInstanceCount"]
    client.register_scalable_target(**COMMON, MinCapacity=before + 1, MaxCapacity=before + 2)
    wait_for(served, before + 1)
    client.put_scaling_policy(
        **COMMON,
        PolicyName="concurrency",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": 2.0,
            "PredefinedMetricSpecification": {"PredefinedMetricType": TYPE},
        },
    )
    busy(emulator, 50)
    wait_for(served, before + 2)
    activities = client.describe_scaling_activities(**COMMON)["ScalingActivities"]
    assert "AlarmHigh" in activities[0]["Cause"] and "minimum capacity" in activities[1]["Cause"]
    served.sagemaker.delete_endpoint(EndpointName="scaled")
    for _ in range(900):
        if not client.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]:
            break
        time.sleep(0.2)
    assert client.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"] == []
    assert emulator.client("cloudwatch").describe_alarms()["MetricAlarms"] == []
