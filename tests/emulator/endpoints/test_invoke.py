"""InvokeEndpoint through a real process, its captures and its metrics."""

import pytest
from botocore.exceptions import ClientError

from sluice.engine import processes
from tests.emulator import tiny_image
from tests.emulator.endpoints.world import World


@pytest.fixture(scope="module")
def endpoint(world: World) -> str:
    world.endpoint("invoked", world.config("invoked-1", shadow="good"))
    return "invoked"


def test_the_contract_of_headers(world: World, endpoint: str) -> None:
    answer = world.invoke(endpoint, CustomAttributes="id=7", InferenceId="seven", Accept="application/json")
    about = answer["About"]
    assert about["path"] == "/invocations"
    assert about["arguments"] == ["serve"]
    assert (about["type"], about["accept"]) == ("text/csv", "application/json")
    assert (about["inference_id"], about["attributes"]) == ("seven", "id=7")
    assert answer["InvokedProductionVariant"] == "AllTraffic"
    assert answer["CustomAttributes"] == "id=7;version=1"
    assert answer["ContentType"] == "application/json"


def test_both_instances_serve(world: World, endpoint: str) -> None:
    assert len({world.invoke(endpoint)["About"]["pid"] for _ in range(30)}) == 2


def test_errors_are_those_of_sagemaker(world: World, endpoint: str) -> None:
    with pytest.raises(ClientError) as model:
        world.invoke(endpoint, b"bad")
    error = model.value.response
    assert error["Error"]["Code"] == "ModelError"
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert error["OriginalStatusCode"] == 400
    assert error["OriginalMessage"] == "row 3, field x: no"
    assert (
        'Received client error (400) from primary with message "row 3, field x: no"'
        in error["Error"]["Message"]
    )
    with pytest.raises(ClientError, match="Endpoint nothing of account 123456789012 not found"):
        world.invoke("nothing")
    with pytest.raises(ClientError, match="Variant Blue"):
        world.invoke(endpoint, TargetVariant="Blue")
    with pytest.raises(ClientError, match="413"):
        world.invoke(endpoint, b"x" * (6 * 1024**2 + 1))
    assert len(world.invoke(endpoint, b"x" * (6 * 1024**2))["About"])


def test_captures_and_metrics_of_both_variants(world: World) -> None:
    world.endpoint("counted", world.config("counted-1", shadow="good"))
    for number in range(20):
        world.invoke("counted", b"1,2", CustomAttributes=f"id={number}", InferenceId=str(number))
    with pytest.raises(ClientError):
        world.invoke("counted", b"bad")
    tiny_image.until(lambda: len(world.captured("counted", "Shadow")) == 20)
    production = world.captured("counted", "AllTraffic")
    assert {line["eventMetadata"]["inferenceId"] for line in production} == {str(n) for n in range(20)}
    shadow = world.captured("counted", "Shadow")
    assert not any("inferenceId" in line["eventMetadata"] for line in shadow)
    assert {line["eventMetadata"]["customAttributes"][0] for line in shadow} == {f"id={n}" for n in range(20)}
    line = production[0]
    assert line["eventVersion"] == "0"
    sent = line["captureData"]["endpointInput"]
    assert sent == {"observedContentType": "text/csv", "mode": "INPUT", "data": "1,2", "encoding": "CSV"}
    assert line["captureData"]["endpointOutput"]["encoding"] == "JSON"
    world.delete("counted")
    for variant in ("AllTraffic", "Shadow"):
        assert world.total("Invocations", "counted", variant) == 21
        assert world.total("Invocation4XXErrors", "counted", variant, "counted-1") == 1
        assert world.total("InvocationModelErrors", "counted", variant) == 1
        assert world.total("Invocation5XXErrors", "counted", variant) == 0
        assert world.total("ModelLatency", "counted", variant) > 0


def test_an_instance_that_dies_is_replaced(world: World) -> None:
    world.endpoint("mortal", world.config("mortal-1"))
    fleet = tiny_image.until(
        lambda: (
            pids if len(pids := {world.invoke("mortal")["About"]["pid"] for _ in range(20)}) == 2 else None
        )
    )
    with pytest.raises(ClientError, match="ModelError"):
        world.invoke("mortal", b"die")
    # The system closes a process's connections one after the other, that on which it listens perhaps last.
    tiny_image.until(lambda: any(processes.identity(pid) is None for pid in fleet))
    before = {world.invoke("mortal")["About"]["pid"] for _ in range(5)}
    assert before
    two = tiny_image.until(
        lambda: (
            pids if len(pids := {world.invoke("mortal")["About"]["pid"] for _ in range(20)}) == 2 else None
        )
    )
    assert two & before
    world.delete("mortal")
