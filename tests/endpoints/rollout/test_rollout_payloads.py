"""What is sent to AWS, to the letter."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from endpoints.rollout.configs import KEEP, unused
from endpoints.rollout.faults import Fault, fault
from endpoints.rollout.marks import attempt_mark, attempt_of
from endpoints.rollout.payloads import (
    Routing,
    create_endpoint_config,
    deployment_config,
    differences,
    routing,
)
from endpoints.rollout.scaling import pack, unpack
from endpoints.rollout.spec import Spec, config_name, is_config_of
from sluice.errors import SluiceError
from tests.endpoints.rollout.fake import refuse
from tests.endpoints.rollout.samples import inputs_for, spec_for

CAPTURE = {"destinationS3Uri": "s3://capture/flights", "samplingPercentage": 100.0, "kmsKeyArn": "key"}


def test_the_config_of_a_shadow_stage() -> None:
    spec = spec_for(shadow="m2", capture=CAPTURE, kmsKeyArn="disk", metricsFrequencySeconds=10.0)
    assert create_endpoint_config(spec, 3) == {
        "EndpointConfigName": "e-68018948657f",
        "ProductionVariants": [
            {
                "VariantName": "AllTraffic",
                "ModelName": "m1",
                "InstanceType": "ml.m5.large",
                "InitialVariantWeight": 1.0,
                "InitialInstanceCount": 3,
            }
        ],
        "ShadowProductionVariants": [
            {
                "VariantName": "Shadow",
                "ModelName": "m2",
                "InstanceType": "ml.m5.large",
                "InitialVariantWeight": 1.0,
                "InitialInstanceCount": 3,
            }
        ],
        "KmsKeyId": "disk",
        "DataCaptureConfig": {
            "EnableCapture": True,
            "InitialSamplingPercentage": 100,
            "DestinationS3Uri": "s3://capture/flights",
            "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
            "CaptureContentTypeHeader": {
                "CsvContentTypes": ["text/csv"],
                "JsonContentTypes": ["application/json"],
            },
            "KmsKeyId": "key",
        },
        "MetricsConfig": {
            "EnableEnhancedMetrics": True,
            "EnableDetailedObservability": False,
            "MetricPublishFrequencyInSeconds": 10,
        },
        "Tags": [{"Key": "sluice:endpoint", "Value": "e"}, {"Key": "team", "Value": "x"}],
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"release": "r9"},
        {"stage": "canary"},
        {"tags": {}},
        {"instances": 9},
        {"guardrails": {**inputs_for()["guardrails"], "waitSeconds": 7}},
    ],
)
def test_the_name_does_not_depend_on(changes: dict[str, Any]) -> None:
    assert config_name(spec_for(**changes)) == config_name(spec_for())


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "m2"},
        {"shadow": "m2"},
        {"instance_type": "ml.c5.large"},
        {"kmsKeyArn": "k"},
        {"capture": CAPTURE},
        {"metricsFrequencySeconds": 10},
    ],
)
def test_the_name_depends_on(changes: dict[str, Any]) -> None:
    assert config_name(spec_for(**changes)) != config_name(spec_for())


def test_promotion_and_live_are_the_same_config() -> None:
    assert config_name(spec_for(model="m2", stage="canary")) == config_name(spec_for(model="m2"))


def test_numbers_of_the_wire_make_the_same_spec() -> None:
    inputs = inputs_for()
    floats = {
        key: {k: float(v) if isinstance(v, int) else v for k, v in value.items()}
        if isinstance(value, dict)
        else value
        for key, value in inputs.items()
    }
    assert Spec.model_validate(floats) == Spec.model_validate(inputs)


@pytest.mark.parametrize(
    "spec, live, known, expected",
    [
        (spec_for(model="m2", stage="canary"), "m1", {"m1"}, Routing(canary=True, guarded=True)),
        # The canary ran already: what is left to change is not the model.
        (spec_for(model="m2", stage="canary"), "m2", {"m2"}, Routing(canary=False, guarded=True)),
        (spec_for(shadow="m2"), "m1", {"m1"}, Routing(canary=False, guarded=False)),
        (spec_for(), "m1", {"m1"}, Routing(canary=False, guarded=True)),
        (spec_for(), "m2", {"m1", "m2"}, Routing(canary=False, guarded=True)),
        (spec_for(model="m3"), "m1", {"m1"}, Routing(canary=True, guarded=True)),
    ],
)
def test_how_an_update_takes_place(spec: Spec, live: str, known: set[str], expected: Routing) -> None:
    assert routing(spec, live, known, 2) == expected


def test_one_instance_has_no_canary() -> None:
    with pytest.raises(SluiceError, match="one instance"):
        routing(spec_for(model="m2", stage="canary"), "m1", {"m1"}, 1)
    assert not routing(spec_for(model="m3", instances=1), "m1", {"m1"}, 1).canary


def test_a_canary_of_instances_is_at_most_half_of_what_runs() -> None:
    guardrails = {**inputs_for()["guardrails"], "canaryInstances": 3, "canaryPercent": None}
    spec = spec_for(guardrails=guardrails, instances=6, model="m2", stage="canary")
    config = deployment_config(spec.guardrails, Routing(canary=True, guarded=True), 4)
    size = config["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]["CanarySize"]
    assert size == {"Type": "INSTANCE_COUNT", "Value": 2}


@pytest.mark.parametrize(
    "guardrails",
    [
        {"canaryPercent": 60},
        {"canaryInstances": 1},
        {"canaryPercent": None},
        {"waitSeconds": 500, "bakeSeconds": 100},
        {"maximumSeconds": 599},
        {"alarmNames": []},
        {"alarmNames": ["a", "a"]},
        {"alarmNames": [f"a{n}" for n in range(11)]},
    ],
)
def test_guardrails_that_sagemaker_would_refuse(guardrails: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        spec_for(guardrails={**inputs_for()["guardrails"], **guardrails})


def test_a_description_with_what_aws_adds_is_no_difference() -> None:
    request = create_endpoint_config(spec_for(capture=CAPTURE), 2)
    found = {**request, "EndpointConfigArn": "arn", "CreationTime": 0, "EnableNetworkIsolation": False}
    assert differences(request, found) == []
    fewer = create_endpoint_config(spec_for(capture=CAPTURE), 9)
    assert differences(fewer, found) == []
    assert differences(request, create_endpoint_config(spec_for(shadow="m2", capture=CAPTURE), 2))
    assert differences(request, create_endpoint_config(spec_for(), 2)) == ["DataCaptureConfig is missing"]


def test_configs_in_use_and_the_newest_stay() -> None:
    names = [f"e-{number:012x}" for number in range(9)]
    assert unused("e", [*names, "e-hand-made", "e-2-000000000000"], (names[8],)) == names[KEEP:8]


@pytest.mark.parametrize(
    "name, mine",
    [
        ("e-0123456789ab", True),
        ("e-2-0123456789ab", False),
        ("e-0123456789aB", False),
        ("e-1", False),
        (None, False),
    ],
)
def test_which_configs_are_ours(name: str | None, mine: bool) -> None:
    assert is_config_of("e", name) is mine


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=200), max_size=6))
def test_what_is_put_aside_comes_back_from_tags_in_any_order(parked: dict[str, str]) -> None:
    tags = pack({"target": parked})
    assert all(len(value) <= 256 for value in tags.values())
    assert unpack(dict(reversed([*tags.items(), ("other", "x")]))) == {"target": parked}
    assert unpack({"other": "x"}) is None


def test_an_attempt_is_of_one_config_and_release() -> None:
    spec = spec_for()
    tags = {"sluice:attempt": attempt_mark(spec, None)}
    assert attempt_of(spec, tags) is not None
    assert attempt_of(spec_for(release="r2"), tags) is None
    assert attempt_of(spec_for(model="m2"), tags) is None
    assert attempt_of(spec, {}) is None


@pytest.mark.parametrize(
    "error, expected",
    [
        (refuse("X", "Rate exceeded", "ThrottlingException"), Fault.THROTTLED),
        (refuse("X", "", "ServiceUnavailable", 503), Fault.LOST),
        (refuse("X", 'Could not find endpoint "arn".'), Fault.ABSENT),
        (refuse("X", 'Cannot create already existing endpoint "arn".'), Fault.EXISTS),
        (refuse("X", 'Cannot update in-progress endpoint "arn".'), Fault.BUSY),
        (refuse("X", "no", "AccessDeniedException", 403), Fault.OTHER),
        (ValueError("x"), Fault.OTHER),
    ],
)
def test_kinds_of_errors(error: Exception, expected: Fault) -> None:
    assert fault(error) is expected
