"""A function that is out: its callers get errors, its events are tried again; dropped ones never happen."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator.conftest import Emulator
from tests.emulator.endpoints.world import put_settings
from tests.emulator.faults.running import Running
from tests.emulator.functions.conftest import World
from tests.emulator.tiny_image import until


@pytest.fixture(scope="module")
def functions(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    put_settings(emulator, function_retry_seconds=0.5)
    made = World(emulator, tmp_path_factory.mktemp("image"))
    made.create("judge")
    yield made


def errors(world: World) -> float:
    points = world.emulator.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Lambda",
        MetricName="Errors",
        Dimensions=[{"Name": "FunctionName", "Value": "judge"}],
        StartTime=0,
        EndTime=4102444800,
        Period=86400 * 365,
        Statistics=["Sum"],
    )["Datapoints"]
    return float(sum(point["Sum"] for point in points))


def handled(world: World, mark: str) -> bool:
    return any(f"handled {json.dumps({'mark': mark})}" in line for line in world.log("judge"))


def send(world: World, mark: str) -> int:
    answer: Any = world.client.invoke(
        FunctionName="judge", InvocationType="Event", Payload=json.dumps({"mark": mark}).encode()
    )
    return int(answer["StatusCode"])


def test_it_fails_and_is_well_again(functions: World, running: Running) -> None:
    before = functions.invoke("judge", {})[1]["count"]
    fault = running.inject("function", function="judge")
    answer, said = functions.invoke("judge", {})
    assert answer["FunctionError"] == "Unhandled"
    assert said["errorType"] == "Runtime.ExitError"
    assert errors(functions) == 1
    assert running.end(fault)["struck"] == 1
    assert functions.invoke("judge", {})[1]["count"] == before + 1


def test_an_event_that_failed_is_tried_again_and_not_lost(functions: World, running: Running) -> None:
    known = errors(functions)
    fault = running.inject("function", function="judge")
    assert send(functions, "kept") == 202
    until(lambda: errors(functions) > known)
    running.end(fault)
    until(lambda: handled(functions, "kept"))


def test_a_dropped_event_never_happens(functions: World, running: Running) -> None:
    known = errors(functions)
    fault = running.inject("function", function="judge", drop=True)
    assert send(functions, "dropped") == 202
    with pytest.raises(ClientError) as error:
        functions.invoke("judge", {"mark": "asked"})
    assert error.value.response["Error"]["Code"] == "ServiceException"
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert running.end(fault)["struck"] == 2
    assert send(functions, "after") == 202
    until(lambda: handled(functions, "after"))
    assert not handled(functions, "dropped") and not handled(functions, "asked")
    assert errors(functions) == known


def test_an_arn_names_the_same_function(functions: World, running: Running) -> None:
    arn = functions.client.get_function(FunctionName="judge")["Configuration"]["FunctionArn"]
    assert running.inject("function", function=arn)["what"] == {"function": "judge", "drop": False}
