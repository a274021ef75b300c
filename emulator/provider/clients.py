"""One boto3 client a service, and the handling of "it is not there"."""

import functools
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from sluice import aws

Answer = TypeVar("Answer")

_lock = threading.Lock()


@functools.cache
def _cached(service: str, region: str) -> Any:  # noqa: ARG001 - the region is part of the key
    return aws.client(service)


def client(service: str) -> Any:
    """The client of `service` in this process's region. Clients are safe to share between threads; making
    one is not, and costs a tenth of a second."""
    with _lock:
        return _cached(service, aws.region())


def forget() -> None:
    """Make new clients from now on, after the region, the endpoint or the credentials changed."""
    with _lock:
        _cached.cache_clear()


def found(call: Callable[[], Answer], *codes: str) -> Answer | None:
    """What `call` gives, or None if AWS answers with one of the error `codes`."""
    try:
        return call()
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in codes:
            return None
        raise


def pages(service: str, operation: str, key: str, **parameters: Any) -> list[Any]:
    """All items under `key` of a paged operation."""
    answers = client(service).get_paginator(operation).paginate(**parameters)
    return [item for answer in answers for item in answer.get(key, [])]
