"""Inputs of a deployment."""

from typing import Any

from endpoints.rollout.spec import Spec

ALARMS = ("e-rollback-5xx", "e-abort")


def inputs_for(**changes: Any) -> dict[str, Any]:
    """Inputs as the engine sends them; `model` and `shadow` are model names."""
    model, shadow = changes.pop("model", "m1"), changes.pop("shadow", None)
    instances, instance_type = changes.pop("instances", 2), changes.pop("instance_type", "ml.m5.large")
    inputs: dict[str, Any] = {
        "endpointName": "e",
        "production": {
            "variantName": "AllTraffic",
            "modelName": model,
            "instanceType": instance_type,
            "instances": instances,
        },
        "guardrails": {
            "canaryPercent": 50,
            "waitSeconds": 40,
            "bakeSeconds": 20,
            "maximumSeconds": 600,
            "alarmNames": list(ALARMS),
        },
        "stage": "shadow" if shadow else "live",
        "release": "r1",
        "tags": {"team": "x"},
        **changes,
    }
    if shadow:
        inputs["shadow"] = {"variantName": "Shadow", "modelName": shadow, "instanceType": instance_type}
    return inputs


def spec_for(**changes: Any) -> Spec:
    return Spec.model_validate(inputs_for(**changes))
