"""The inputs that would have made what is there, so that `pulumi refresh` sees what a hand has changed."""

from collections.abc import Mapping
from typing import Any

from endpoints.rollout.marks import is_mark

Values = Mapping[str, Any]


def inputs_of(config: Values | None, tags: Mapping[str, str], old: Values) -> dict[str, Any]:
    """The inputs as they are in the world.

    Args:
        config: DescribeEndpointConfig's answer for the config that serves; None if somebody deleted it.
        tags: of the endpoint.
        old: the inputs in the state; what AWS does not know (floor, guardrails, stage, release) is theirs, and so
            are counts, which are the autoscaler's business. Tags that others set are not ours to report.
    """
    inputs = {key: value for key, value in old.items() if value is not None}
    if "tags" in inputs:
        inputs["tags"] = {key: tags[key] for key in inputs["tags"] if key in tags and not is_mark(key)}
    if config is None:
        # Which models serve cannot be told any more. The outputs name the config, and an update repairs it.
        return inputs
    first = next(iter(config["ProductionVariants"]))
    old_production = old.get("production") or {}
    floor = old_production.get("instances", first.get("InitialInstanceCount"))
    inputs["production"] = {**_variant(first, old_production), "instances": floor}
    _set(inputs, "shadow", _shadow(config, old.get("shadow") or {}))
    _set(inputs, "kmsKeyArn", config.get("KmsKeyId") or None)
    _set(inputs, "capture", _capture(config))
    metrics = config.get("MetricsConfig") or {}
    enhanced = metrics.get("EnableEnhancedMetrics")
    frequency = int(metrics.get("MetricPublishFrequencyInSeconds", 60)) if enhanced else None
    _set(inputs, "metricsFrequencySeconds", frequency)
    return inputs


def _variant(variant: Values, old: Values) -> dict[str, Any]:
    found = {"modelName": variant.get("ModelName", ""), "instanceType": variant.get("InstanceType", "")}
    # The variant's name has a default, so a program need not say it; where it does not, it is no difference.
    if "variantName" in old or variant["VariantName"] not in ("AllTraffic", "Shadow"):
        found["variantName"] = variant["VariantName"]
    return found


def _shadow(config: Values, old: Values) -> dict[str, Any] | None:
    shadows = config.get("ShadowProductionVariants") or ()
    return _variant(shadows[0], old) if shadows else None


def _capture(config: Values) -> dict[str, Any] | None:
    capture = config.get("DataCaptureConfig") or {}
    if not capture.get("EnableCapture"):
        return None
    found = {
        "destinationS3Uri": capture["DestinationS3Uri"],
        "samplingPercentage": int(capture["InitialSamplingPercentage"]),
    }
    return {**found, "kmsKeyArn": capture["KmsKeyId"]} if capture.get("KmsKeyId") else found


def _set(inputs: dict[str, Any], key: str, value: Any) -> None:
    if value is None:
        inputs.pop(key, None)
    else:
        inputs[key] = value
