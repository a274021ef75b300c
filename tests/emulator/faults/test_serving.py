"""Faults of endpoints with real serving processes: who notices, who does not, and that all is well afterwards."""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from tests.emulator import tiny_image
from tests.emulator.endpoints.world import Load, World
from tests.emulator.faults.running import Running

CANARY = {
    "BlueGreenUpdatePolicy": {
        "TrafficRoutingConfiguration": {
            "Type": "CANARY",
            "WaitIntervalInSeconds": 30,
            "CanarySize": {"Type": "INSTANCE_COUNT", "Value": 1},
        },
        "TerminationWaitInSeconds": 0,
    }
}


@pytest.fixture(autouse=True)
def ended(running: Running) -> Iterator[None]:
    yield


def count(world: World, name: str, variant: str = "AllTraffic") -> int:
    about = world.describe(name)
    found = [*about.get("ProductionVariants", []), *about.get("ShadowProductionVariants", [])]
    return next(each["CurrentInstanceCount"] for each in found if each["VariantName"] == variant)


def pids(world: World, name: str) -> set[int]:
    return {world.invoke(name)["About"]["pid"] for _ in range(20)}


def outcomes(world: World, name: str, number: int, body: bytes = b"x") -> Counter[int]:
    """The statuses of so many requests, one after another."""
    found: Counter[int] = Counter()
    for _ in range(number):
        try:
            found[world.invoke(name, body)["ResponseMetadata"]["HTTPStatusCode"]] += 1
        except ClientError as error:
            found[error.response["ResponseMetadata"]["HTTPStatusCode"]] += 1
    return found


def test_a_killed_instance_costs_only_what_was_in_flight_on_it(world: World, running: Running) -> None:
    world.endpoint("killed", world.config("killed-1", shadow="good"))
    before = pids(world, "killed")
    assert len(before) == 2
    fault = running.inject("instance", endpoint="killed")
    (struck,) = fault["instances"]
    assert (struck["variant"], struck["config"], fault["active"]) == ("AllTraffic", "killed-1", False)
    assert count(world, "killed") == 1
    # Nobody's request was in flight on it, so every one that comes now is answered, by the other one first.
    assert outcomes(world, "killed", 40) == {200: 40}
    tiny_image.until(lambda: count(world, "killed") == 2)
    after = tiny_image.until(lambda: found if len(found := pids(world, "killed")) == 2 else None)
    assert len(after & before) == 1
    assert world.describe("killed")["EndpointStatus"] == "InService"
    world.delete("killed")
    asked = world.total("Invocations", "killed")
    # Twenty to look before, forty, and twenty or more to look after.
    assert asked >= 80
    assert len(world.captured("killed", "AllTraffic")) == asked
    assert world.total("Invocation5XXErrors", "killed") == 0


def test_under_load_no_more_fails_than_was_in_flight(world: World, running: Running) -> None:
    world.endpoint("loaded", world.config("loaded-1"))
    with Load(world, "loaded", clients=4, slow=0) as load:
        tiny_image.until(lambda: sum(load.sent.values()) > 50)
        running.inject("instance", endpoint="loaded")
        tiny_image.until(lambda: count(world, "loaded") == 2 and len(load.failures) <= 4)
        sent = sum(load.sent.values())
        tiny_image.until(lambda: sum(load.sent.values()) > sent + 50)
    assert len(load.failures) <= 4, load.failures
    assert all("ModelError" in failure for failure in load.failures)
    world.delete("loaded")
    total = sum(load.sent.values())
    assert world.total("Invocations", "loaded") == total
    assert world.total("Invocation5XXErrors", "loaded") == len(load.failures)
    assert len(world.captured("loaded", "AllTraffic")) == total - len(load.failures)


def test_a_killed_shadow_is_seen_by_nobody(world: World, running: Running) -> None:
    world.endpoint("shaded", world.config("shaded-1", shadow="good"))
    running.inject("instance", endpoint="shaded", variant="Shadow")
    assert outcomes(world, "shaded", 20) == {200: 20}
    tiny_image.until(lambda: count(world, "shaded", "Shadow") == 1)
    # What came meanwhile was never copied; now it is again.
    tiny_image.until(
        lambda: (
            world.invoke("shaded", CustomAttributes="id=back")
            and "id=back" in attributes(world, "shaded", "Shadow")
        )
    )
    world.delete("shaded")
    assert world.total("Invocation5XXErrors", "shaded") == 0


def attributes(world: World, name: str, variant: str) -> list[str]:
    lines = world.captured(name, variant)
    return [each for line in lines for each in line["eventMetadata"].get("customAttributes", [])]


def test_an_instance_of_the_canary_dies_and_the_deployment_goes_on(world: World, running: Running) -> None:
    world.endpoint("canary", world.config("canary-1"))
    world.sagemaker.update_endpoint(
        EndpointName="canary",
        EndpointConfigName=world.config("canary-2", way="better"),
        DeploymentConfig=CANARY,
    )
    both = {"good", "better"}
    tiny_image.until(lambda: {world.invoke("canary")["About"]["way"] for _ in range(20)} == both)
    assert "has no variant 'Blue'" in running.refused("instance", endpoint="canary", variant="Blue")
    assert "is in service" in running.refused("instance", endpoint="canary", config="canary-3")
    (struck,) = running.inject("instance", endpoint="canary", config="canary-2")["instances"]
    assert struck["config"] == "canary-2"
    assert outcomes(world, "canary", 20) == {200: 20}
    tiny_image.until(lambda: {world.invoke("canary")["About"]["way"] for _ in range(20)} == both)
    assert world.describe("canary")["EndpointStatus"] == "Updating"
    assert world.settled("canary", 120)["EndpointConfigName"] == "canary-2"
    assert outcomes(world, "canary", 10) == {200: 10}
    world.delete("canary")


def test_a_lost_zone_is_left_until_it_is_back(world: World, running: Running) -> None:
    world.endpoint("zoned", world.config("zoned-1", count=3))
    fault = running.inject("zone", zone="us-east-1a", endpoint="zoned")
    (struck,) = fault["instances"]
    assert struck["zone"] == "us-east-1a"
    assert outcomes(world, "zoned", 30) == {200: 30}
    tiny_image.until(lambda: count(world, "zoned") == 3)
    # Nothing is left there to be killed: the replacement is elsewhere.
    again = running.inject("zone", zone="us-east-1a", endpoint="zoned")
    assert again["instances"] == []
    running.end(again)
    running.end(fault)
    # The zones that are left hold three; when one of them is lost, the first takes what it can.
    other = running.inject("zone", zone="us-east-1b", endpoint="zoned")
    assert other["instances"]
    tiny_image.until(lambda: count(world, "zoned") == 3)
    running.end(other)
    assert [each["zone"] for each in running.inject("zone", zone="us-east-1a")["instances"]] != []
    tiny_image.until(lambda: count(world, "zoned") == 3)
    assert outcomes(world, "zoned", 10) == {200: 10}
    world.delete("zoned")


def test_a_zone_lost_while_a_fleet_starts_does_not_turn_its_deployment_back(
    world: World, running: Running
) -> None:
    world.endpoint("begun", world.config("begun-1"))
    # Long enough that none of the new fleet is in service when the zone goes.
    world.set(provisioning_delay_seconds=8.0)
    before = homes(running)
    world.sagemaker.update_endpoint(
        EndpointName="begun", EndpointConfigName=world.config("begun-2", way="better", count=3)
    )
    tiny_image.until(lambda: len(homes(running) - before) == 3)
    (dead,) = running.inject("zone", zone="us-east-1c", endpoint="begun")["instances"]
    world.set(provisioning_delay_seconds=0.2)
    assert (dead["zone"], dead["config"]) == ("us-east-1c", "begun-2")
    assert world.settled("begun")["EndpointConfigName"] == "begun-2"
    assert {world.invoke("begun")["About"]["way"] for _ in range(10)} == {"better"}
    world.delete("begun")


def homes(running: Running) -> set[str]:
    """The instances that there are, by the folders that their launcher makes."""
    return {each.name for each in (running.emulator.root / "instances").iterdir()}


def test_a_slow_model_answers_late_and_says_so_in_its_latency(world: World, running: Running) -> None:
    world.endpoint("slow", world.config("slow-1", shadow="good"))
    fault = running.inject("model", endpoint="slow", variant="AllTraffic", slow=400, share=0.5)
    began = time.monotonic()
    assert outcomes(world, "slow", 6) == {200: 6}
    assert time.monotonic() - began >= 3 * 0.4
    ended = running.end(fault)
    assert (ended["seen"], ended["struck"]) == (6, 3)
    tiny_image.until(lambda: len(world.captured("slow", "Shadow")) == 6)
    world.delete("slow")
    assert world.total("ModelLatency", "slow") >= 3 * 400_000


def test_a_slow_model_holds_only_its_own_instances(world: World, running: Running) -> None:
    world.endpoint("held", world.config("held-1", shadow="good"))
    running.inject("model", endpoint="held", variant="Shadow", slow=5000)
    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: world.invoke("held"), range(40)))
    # A caller that waited for its copy would have waited five seconds.
    assert time.monotonic() - began < 40 * 5 / 8
    world.delete("held")


def test_a_failing_model_fails_by_its_share_under_its_config(world: World, running: Running) -> None:
    world.endpoint("failing", world.config("failing-1"))
    world.config("failing-2")
    idle = running.inject("model", endpoint="failing", config="failing-2", fail=1)
    assert outcomes(world, "failing", 10) == {200: 10}
    assert running.end(idle)["seen"] == 0
    fault = running.inject("model", endpoint="failing", config="failing-1", fail=0.25)
    assert outcomes(world, "failing", 20) == {200: 15, 424: 5}
    ended = running.end(fault)
    assert (ended["seen"], ended["struck"]) == (20, 5)
    running.inject("model", endpoint="failing", fail=1)
    with pytest.raises(ClientError) as error:
        world.invoke("failing")
    assert error.value.response["Error"]["Code"] == "ModelError"
    assert error.value.response["OriginalStatusCode"] == 500
    running.end_all()
    assert outcomes(world, "failing", 10) == {200: 10}
    world.delete("failing")
    assert world.total("Invocations", "failing", config="failing-1") == 41
    assert world.total("Invocation5XXErrors", "failing", config="failing-1") == 6
    assert len(world.captured("failing", "AllTraffic")) == 35


def test_a_fault_of_a_package_follows_it(world: World, running: Running) -> None:
    sagemaker = world.sagemaker
    sagemaker.create_model_package_group(ModelPackageGroupName="packed")
    for _ in range(2):
        sagemaker.create_model_package(
            ModelPackageGroupName="packed",
            ModelApprovalStatus="Approved",
            InferenceSpecification={
                "Containers": [{"Image": world.image}],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["application/json"],
            },
        )
    listed = sagemaker.list_model_packages(ModelPackageGroupName="packed")["ModelPackageSummaryList"]
    arns = {each["ModelPackageVersion"]: each["ModelPackageArn"] for each in listed}
    for version, arn in arns.items():
        sagemaker.create_model(
            ModelName=f"packed-{version}",
            ExecutionRoleArn=tiny_image.ROLE,
            PrimaryContainer={"ModelPackageName": arn},
        )
        variant = {**world.variant("good"), "ModelName": f"packed-{version}"}
        world.config(f"packed-{version}", ProductionVariants=[variant])
    world.endpoint("packed", "packed-1")
    why = running.refused("model", endpoint="packed", package="packed/3", fail=1)
    assert "there is no model package 'packed/3'" in why
    why = running.refused("model", endpoint="packed", config="packed-3", fail=1)
    assert "there is no endpoint config 'packed-3'" in why
    fault = running.inject("model", endpoint="packed", package="packed/2", fail=1)
    assert outcomes(world, "packed", 5) == {200: 5}
    sagemaker.update_endpoint(EndpointName="packed", EndpointConfigName="packed-2")
    world.settled("packed")
    assert outcomes(world, "packed", 5) == {424: 5}
    running.end(fault)
    assert outcomes(world, "packed", 5) == {200: 5}
    world.delete("packed")


def test_lost_captures_are_lost_and_no_caller_notices(world: World, running: Running) -> None:
    world.endpoint("lossy", world.config("lossy-1", shadow="good"))
    fault = running.inject("captures", endpoint="lossy", variant="AllTraffic", lose=0.4)
    assert outcomes(world, "lossy", 20) == {200: 20}
    ended = running.end(fault)
    assert (ended["seen"], ended["struck"]) == (20, 8)
    assert outcomes(world, "lossy", 5) == {200: 5}
    tiny_image.until(lambda: len(world.captured("lossy", "Shadow")) == 25)
    world.delete("lossy")
    assert len(world.captured("lossy", "AllTraffic")) == 12 + 5
    for variant in ("AllTraffic", "Shadow"):
        assert world.total("Invocations", "lossy", variant) == 25
