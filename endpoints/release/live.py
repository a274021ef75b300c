"""What the endpoint is doing now, as AWS says it; and the operator's way to turn a deployment back."""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from sluice.clock import Clock
from sluice.config import Frozen
from sluice.errors import SluiceError

# The alarm of endpoints/components/alarms.py watches this metric.
NAMESPACE = "Sluice/Release"
METRIC = "Abort"
ABORT_SECONDS = 180.0
"""How long to insist: an alarm of one-minute periods takes up to two of them to see a value."""


class Variant(Frozen):
    """A variant of the endpoint: its fleet and its share."""

    name: str
    instances: int
    wanted: int
    weight: float
    shadow: bool


class Live(Frozen):
    """An endpoint. `pending` is the config that is being deployed."""

    name: str
    status: str
    config: str
    pending: str | None
    variants: tuple[Variant, ...]
    failure: str | None
    alarms: dict[str, str]


def observe(endpoint: str, clients: Mapping[str, Any]) -> Live | None:
    """The endpoint and its alarms; None if there is no endpoint."""
    try:
        found = clients["sagemaker"].describe_endpoint(EndpointName=endpoint)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("ValidationException", "ResourceNotFound"):
            return None
        raise
    pages = clients["cloudwatch"].get_paginator("describe_alarms").paginate(AlarmNamePrefix=f"{endpoint}-")
    alarms = {alarm["AlarmName"]: alarm["StateValue"] for page in pages for alarm in page["MetricAlarms"]}
    pending = found.get("PendingDeploymentSummary")
    return Live(
        name=endpoint,
        status=found["EndpointStatus"],
        config=found["EndpointConfigName"],
        pending=pending["EndpointConfigName"] if pending else None,
        variants=(
            *(_variant(each, shadow=False) for each in found.get("ProductionVariants", [])),
            *(_variant(each, shadow=True) for each in found.get("ShadowProductionVariants", [])),
        ),
        failure=found.get("FailureReason"),
        alarms=alarms,
    )


def _variant(found: Mapping[str, Any], shadow: bool) -> Variant:
    return Variant(
        name=found["VariantName"],
        instances=found.get("CurrentInstanceCount", 0),
        wanted=found.get("DesiredInstanceCount", 0),
        weight=found.get("CurrentWeight", 0.0),
        shadow=shadow,
    )


def abort(endpoint: str, clients: Mapping[str, Any], clock: Clock) -> str:
    """Raise the operator's alarm until SageMaker turns the deployment back; the config that is turned back.

    Raises:
        SluiceError: if nothing is being deployed, or the alarm did not go off.
    """
    now = observe(endpoint, clients)
    if now is None or now.pending is None:
        raise SluiceError(
            f"nothing is being deployed to {endpoint}",
            "What is live already goes back by `sluice release rollback`, which is a new deployment.",
        )
    config = now.pending
    began = clock.now()
    while (clock.now() - began).total_seconds() < ABORT_SECONDS:
        clients["cloudwatch"].put_metric_data(
            Namespace=NAMESPACE,
            MetricData=[
                {
                    "MetricName": METRIC,
                    "Dimensions": [
                        {"Name": "EndpointName", "Value": endpoint},
                        {"Name": "EndpointConfigName", "Value": config},
                    ],
                    "Value": 1,
                    # An alarm of ten-second periods sees values of high resolution only.
                    "StorageResolution": 1,
                }
            ],
        )
        clock.sleep(2)
        now = observe(endpoint, clients)
        if now is None or now.pending != config or now.status == "RollingBack":
            return config
    raise SluiceError(
        f"the deployment of {config} to {endpoint} goes on though its abort alarm was raised for {ABORT_SECONDS:.0f} s",
        f"Look at the alarm {endpoint}-abort: is it one of the deployment's rollback alarms?",
    )
