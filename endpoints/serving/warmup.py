"""Requests made up from the schema, so that the first caller does not wait for what loads lazily."""

import math
from collections.abc import Iterable, Iterator
from typing import Any

from endpoints.serving.bodies import ENCODERS
from endpoints.serving.model import Served
from workloads.contract import InputField

_MOMENT = "2013-07-01T12:00:00Z"


def rows(fields: Iterable[InputField], count: int) -> list[dict[str, Any]]:
    """`count` rows that the schema allows."""
    return [{field.name: _value(field, row) for field in fields} for row in range(count)]


def _value(field: InputField, row: int) -> Any:
    if field.categories:
        return field.categories[row % len(field.categories)]
    if field.type == "timestamp":
        return _MOMENT
    if field.type == "string":
        return f"{row:03d}"[-field.max_length :]
    low = field.min if field.min is not None else min(0.0, field.max or 0.0)
    high = field.max if field.max is not None else max(low, 0.0)
    middle = (low + high) / 2
    return math.floor(middle) if field.type == "integer" else middle


def bodies(served: Served, counts: Iterable[int]) -> Iterator[tuple[str, bytes]]:
    """Bodies of each content type and each number of rows, with their content types."""
    for count in counts:
        sample = rows(served.needed, count)
        for content_type in ENCODERS:
            yield content_type, ENCODERS[content_type](sample)
