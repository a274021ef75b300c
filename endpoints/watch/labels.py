"""Ground truth from the data bucket: partitions by the day on which labels became known."""

import io
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from workloads.contract import Workload

MAX_OBJECTS = 50
"""Of one look."""


def partitions(days: Mapping[str, int], delay: timedelta) -> dict[str, int]:
    """The partitions in which labels of events of these days may be, with a sum over the rows that wait for each."""
    found: dict[str, int] = {}
    for day, total in days.items():
        try:
            first = date.fromisoformat(day)
        except ValueError:
            continue
        for ahead in range(math.ceil(delay / timedelta(days=1)) + 1):
            name = (first + timedelta(days=ahead)).isoformat()
            found[name] = found.get(name, 0) + total
    return found


@dataclass(frozen=True)
class Part:
    """An object with labels. `day` is that of its partition."""

    bucket: str
    key: str
    etag: str
    day: str

    def mark(self, wanted: Mapping[str, int]) -> str:
        """Of what the object holds and who waits for it."""
        return f"{self.etag} {wanted.get(self.day, 0)}"


def fresh(
    s3: Any, uri: str, wanted: Mapping[str, int], read: Mapping[str, str], most: float = 1e9
) -> Iterator[Part]:
    """Objects worth reading, at most `MAX_OBJECTS`: those of `wanted` partitions that are new, then those that changed,
    then those for which other rows wait than after they were read.

    Args:
        read: what was read before: key → mark.
        most: bytes in all; one object at least.
    """
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    ranked: list[tuple[int, Part, int]] = []
    for day in sorted(wanted):
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}dt={day}/")
        for page in pages:
            for found in page.get("Contents", []):
                part = Part(bucket, found["Key"], found["ETag"], day)
                before = read.get(part.key)
                if not part.key.endswith(".parquet") or before == part.mark(wanted):
                    continue
                rank = 0 if before is None else 1 if not before.startswith(f"{part.etag} ") else 2
                ranked.append((rank, part, found["Size"]))
    total = 0
    for place, (_, part, size) in enumerate(sorted(ranked, key=lambda each: each[0])):
        total += size
        if place == MAX_OBJECTS or (place and total > most):
            return
        yield part


def read(s3: Any, part: Part, workload: Workload, ids: Collection[str]) -> Iterator[tuple[str, float]]:
    """Those of the row ids that are in an object, with their labels (1 or 0); a row without a label is left out."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    body = s3.get_object(Bucket=part.bucket, Key=part.key)["Body"].read()
    columns = [workload.id, workload.label.name]
    wanted = pa.array(list(ids), pa.string())
    for batch in pq.ParquetFile(io.BytesIO(body)).iter_batches(columns=columns):
        # Of millions of rows a few thousand wait; the others never become objects of Python.
        inside = pc.is_in(batch.column(0).cast(pa.string()), value_set=wanted)
        batch = batch.filter(inside)
        for id, label in zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True):
            if label is not None:
                yield str(id), float(label)
