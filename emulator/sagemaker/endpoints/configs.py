"""The actions of endpoint configs, with every field and AWS's refusals."""

import re
from collections.abc import Mapping
from typing import Any

import botocore.session

from emulator.context import Context
from emulator.sagemaker import models
from emulator.sagemaker.seam import (
    LOCK,
    Params,
    Record,
    backend,
    checked_tags,
    choose,
    page,
    present,
    refusal,
)

NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
FREQUENCIES = (10, 30, 60, 120, 180, 240, 300)
_KEPT = (
    "EndpointConfigName",
    "ProductionVariants",
    "ShadowProductionVariants",
    "DataCaptureConfig",
    "KmsKeyId",
    "AsyncInferenceConfig",
    "ExplainerConfig",
    "ExecutionRoleArn",
    "VpcConfig",
    "MetricsConfig",
    "CrossRegionTrafficConfig",
)


class EndpointConfigs:
    """The table of endpoint configs."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def create(self, params: Params) -> Mapping[str, Any]:
        name = params["EndpointConfigName"]
        arn = self._context.arn("sagemaker", f"endpoint-config/{name}")
        check(params)
        for variant in (*params["ProductionVariants"], *(params.get("ShadowProductionVariants") or ())):
            models.container(variant["ModelName"])
        with LOCK:
            if name in self._table():
                raise refusal(f'Cannot create already existing endpoint configuration "{arn}".')
            fields = present({field: params.get(field) for field in _KEPT})
            fields |= {
                "EndpointConfigArn": arn,
                "EnableNetworkIsolation": bool(params.get("EnableNetworkIsolation")),
                "CreationTime": self._context.clock.now(),
            }
            for kind in ("ProductionVariants", "ShadowProductionVariants"):
                if kind in fields:
                    fields[kind] = [{"InitialVariantWeight": 1.0, **variant} for variant in fields[kind]]
            self._table()[name] = Record(arn, fields, checked_tags(params.get("Tags")))
        return {"EndpointConfigArn": arn}

    def describe(self, params: Params) -> Mapping[str, Any]:
        return self.find(params["EndpointConfigName"])

    def list_all(self, params: Params) -> Mapping[str, Any]:
        chosen = choose(
            self._table().values(),
            params,
            name="EndpointConfigName",
            sort_keys={"Name": "EndpointConfigName", "CreationTime": "CreationTime"},
        )
        records, token = page(chosen, params)
        keys = ("EndpointConfigName", "EndpointConfigArn", "CreationTime")
        return {"EndpointConfigs": [{k: r.fields[k] for k in keys} for r in records], "NextToken": token}

    def delete(self, params: Params) -> None:
        """Also a config in use: AWS asks not to and does not refuse; the endpoint cannot be updated then."""
        with LOCK:
            self.find(params["EndpointConfigName"])
            del self._table()[params["EndpointConfigName"]]

    def find(self, name: str) -> dict[str, Any]:
        """The fields of a config.

        Raises:
            ServiceException: ValidationException if there is none.
        """
        record = self._table().get(name)
        if record is None:
            arn = self._context.arn("sagemaker", f"endpoint-config/{name}")
            raise refusal(f'Could not find endpoint configuration "{arn}".')
        fields: dict[str, Any] = record.fields
        return fields

    def _table(self) -> dict[str, Any]:
        table: dict[str, Any] = backend(self._context).endpoint_configs
        return table


def check(params: Params) -> None:
    """Refuse what SageMaker refuses in a config by itself (API reference; guide, "shadow-tests-exclusions").

    Raises:
        ServiceException: ValidationException.
    """
    name = params["EndpointConfigName"]
    if not NAME.fullmatch(name):
        raise refusal(
            f"1 validation error detected: Value '{name}' at 'endpointConfigName' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: [a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"
        )
    production = params.get("ProductionVariants") or []
    shadow = params.get("ShadowProductionVariants") or []
    if not 1 <= len(production) <= 10:
        raise refusal("ProductionVariants must have between 1 and 10 variants.")
    if shadow and (len(production) != 1 or len(shadow) != 1):
        raise refusal(
            "An endpoint configuration with ShadowProductionVariants must have exactly one production variant and "
            f"one shadow variant; got {len(production)} and {len(shadow)}."
        )
    if shadow and params.get("AsyncInferenceConfig"):
        raise refusal("ShadowProductionVariants are not supported for asynchronous endpoints.")
    names = [variant.get("VariantName") for variant in (*production, *shadow)]
    if len(set(names)) != len(names):
        raise refusal("Variant names must be unique within an endpoint configuration.")
    for variant in (*production, *shadow):
        _check_variant(variant, bool(shadow))
    _check_capture(params.get("DataCaptureConfig"))
    metrics = params.get("MetricsConfig") or {}
    if metrics.get("MetricPublishFrequencyInSeconds", 60) not in FREQUENCIES:
        raise refusal(f"MetricPublishFrequencyInSeconds must be one of {list(FREQUENCIES)}.")


def _check_variant(variant: Mapping[str, Any], shadowed: bool) -> None:
    name = variant.get("VariantName")
    if variant.get("ServerlessConfig"):
        if shadowed:
            raise refusal("ShadowProductionVariants are not supported for serverless endpoints.")
        raise refusal(f"Variant {name}: this machine runs variants on instances, not serverless ones.")
    if not variant.get("ModelName"):
        raise refusal(f"ModelName is required for production variant {name}.")
    kind = variant.get("InstanceType")
    if kind is None:
        raise refusal(f"InstanceType is required for production variant {name}.")
    if kind not in _instance_types():
        raise refusal(
            f"1 validation error detected: Value '{kind}' at 'productionVariants.instanceType' failed to satisfy "
            "constraint: Member must satisfy enum value set."
        )
    if shadowed and kind.startswith("ml.inf1."):
        raise refusal("ShadowProductionVariants are not supported on Inf1 instances.")
    if int(variant.get("InitialInstanceCount") or 0) < 1:
        raise refusal(f"InitialInstanceCount of production variant {name} must be at least 1.")
    if float(variant.get("InitialVariantWeight", 1.0)) < 0:
        raise refusal(f"InitialVariantWeight of production variant {name} must not be negative.")


def _check_capture(capture: Mapping[str, Any] | None) -> None:
    if capture is None:
        return
    if not str(capture.get("DestinationS3Uri", "")).startswith("s3://"):
        raise refusal("DataCaptureConfig.DestinationS3Uri must be an S3 URI.")
    if not 0 <= int(capture.get("InitialSamplingPercentage", -1)) <= 100:
        raise refusal("DataCaptureConfig.InitialSamplingPercentage must be between 0 and 100.")
    if not capture.get("CaptureOptions"):
        raise refusal("DataCaptureConfig.CaptureOptions must have at least one option.")


_types: frozenset[str] = frozenset()


def _instance_types() -> frozenset[str]:
    global _types
    if not _types:
        shapes = botocore.session.get_session().get_service_model("sagemaker")
        _types = frozenset(shapes.shape_for("ProductionVariantInstanceType").enum)
    return _types
