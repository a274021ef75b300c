"""A scaled fleet, deletion in any order, and a rollback that fails, against the emulator."""

import threading

import pytest

from endpoints.rollout import marks
from sluice.errors import SluiceError
from sluice.provider import Context
from tests.emulator import tiny_image
from tests.endpoints.rollout.samples import ALARMS
from tests.endpoints.rollout.test_rollout_emulator import SCOPE, TARGET, Log, Stack, emulator, stack
from tests.endpoints.rollout.test_rollout_faults import live, no_faults, tags

__all__ = ["emulator", "no_faults", "stack"]
CONTEXT = Context(urn="a::b::c::e")


def test_twelve_stay_twelve_through_a_release(stack: Stack) -> None:
    scaling = stack.world.emulator.client("application-autoscaling")
    scaling.register_scalable_target(ResourceId=TARGET, MinCapacity=2, MaxCapacity=12, **SCOPE)
    stack.world.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName="e",
        DesiredWeightsAndCapacities=[{"VariantName": "AllTraffic", "DesiredInstanceCount": 12}],
    )
    assert stack.world.settled("e")["ProductionVariants"][0]["CurrentInstanceCount"] == 12
    seen: list[int] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.2):
            now = stack.world.describe("e")
            new = now.get("PendingDeploymentSummary", {}).get("ProductionVariants", [])
            # Once the new fleet has all the traffic, the old one goes.
            fleets = (*now["ProductionVariants"], *new)
            seen.append(sum(variant.get("CurrentInstanceCount", 0) for variant in fleets))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        stack.up(model="good", shadow="third", release="f3")
        stack.up(model="third", stage="canary", release="f3")
    finally:
        stop.set()
        thread.join()
    assert live(stack) == "third"
    assert stack.world.describe("e")["ProductionVariants"][0]["CurrentInstanceCount"] == 12
    assert len(seen) > 10 and min(seen) >= 12
    stack.world.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName="e",
        DesiredWeightsAndCapacities=[{"VariantName": "AllTraffic", "DesiredInstanceCount": 2}],
    )
    stack.world.settled("e")
    scaling.deregister_scalable_target(ResourceId=TARGET, **SCOPE)


def test_it_is_deleted_while_it_updates_and_with_half_of_it_gone(stack: Stack) -> None:
    stack.world.model("other")
    sagemaker, world = stack.world.sagemaker, stack.world
    stack.up(model="good", shadow="better", release="f6")
    world.config("in-flight", way="other")
    sagemaker.update_endpoint(EndpointName="e", EndpointConfigName="in-flight")
    for gone in ("good", "better"):
        sagemaker.delete_model(ModelName=gone)
    sagemaker.delete_endpoint_config(EndpointConfigName=stack.state["configName"])
    stack.resource.delete(CONTEXT, "e", stack.state, stack.inputs)
    assert stack.resource.read(CONTEXT, "e", stack.state, stack.inputs) is None
    # Again, as after a run that was killed before it wrote that down.
    stack.resource.delete(CONTEXT, "e", stack.state, stack.inputs)
    stack.inputs, stack.state = {}, {}
    stack.up(release="f7")
    assert live(stack) == "good"


def test_z_a_rollback_that_fails_is_told_and_not_papered_over(stack: Stack) -> None:
    world, cloudwatch = stack.world, stack.world.emulator.client("cloudwatch")
    world.set(faults={"endpoints_without_rollback": ["e"]})

    def ring(message: str) -> None:
        if "Updating" in message:
            cloudwatch.set_alarm_state(AlarmName=ALARMS[0], StateValue="ALARM", StateReason="errors")

    stack.log = Log(react=ring)
    with pytest.raises(SluiceError, match=f"the update failed and so did its rollback.*{ALARMS[0]}"):
        stack.up(model="other", stage="canary", release="f8")
    stack.log = Log()
    assert world.describe("e")["EndpointStatus"] == "UpdateRollbackFailed"
    assert tags(stack)[marks.REFUSED].endswith(" f8")
    cloudwatch.set_alarm_state(AlarmName=ALARMS[0], StateValue="OK", StateReason="over")
    # The next release says why it cannot be.
    with pytest.raises(SluiceError, match="serves a mix of both, and SageMaker takes no update of it"):
        stack.up(model="better", stage="canary", release="f9")
    assert live(stack) == "good"
    # A person takes it away, and then it is made anew.
    world.set(faults={})
    stack.resource.delete(CONTEXT, "e", stack.state, stack.inputs)
    tiny_image.until(lambda: not world.sagemaker.list_endpoints()["Endpoints"])
    stack.inputs, stack.state = {}, {}
    stack.up(model="better", release="f9")
    assert live(stack) == "better"
