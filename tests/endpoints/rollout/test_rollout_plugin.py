"""The resource through the kit: what the Pulumi engine is told."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from endpoints.rollout import marks
from endpoints.rollout.cloud import Cloud
from endpoints.rollout.plugin import Deployment, Interruptible
from endpoints.rollout.spec import config_name
from sluice.clock import ManualClock, SystemClock
from sluice.errors import SluiceError
from sluice.provider import UNKNOWN, Context, PartialFailure
from tests.endpoints.rollout.fake import PREFIX, FakeAws
from tests.endpoints.rollout.samples import inputs_for, spec_for

ARN = f"{PREFIX}endpoint/e"
CONTEXT = Context(urn="urn:pulumi:local::sluice-endpoints::mlops:endpoints:Deployment::serve")


@pytest.fixture
def resource(aws: FakeAws, clock: ManualClock) -> Iterator[Deployment]:
    yield Deployment(aws.cloud, clock)


def created(resource: Deployment, **changes: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    inputs = inputs_for(**changes)
    made = resource.create(CONTEXT, inputs)
    assert made.id == "e"
    return inputs, {**inputs, **made.outputs}


def test_create_gives_the_outputs(resource: Deployment) -> None:
    _, state = created(resource)
    assert state["endpointArn"] == ARN
    assert state["configName"] == config_name(spec_for())
    assert state["endpointStatus"] == "InService"


def test_a_creation_that_fails_is_in_the_state(resource: Deployment, aws: FakeAws) -> None:
    aws.creation_ends = ["failed"]
    with pytest.raises(PartialFailure) as failure:
        resource.create(CONTEXT, inputs_for())
    assert failure.value.id == "e"
    assert "container did not answer" in str(failure.value)
    assert failure.value.outputs["endpointStatus"] == "Failed"
    outputs = resource.update(CONTEXT, "e", failure.value.outputs, inputs_for(), inputs_for())
    assert outputs["endpointStatus"] == "InService"


def test_an_interrupted_creation_is_in_the_state(aws: FakeAws, clock: ManualClock) -> None:
    cancelled = threading.Event()
    clock._on_sleep = lambda _: cancelled.set()
    with pytest.raises(PartialFailure, match="interrupted"):
        Deployment(aws.cloud, clock).create(Context(cancelled=cancelled), inputs_for())
    with pytest.raises(SluiceError, match="interrupted"):
        Interruptible(SystemClock(), cancelled).sleep(3600)


def test_what_failed_before_anything_existed_is_not_in_the_state(resource: Deployment, aws: FakeAws) -> None:
    aws.alarms.clear()
    with pytest.raises(SluiceError, match="do not exist"):
        resource.create(CONTEXT, inputs_for())


def test_a_refused_release_fails_the_check_until_the_release_changes(
    resource: Deployment, aws: FakeAws
) -> None:
    inputs, state = created(resource)
    aws.ends = ["alarm"]
    canary = inputs_for(model="m2", stage="canary", release="r2")
    assert not resource.check(CONTEXT, inputs, canary).failures
    with pytest.raises(SluiceError, match="rolled back"):
        resource.update(CONTEXT, "e", state, inputs, canary)
    (failure,) = resource.check(CONTEXT, inputs, canary).failures
    assert failure.property == "release" and "r2" in failure.reason
    preview = Context(urn=CONTEXT.urn, preview=True)
    assert resource.check(preview, inputs, canary).failures
    assert not resource.check(CONTEXT, inputs, {**canary, "release": "r3"}).failures
    assert not resource.check(CONTEXT, inputs, inputs_for(release="r2")).failures


@pytest.mark.parametrize(
    "changes, path, text",
    [
        ({"stage": "blue"}, "stage", "live"),
        ({"endpointName": "e" * 51}, "endpointName", "50"),
        ({"stage": "canary", "shadow": "m2"}, "", "no shadow"),
        ({"stage": "canary", "instances": 1}, "", "two production instances"),
        ({"release": "a b\n"}, "release", "pattern"),
        ({"surprise": 1}, "surprise", "not permitted"),
    ],
)
def test_check_names_the_property_and_the_rule(
    resource: Deployment, changes: dict[str, Any], path: str, text: str
) -> None:
    failures = resource.check(CONTEXT, {}, inputs_for(**changes)).failures
    assert [failure.property for failure in failures] == [path]
    assert text in failures[0].reason


def test_unknowns_pass_the_check_and_give_an_unknown_config(resource: Deployment) -> None:
    inputs = inputs_for(model=UNKNOWN)
    assert not resource.check(CONTEXT, {}, inputs).failures
    assert resource.preview_create(CONTEXT, inputs)["configName"] is UNKNOWN
    assert resource.preview_create(CONTEXT, inputs_for())["configName"] == config_name(spec_for())


@pytest.mark.parametrize(
    "changes, paths, replaces",
    [
        ({}, [], False),
        ({"stage": "live", "release": "r2"}, [("release",)], False),
        ({"endpointName": "f"}, [("endpointName",)], True),
        ({"model": "m2"}, [("production", "modelName")], False),
    ],
)
def test_diff(
    resource: Deployment, changes: dict[str, Any], paths: list[tuple[str, ...]], replaces: bool
) -> None:
    inputs, state = created(resource)
    diff = resource.diff(CONTEXT, "e", state, inputs, inputs_for(**changes))
    assert [change.path for change in diff.changes] == paths
    assert diff.replaces is replaces


def test_a_change_of_guardrails_stage_release_or_floor_deploys_nothing(
    resource: Deployment, aws: FakeAws
) -> None:
    inputs, state = created(resource)
    guardrails = {**inputs["guardrails"], "waitSeconds": 60}
    resource.update(
        CONTEXT,
        "e",
        state,
        inputs,
        inputs_for(release="r2", guardrails=guardrails, stage="canary", instances=4),
    )
    assert not aws.named("UpdateEndpoint")


def test_tags_alone_are_added_and_removed(resource: Deployment, aws: FakeAws) -> None:
    inputs, state = created(resource)
    aws.tag_store[ARN]["cost-centre"] = "7"
    resource.update(CONTEXT, "e", state, inputs, inputs_for(tags={"owner": "y"}))
    assert aws.tag_store[ARN] == {"owner": "y", "cost-centre": "7"}
    assert not aws.named("UpdateEndpoint")


def test_read_of_what_nobody_touched_is_no_drift(resource: Deployment, aws: FakeAws) -> None:
    capture = {"destinationS3Uri": "s3://b/p", "samplingPercentage": 100, "kmsKeyArn": "arn:aws:kms:k"}
    inputs, state = created(resource, capture=capture, metricsFrequencySeconds=10, kmsKeyArn="arn:aws:kms:k")
    aws.endpoints["e"]["ProductionVariants"][0]["DesiredInstanceCount"] = 9
    aws.tag_store[ARN][marks.REFUSED] = "x y"
    read = resource.read(CONTEXT, "e", state, inputs)
    assert read is not None
    assert read.inputs == inputs
    assert read.outputs == state


def test_read_shows_a_config_that_a_hand_put_there(resource: Deployment, aws: FakeAws) -> None:
    inputs, state = created(resource)
    cloud: Cloud = aws.cloud()
    variant = {**aws.configs[config_name(spec_for())]["ProductionVariants"][0], "ModelName": "m0"}
    cloud.sagemaker.create_endpoint_config(EndpointConfigName="by-hand", ProductionVariants=[variant])
    aws.endpoints["e"]["EndpointConfigName"] = "by-hand"
    read = resource.read(CONTEXT, "e", state, inputs)
    assert read is not None
    assert read.inputs["production"]["modelName"] == "m0"
    assert read.outputs["configName"] == "by-hand"
    assert resource.diff(CONTEXT, "e", read.outputs, read.inputs, inputs).changes
    resource.update(CONTEXT, "e", read.outputs, read.inputs, inputs)
    assert aws.named("UpdateEndpoint")[-1]["EndpointConfigName"] == config_name(spec_for())


def test_a_copied_config_under_another_name_is_a_difference_too(resource: Deployment, aws: FakeAws) -> None:
    inputs, state = created(resource)
    aws.configs["copy"] = {**aws.configs[config_name(spec_for())], "EndpointConfigName": "copy"}
    aws.endpoints["e"]["EndpointConfigName"] = "copy"
    read = resource.read(CONTEXT, "e", state, inputs)
    assert read is not None and read.inputs == inputs
    changes = resource.diff(CONTEXT, "e", read.outputs, read.inputs, inputs).changes
    assert [change.path for change in changes] == [("configName",)]


def test_a_config_deleted_under_the_endpoint_is_made_again(resource: Deployment, aws: FakeAws) -> None:
    inputs, state = created(resource)
    aws.configs.clear()
    assert resource.read(CONTEXT, "e", state, inputs) is not None
    resource.update(CONTEXT, "e", state, inputs, inputs)
    assert config_name(spec_for()) in aws.configs
    # SageMaker refuses to update away from a config that is gone.
    aws.configs.clear()
    outputs = resource.update(CONTEXT, "e", state, inputs, inputs_for(model="m2", stage="canary"))
    assert outputs["previousConfigName"] == config_name(spec_for())


def test_read_of_what_is_gone_is_none_and_delete_leaves_nothing(resource: Deployment, aws: FakeAws) -> None:
    inputs, state = created(resource)
    resource.delete(CONTEXT, "e", state, inputs)
    assert not aws.endpoints and not aws.configs
    assert resource.read(CONTEXT, "e", state, inputs) is None
    resource.delete(CONTEXT, "e", state, inputs)


def test_import_reads_what_aws_knows(resource: Deployment, aws: FakeAws) -> None:
    created(resource)
    read = resource.read(CONTEXT, "e", {}, {})
    assert read is not None
    assert read.inputs["endpointName"] == "e"
    assert read.inputs["production"] == {"modelName": "m1", "instanceType": "ml.m5.large", "instances": 2}
