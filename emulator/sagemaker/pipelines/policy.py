"""Retry policies and the cache of steps. Pure."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sluice.naming import content_hash

_DURATION = re.compile(
    r"^P(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)S)?)?$"
)


def retry_after(policies: Sequence[Mapping[str, Any]], kind: str, attempt: int, since: float) -> float | None:
    """Seconds to wait before the next attempt of a step; None if there is none.

    Args:
        kind: what went wrong, such as `SageMaker.JOB_INTERNAL_ERROR`.
        attempt: how many attempts there were, from 1.
        since: seconds since the first began.
    """
    for policy in policies:
        if kind not in policy.get("ExceptionType", ()):
            continue
        expires = policy.get("ExpireAfterMin")
        if attempt > policy.get("MaxAttempts", 2**31) or (expires is not None and since > expires * 60):
            return None
        interval = float(policy.get("IntervalSeconds", 1))
        return interval * float(policy.get("BackoffRate", 2.0)) ** (attempt - 1)
    return None


def failure_kind(reason: str) -> str:
    """The exception type of a retry policy that a job's FailureReason means."""
    if reason.startswith("InternalServerError"):
        return "SageMaker.JOB_INTERNAL_ERROR"
    if reason.startswith("CapacityError"):
        return "SageMaker.CAPACITY_ERROR"
    if reason.startswith("ResourceLimitExceeded"):
        return "SageMaker.RESOURCE_LIMIT"
    return "SageMaker.OTHER"


def duration(text: str) -> timedelta:
    """The ISO 8601 duration of CacheConfig's ExpireAfter.

    Raises:
        ValueError: if it is none.
    """
    match = _DURATION.match(text)
    if match is None or text in ("P", "PT"):
        raise ValueError(f"{text!r} is no ISO 8601 duration of weeks, days, hours, minutes or seconds")
    return timedelta(**{unit: int(value) for unit, value in match.groupdict().items() if value})


def cache_key(kind: str, arguments: Mapping[str, Any]) -> str:
    """The same for steps of the same type and arguments; names and tags do not count."""
    counted = {
        key: value
        for key, value in arguments.items()
        if key not in ("ProcessingJobName", "TrainingJobName", "Tags")
    }
    return content_hash([kind, counted], 64)


def fresh(made: datetime, now: datetime, config: Mapping[str, Any]) -> bool:
    """Whether a result may be used again."""
    expires = config.get("ExpireAfter")
    return expires is None or now - made <= duration(expires)
