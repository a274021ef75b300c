"""A deployment under faults, against the emulator: real fleets, and what AWS can do to one who deploys."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from endpoints.rollout import marks
from endpoints.rollout.cloud import Cloud
from endpoints.rollout.emergency import put_live
from endpoints.rollout.glass import WHAT, Glass
from endpoints.rollout.pace import Pace
from endpoints.rollout.plugin import Deployment
from sluice.clock import SystemClock
from sluice.errors import SluiceError
from sluice.provider import Context
from tests.endpoints.rollout.samples import ALARMS
from tests.endpoints.rollout.test_rollout_emulator import Log, Stack, emulator, stack

__all__ = ["emulator", "stack"]
CONTEXT = Context(urn="a::b::c::e")


@pytest.fixture(autouse=True)
def no_faults(stack: Stack) -> Iterator[None]:
    """Each test begins on a well endpoint whose alarms are quiet."""
    yield
    stack.world.set(faults={}, startup_seconds=0.0, provisioning_delay_seconds=0.2)
    for alarm in ALARMS:
        stack.world.emulator.client("cloudwatch").set_alarm_state(
            AlarmName=alarm, StateValue="OK", StateReason="the test is over"
        )


def live(stack: Stack) -> str:
    return str(stack.world.invoke("e")["About"]["way"])


def tags(stack: Stack) -> dict[str, str]:
    found = stack.world.sagemaker.list_tags(ResourceArn=stack.state["endpointArn"])["Tags"]
    return {tag["Key"]: tag["Value"] for tag in found}


class Unreliable:
    """SageMaker whose UpdateEndpoint is throttled, then arrives and its answer is lost."""

    def __init__(self, sagemaker: Any) -> None:
        self._sagemaker = sagemaker
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sagemaker, name)

    def update_endpoint(self, **request: Any) -> Any:
        self.calls.append("throttled" if not self.calls else "lost")
        if len(self.calls) == 1:
            response: Any = {
                "Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"},
                "ResponseMetadata": {"HTTPStatusCode": 400},
            }
            raise ClientError(response, "UpdateEndpoint")
        self._sagemaker.update_endpoint(**request)
        raise ReadTimeoutError(endpoint_url="http://sagemaker")


def test_throttled_and_with_its_answer_lost_it_updates_once(stack: Stack) -> None:
    unreliable = Unreliable(Cloud.connect().once)
    stack.resource = Deployment(lambda: replace(Cloud.connect(), once=unreliable))
    stack.up(model="better", stage="canary", release="f1")
    stack.resource = Deployment()
    assert unreliable.calls == ["throttled", "lost"]
    assert live(stack) == "better"


def test_a_fleet_that_never_answers_is_rolled_back_and_said_so(stack: Stack) -> None:
    before, was = live(stack), stack.state["configName"]
    stack.world.set(startup_seconds=2.0)
    with pytest.raises(SluiceError, match=f"rolled back to {was}.*did not pass the ping health check"):
        stack.up(model="never", stage="canary", release="f2")
    assert live(stack) == before
    assert tags(stack)[marks.REFUSED].endswith(" f2")
    with pytest.raises(SluiceError, match="is not tried again"):
        stack.up(model="never", stage="canary", release="f2")


def test_an_operator_s_update_in_flight_is_waited_for_and_corrected(stack: Stack) -> None:
    stack.world.config("by-hand", way="gated")
    stack.world.sagemaker.update_endpoint(EndpointName="e", EndpointConfigName="by-hand")

    def go_on(message: str) -> None:
        if "waiting for what is under way" in message:
            stack.world.gate.touch()

    stack.log = Log(react=go_on)
    stack.up(model="better", stage="canary", release="f4")
    stack.log.react = None
    assert any("waiting for what is under way" in line for line in stack.log.said)
    assert live(stack) == "better"


def test_the_glass_is_broken_past_pulumi(stack: Stack) -> None:
    cloud, was = Cloud.connect(), live(stack)
    base = cloud.config(stack.state["configName"])
    assert base is not None
    stack.world.model("third")
    # It rings for what is being put away, and turns nothing back.
    stack.world.emulator.client("cloudwatch").set_alarm_state(
        AlarmName=ALARMS[0], StateValue="ALARM", StateReason="errors"
    )
    pace = Pace(SystemClock(), lambda _: None, lambda _: None)
    why = Glass("", SystemClock().now(), "ada", "it answers nonsense")
    done = put_live(cloud, pace, "e", base, "third", why)
    assert live(stack) == "third" != was
    with pytest.raises(
        SluiceError, match=r"ada broke the glass .* it answers nonsense.*sluice release adopt"
    ):
        stack.up(model="other", stage="canary", release="f10")
    modified = stack.world.describe("e")["LastModifiedTime"]
    # A release that says what is live has nothing to deploy: it is the very config.
    stack.up(model="third", release="f11")
    assert stack.state["configName"] == done.config
    assert stack.world.describe("e")["LastModifiedTime"] == modified
    assert WHAT not in tags(stack)


def test_a_config_deleted_under_the_endpoint_is_made_again_before_the_next_update(stack: Stack) -> None:
    # AWS lets one delete the config of a live endpoint, and refuses every update of it from then on.
    stack.world.sagemaker.delete_endpoint_config(EndpointConfigName=stack.state["configName"])
    stack.up(model="good", stage="canary", release="f5")
    assert live(stack) == "good"
