"""Deployments under load: nothing fails, nothing is lost, and a bad model is turned back."""

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator import tiny_image
from tests.emulator.endpoints.world import Load, World


def canary(wait: int = 2, bake: int = 1, alarms: tuple[str, ...] = ()) -> dict[str, Any]:
    config: dict[str, Any] = {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {
                "Type": "CANARY",
                "WaitIntervalInSeconds": wait,
                "CanarySize": {"Type": "INSTANCE_COUNT", "Value": 1},
            },
            "TerminationWaitInSeconds": bake,
            "MaximumExecutionTimeoutInSeconds": 600,
        }
    }
    if alarms:
        config["AutoRollbackConfiguration"] = {"Alarms": [{"AlarmName": name} for name in alarms]}
    return config


def alarm(world: World, name: str, endpoint: str) -> None:
    world.emulator.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        Namespace="AWS/SageMaker",
        MetricName="Invocation5XXErrors",
        Dimensions=[
            {"Name": "EndpointName", "Value": endpoint},
            {"Name": "VariantName", "Value": "AllTraffic"},
        ],
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1e9,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
    )


def test_a_canary_and_a_scale_in_under_load_lose_nothing(world: World) -> None:
    world.endpoint("loaded", world.config("loaded-1"))
    first = {world.invoke("loaded")["About"]["pid"] for _ in range(20)}
    extra = 20
    world.config("loaded-2", way="newer")
    # Long enough for requests to come in each phase, however busy the machine is.
    deployment = canary(wait=10, bake=5)
    phases = []
    with Load(world, "loaded") as load:
        time.sleep(1)
        world.sagemaker.update_endpoint(
            EndpointName="loaded", EndpointConfigName="loaded-2", DeploymentConfig=deployment
        )
        assert world.describe("loaded")["EndpointStatus"] == "Updating"
        while (now := world.describe("loaded"))["EndpointStatus"] != "InService":
            assert now["EndpointConfigName"] == "loaded-1"
            pending = now["PendingDeploymentSummary"]
            assert pending["EndpointConfigName"] == "loaded-2"
            for status in pending["ProductionVariants"][0].get("VariantStatus", []):
                if status["Status"] not in phases[-1:]:
                    phases.append(status["Status"])
                    during = dict(load.ways)
            time.sleep(0.05)
        assert phases[0] == "Creating"
        assert phases[-1] == "Baking"
        assert 0 < during["newer"] < during["good"]
        world.sagemaker.update_endpoint_weights_and_capacities(
            EndpointName="loaded",
            DesiredWeightsAndCapacities=[{"VariantName": "AllTraffic", "DesiredInstanceCount": 1}],
        )
        assert world.settled("loaded")["ProductionVariants"][0]["CurrentInstanceCount"] == 1
        time.sleep(0.5)
    assert load.failures == []
    assert load.sent["sleep 3"] >= 2
    assert load.ways["newer"] > 0
    now = world.describe("loaded")
    assert now["EndpointConfigName"] == "loaded-2"
    assert now["LastDeploymentConfig"] == deployment
    assert "PendingDeploymentSummary" not in now
    assert "FailureReason" not in now
    assert not first & {world.invoke("loaded")["About"]["pid"] for _ in range(3)}
    extra += 3
    world.delete("loaded")
    sent = sum(load.sent.values()) + extra
    per_config = [world.total("Invocations", "loaded", config=f"loaded-{i}") for i in (1, 2)]
    assert sum(per_config) == sent
    assert all(per_config)
    assert world.total("Invocations", "loaded") == sent
    assert len(world.captured("loaded", "AllTraffic")) == sent


def _answers(load: Load, count: int) -> None:
    """Wait for that many, however busy the machine is."""
    tiny_image.until(lambda: len(load.seconds) >= count)


def test_a_shadow_that_stalls_or_crashes_changes_no_answer(world: World) -> None:
    world.endpoint("shadowed", world.config("shadowed-1"))
    with Load(world, "shadowed", slow=0) as alone:
        _answers(alone, 200)
    worst = {}
    for number, way in enumerate(("stall", "crash"), 2):
        world.config(f"shadowed-{number}", shadow=way)
        world.sagemaker.update_endpoint(EndpointName="shadowed", EndpointConfigName=f"shadowed-{number}")
        assert world.settled("shadowed")["ShadowProductionVariants"][0]["VariantName"] == "Shadow"
        with Load(world, "shadowed", slow=0) as load:
            _answers(load, 200)
        assert load.failures == []
        assert set(load.ways) == {"good"}
        worst[way] = sorted(load.seconds)[int(len(load.seconds) * 0.99)]
    # A request that waited for a stalled shadow would take 5 s.
    assert max(worst.values()) < sorted(alone.seconds)[int(len(alone.seconds) * 0.99)] + 1.0
    world.delete("shadowed")
    assert world.total("Invocations", "shadowed", "Shadow", "shadowed-3") > 0


def test_an_alarm_turns_the_canary_back(world: World) -> None:
    world.endpoint("guarded", world.config("guarded-1"))
    world.config("guarded-2", way="newer")
    alarm(world, "guarded-alarm", "guarded")
    world.sagemaker.update_endpoint(
        EndpointName="guarded",
        EndpointConfigName="guarded-2",
        DeploymentConfig=canary(wait=60, alarms=("guarded-alarm",)),
    )
    with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
        world.sagemaker.update_endpoint(EndpointName="guarded", EndpointConfigName="guarded-2")
    with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
        world.sagemaker.update_endpoint_weights_and_capacities(
            EndpointName="guarded",
            DesiredWeightsAndCapacities=[{"VariantName": "AllTraffic", "DesiredInstanceCount": 3}],
        )
    tiny_image.until(lambda: "newer" in {world.invoke("guarded")["About"]["way"] for _ in range(10)})
    world.emulator.client("cloudwatch").set_alarm_state(
        AlarmName="guarded-alarm", StateValue="ALARM", StateReason="a test"
    )
    seen = set()
    while (now := world.describe("guarded"))["EndpointStatus"] != "InService":
        seen.add(now["EndpointStatus"])
        time.sleep(0.02)
    assert "RollingBack" in seen
    assert now["EndpointConfigName"] == "guarded-1"
    assert "guarded-alarm" in now["FailureReason"]
    assert {world.invoke("guarded")["About"]["way"] for _ in range(20)} == {"good"}
    world.delete("guarded")


def test_a_container_that_never_pings_fails_and_is_turned_back(world: World) -> None:
    world.endpoint("pinged", world.config("pinged-1"))
    world.config("pinged-2", way="never", count=1)
    world.set(startup_seconds=1.0)
    world.sagemaker.create_endpoint(EndpointName="silent", EndpointConfigName="pinged-2")
    with pytest.raises(ClientError, match="Cannot delete in-progress endpoint"):
        world.sagemaker.delete_endpoint(EndpointName="silent")
    with pytest.raises(ClientError, match="not found"):
        world.invoke("silent")
    failed = world.settled("silent")
    assert failed["EndpointStatus"] == "Failed"
    assert "did not pass the ping health check" in failed["FailureReason"]
    world.delete("silent")
    world.sagemaker.update_endpoint(EndpointName="pinged", EndpointConfigName="pinged-2")
    back = world.settled("pinged")
    assert back["EndpointConfigName"] == "pinged-1"
    assert "did not pass the ping health check" in back["FailureReason"]
    assert world.invoke("pinged")["About"]["way"] == "good"
    world.set(startup_seconds=0.0)
    world.delete("pinged")


def test_counts_are_kept_if_asked(world: World) -> None:
    world.endpoint("kept", world.config("kept-1", count=1))
    world.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName="kept",
        DesiredWeightsAndCapacities=[{"VariantName": "AllTraffic", "DesiredInstanceCount": 3}],
    )
    assert world.settled("kept")["ProductionVariants"][0]["CurrentInstanceCount"] == 3
    world.config("kept-2", count=1)
    world.sagemaker.update_endpoint(
        EndpointName="kept", EndpointConfigName="kept-2", RetainAllVariantProperties=True
    )
    assert world.settled("kept")["ProductionVariants"][0]["DesiredInstanceCount"] == 3
    world.config("kept-3", count=1)
    world.sagemaker.update_endpoint(EndpointName="kept", EndpointConfigName="kept-3")
    assert world.settled("kept")["ProductionVariants"][0]["DesiredInstanceCount"] == 1
    world.delete("kept")
