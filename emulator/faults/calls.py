"""Calls of the control plane that are throttled, or whose answer is lost: around moto's responses.

What the emulator calls itself is left alone: AWS's own services are not throttled by what their users do.
"""

import contextlib
from typing import Any
from urllib.parse import urlsplit

from moto.core.responses import BaseResponse
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model
from moto.s3.exceptions import S3ClientError
from moto.s3.responses import S3Response

from emulator.api import LOST
from emulator.context import Context
from emulator.faults.kinds import Api
from emulator.services.refusals import error

MESSAGE = "Rate exceeded"
_INTERNAL_ERROR = "We encountered an internal error. Please try again."


def install(context: Context) -> None:
    """Wrap what the areas before have put there: it is new at each of their installations."""
    other = BaseResponse.call_action
    inner = urlsplit(context.control_url).netloc

    def decide(response: Any) -> Api | None:
        if response.headers.get("Host") == inner:
            return None
        return context.faults.call(response.boto3_service_name, lambda: _action(response))

    def call_action(self: Any) -> Any:
        fault = decide(self)
        if fault is None:
            return other(self)
        if fault.throttle is not None:
            return throttled(self)
        other(self)
        return lost(self)

    setattr(BaseResponse, "call_action", call_action)  # noqa: B010 - mypy lets no method be assigned to
    for name in ("_bucket_response", "_key_response"):
        _wrap(name, decide)


def _wrap(name: str, decide: Any) -> None:
    """S3's own way to its actions."""
    other = getattr(S3Response, name)

    def respond(self: Any, request: Any, full_url: str) -> Any:
        fault = decide(self)
        if fault is None:
            return other(self, request, full_url)
        if fault.throttle is not None:
            return throttled(self)
        with contextlib.suppress(S3ClientError):
            other(self, request, full_url)
        return lost(self)

    setattr(S3Response, name, respond)


def throttled(response: Any) -> Any:
    """The answer of a service that is asked too often, as botocore knows it of each (retryhandler, "throttling").

    Source: "Error responses" of Amazon S3 (SlowDown, 503), "Throttle requests" of EC2 (RequestLimitExceeded, 503),
    Lambda's TooManyRequestsException (429), and the common errors of the query and JSON protocols (400).
    """
    service = response.boto3_service_name
    if service == "s3":
        return 503, *error(response, "SlowDown", "Please reduce your request rate.")[1:]
    if service == "ec2":
        return 503, *error(response, "RequestLimitExceeded", "Request limit exceeded.")[1:]
    if service == "lambda":
        return error(response, "TooManyRequestsException", MESSAGE)
    protocol = response.determine_response_protocol(get_service_model(service))
    return error(response, "Throttling" if protocol == "query" else "ThrottlingException", MESSAGE)


def lost(response: Any) -> Any:
    """Status 500 for one who asks this process itself; the router takes it for the sign to break the connection."""
    _, headers, body = error(response, "InternalFailure", _INTERNAL_ERROR)
    return 500, {**headers, LOST: "true"}, body


def _action(response: Any) -> str | None:
    if response.boto3_service_name != "s3":
        name: str | None = response._get_action()
        return name
    try:
        operation, _ = get_service_router("s3").match(response.normalized_request)
    except Exception:  # noqa: BLE001 - a request that is no action of S3 matches no fault about one
        return None
    return str(operation.name)
