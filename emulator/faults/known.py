"""Whether what a fault names is there."""

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError, UnknownServiceError
from moto.core.utils import get_service_model

from emulator.faults import kinds
from emulator.faults.instances import known, variants
from emulator.sagemaker.endpoints.instance import ZONES
from emulator.sagemaker.seam import client
from sluice.errors import SluiceError


def check(what: kinds.What) -> kinds.What:
    """The fault, its names as AWS has them.

    Raises:
        SluiceError: if it names something that there is not.
    """
    match what:
        case kinds.Instance() | kinds.Captures():
            _variant(what.endpoint, what.variant)
        case kinds.Model():
            _variant(what.endpoint, what.variant)
            sagemaker = client("sagemaker")
            if what.config is not None:
                _find(
                    "endpoint config", what.config, sagemaker.describe_endpoint_config, "EndpointConfigName"
                )
            if what.package is not None:
                _find("model package", what.package, sagemaker.describe_model_package, "ModelPackageName")
        case kinds.Zone():
            if what.zone not in ZONES:
                raise SluiceError(f"there is no zone {what.zone!r}", f"There are: {', '.join(ZONES)}.")
            if what.endpoint is not None:
                known(what.endpoint)
        case kinds.Events() if what.rule is not None:
            _find("rule", what.rule, client("events").describe_rule, "Name")
        case kinds.Function():
            found = _find("function", what.function, client("lambda").get_function, "FunctionName")
            return what.model_copy(update={"function": found["Configuration"]["FunctionName"]})
        case kinds.Api() if what.service is not None:
            _action(what.service, what.action)
    return what


def _variant(endpoint: str, variant: str | None) -> None:
    there = variants(known(endpoint))
    if variant is not None and variant not in there:
        raise SluiceError(
            f"the endpoint {endpoint} has no variant {variant!r}", f"It has: {', '.join(sorted(there))}."
        )


def _find(thing: str, name: str, call: Callable[..., Any], parameter: str) -> Any:
    try:
        return call(**{parameter: name})
    except ClientError as error:
        raise SluiceError(f"there is no {thing} {name!r}: {error.response['Error']['Message']}") from error


def _action(service: str, action: str | None) -> None:
    try:
        names = get_service_model(service).operation_names
    except UnknownServiceError:
        raise SluiceError(
            f"AWS has no service {service!r}", "Name it as boto3 does, such as sagemaker."
        ) from None
    if action is not None and action not in names:
        raise SluiceError(f"the service {service} has no action {action!r}", "Write it like UpdateEndpoint.")
