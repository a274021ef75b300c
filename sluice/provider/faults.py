"""Exceptions as the gRPC statuses that Pulumi shows to the user."""

import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import grpc
from botocore.exceptions import BotoCoreError, ClientError
from google.protobuf import any_pb2, struct_pb2
from pulumi.runtime.proto import provider_pb2, status_pb2

from sluice.clock import SystemClock, iso
from sluice.errors import SluiceError
from sluice.paths import local

_DETAILS = "grpc-status-details-bin"


@dataclass(frozen=True)
class Status:
    """What `ServicerContext.abort_with_status` takes."""

    code: Any
    details: str
    trailing_metadata: tuple[tuple[str, bytes], ...] = ()


def status(error: Exception, provider: str, subject: str) -> Status:
    """The status for an error of resource code. A bug's traceback goes into the provider's log file."""
    if isinstance(error, SluiceError):
        return Status(grpc.StatusCode.FAILED_PRECONDITION, str(error))
    if isinstance(error, ClientError):
        return Status(grpc.StatusCode.UNKNOWN, client_error_text(error))
    if isinstance(error, BotoCoreError):
        # botocore's own validation, or an endpoint that does not answer: its text says which.
        return Status(grpc.StatusCode.UNKNOWN, str(error))
    file = _record(error, provider, subject)
    text = f"{subject}: {type(error).__name__}: {error}"
    return Status(
        grpc.StatusCode.INTERNAL, f"{text}. This is a bug in the provider; its traceback is in {file}."
    )


def client_error_text(error: ClientError) -> str:
    """`<Code>: <Message> (<operation>)`."""
    fault: Mapping[str, Any] = error.response.get("Error", {})
    return f"{fault.get('Code', 'Unknown')}: {fault.get('Message', '')} ({error.operation_name})"


def init_failed(
    id: str, properties: struct_pb2.Struct, inputs: struct_pb2.Struct, reasons: tuple[str, ...]
) -> Status:
    """The status that makes the engine keep a resource in its state although the operation failed."""
    detail = provider_pb2.ErrorResourceInitFailed(
        id=id, properties=properties, inputs=inputs, reasons=reasons
    )
    packed = any_pb2.Any()
    packed.Pack(detail)
    message = "; ".join(reasons)
    whole = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=message, details=[packed])
    return Status(grpc.StatusCode.UNKNOWN, message, ((_DETAILS, whole.SerializeToString()),))


def _record(error: Exception, provider: str, subject: str) -> str:
    path = local() / "logs" / f"provider-{provider}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{iso(SystemClock().now())} {subject}\n{''.join(traceback.format_exception(error))}\n")
    return str(path)
