"""What an error of AWS says about the call that got it."""

from enum import StrEnum

from botocore.exceptions import ClientError, HTTPClientError

_THROTTLED = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestLimitExceeded",
        "TooManyRequestsException",
    }
)


class Fault(StrEnum):
    """The kinds that are handled differently."""

    THROTTLED = "throttled"
    """Refused before anything was done: the same call may be made again."""
    LOST = "lost"
    """No answer, or one of a broken server: the call may have arrived. Look before calling again."""
    ABSENT = "absent"
    EXISTS = "exists"
    BUSY = "busy"
    """The endpoint is changing and takes no other change."""
    OTHER = "other"


def fault(error: Exception) -> Fault:
    """The kind of an error that a boto3 call raised. SageMaker has one code, ValidationException, for most of them
    and tells them apart in the message."""
    if isinstance(error, HTTPClientError):
        return Fault.LOST
    if not isinstance(error, ClientError):
        return Fault.OTHER
    details = error.response.get("Error", {})
    code, message = details.get("Code", ""), details.get("Message", "").lower()
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
    if code in _THROTTLED or status == 429:
        return Fault.THROTTLED
    if status >= 500:
        return Fault.LOST
    if "could not find" in message or code in ("ResourceNotFound", "ObjectNotFoundException"):
        return Fault.ABSENT
    if "already exist" in message:
        return Fault.EXISTS
    if "in-progress" in message or "in progress" in message:
        return Fault.BUSY
    return Fault.OTHER
