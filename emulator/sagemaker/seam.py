"""Where our SageMaker actions meet moto: how an action is served, and the records it keeps.

moto looks an action up by name on its response class at each call and serialises a plain dict by botocore's own
model, so serving an action is setting a method. Records lie in moto's own tables: tagging, search and the
resource tagging API then see them without any more code.
"""

import functools
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from moto.core.responses import ActionResult
from moto.core.utils import camelcase_to_underscores
from moto.sagemaker.models import sagemaker_backends
from moto.sagemaker.responses import SageMakerResponse

from emulator.context import Context
from emulator.refusals import RefusalError
from sluice import aws

Params = Mapping[str, Any]
Action = Callable[[Params], Mapping[str, Any] | None]

LOCK = threading.RLock()
"""Held while names are checked and taken; moto's tables have no lock of their own."""


def refusal(message: str, code: str = "ValidationException") -> Exception:
    """The error that a client of AWS gets, to be raised by an action."""
    return RefusalError(code, message)


def serve(**actions: Action) -> None:
    """Serve actions by their snake-case names: each gets the request's parameters and returns the answer."""
    for name, act in actions.items():
        setattr(SageMakerResponse, name, _method(act))


def _method(act: Action) -> Callable[[Any], Any]:
    def method(self: Any) -> Any:
        return ActionResult(present(act(self._get_params()) or {}))

    return method


def backend(context: Context) -> Any:  # moto declares its own record types for its tables
    """moto's tables of SageMaker, those of now: `/moto-api/reset` makes new ones."""
    return sagemaker_backends[context.account][context.region]


def client(service: str) -> Any:
    """A boto3 client that talks to this process, made once: making one parses megabytes of service model."""
    return _client(service, os.environ.get("AWS_ENDPOINT_URL"))


@functools.lru_cache(maxsize=64)
def _client(service: str, endpoint: str | None) -> Any:  # noqa: ARG001 - the key of the cache
    return aws.client(service)


def present(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that are not None."""
    return {key: value for key, value in values.items() if value is not None}


@dataclass
class Record:
    """One resource: its ARN, its fields as Describe answers them, and its tags.

    moto's search reads snake-case attributes of what lies in its tables; `__getattr__` gives them.
    """

    arn: str
    fields: dict[str, Any]
    tags: list[dict[str, str]] = field(default_factory=list)

    def gen_response_object(self) -> dict[str, Any]:
        """What moto's Search answers."""
        return {**self.fields, "Tags": self.tags}

    def __getattr__(self, name: str) -> Any:
        for key, value in self.__dict__.get("fields", {}).items():
            if camelcase_to_underscores(key) == name:
                return value
        raise AttributeError(name)


def page(items: list[Any], params: Params, default: int = 100) -> tuple[list[Any], str | None]:
    """One page of `items` and the token of the next.

    Raises:
        RefusalError: ValidationException if the token is not one of ours.
    """
    token = params.get("NextToken") or "0"
    if not token.isdigit():
        raise refusal("The pagination token is invalid.")
    start, size = int(token), int(params.get("MaxResults") or default)
    end = start + size
    return items[start:end], str(end) if end < len(items) else None


def choose(
    records: Iterable[Record],
    params: Params,
    *,
    name: str,
    sort_keys: Mapping[str, str],
    default_sort: str = "CreationTime",
    default_order: str = "Descending",
    equals: Mapping[str, str] | None = None,
) -> list[Record]:
    """The records that a List action asks for, filtered and sorted as SageMaker's lists are.

    Args:
        name: the field that NameContains looks into.
        sort_keys: SortBy's values and the fields they mean.
        equals: parameters and the fields that have to equal them.
    """

    def wanted(record: Record) -> bool:
        text = params.get("NameContains")
        if text and text.lower() not in str(record.fields.get(name, "")).lower():
            return False
        if any(
            params.get(key) and record.fields.get(column) != params[key]
            for key, column in (equals or {}).items()
        ):
            return False
        return all(
            _within(record.fields.get(column), params.get(f"{column}After"), params.get(f"{column}Before"))
            for column in ("CreationTime", "LastModifiedTime")
        )

    column = sort_keys.get(params.get("SortBy") or default_sort, default_sort)
    reverse = (params.get("SortOrder") or default_order) == "Descending"
    return sorted((r for r in records if wanted(r)), key=lambda r: r.fields[column], reverse=reverse)


def _within(moment: datetime | None, after: datetime | None, before: datetime | None) -> bool:
    if after is None and before is None:
        return True
    if moment is None:
        return False
    return (after is None or moment > after) and (before is None or moment < before)


def checked_tags(tags: list[dict[str, str]] | None) -> list[dict[str, str]]:
    """The tags of a Create call, as a list of its own.

    Raises:
        RefusalError: ValidationException if a key appears twice.
    """
    given = list(tags or [])
    if len({tag["Key"] for tag in given}) != len(given):
        raise refusal("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    return given
