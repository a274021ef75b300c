"""Capture objects that were not read yet, in order of time, and each once."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from endpoints.release.captures import Place
from sluice.config import Frozen

OVERLAP = timedelta(minutes=15)
"""An object may come this much later than one with a later name: each instance writes its own."""
MAX_SEEN = 5_000
_NAME = re.compile(r"^(\d{4})/(\d{2})/(\d{2})/(\d{2})/(?:(\d{2})-(\d{2}))?")


class Cursor(Frozen):
    """How far a variant was read.

    Attributes:
        last: the latest name read: `yyyy/mm/dd/hh/mm-ss-…`, which sorts as time does.
        seen: names within the overlap that were read.
    """

    last: str = ""
    seen: tuple[str, ...] = ()


class Limit(NamedTuple):
    """How much is taken at once; one object at least."""

    objects: int
    bytes: int


class Taken(Frozen):
    """Names to read now, the cursor after them, and whether more are left."""

    names: tuple[str, ...]
    cursor: Cursor
    more: bool


def take(s3: Any, place: Place, variant: str, cursor: Cursor, since: datetime, limit: Limit) -> Taken:
    """The next objects of a variant.

    Args:
        since: what begins earlier is of no interest, the overlap apart.
    """
    begin = moment_of(cursor.last) or since
    start = f"{place.folder(variant)}{begin - OVERLAP:%Y/%m/%d/%H/%M-%S}"
    seen, more = set(cursor.seen), False
    names: list[str] = []
    total = 0
    for name, size in _names(s3, place, variant, start):
        if name in seen:
            continue
        total += size
        if names and (len(names) == limit.objects or total > limit.bytes):
            more = True
            break
        names.append(name)
    last = max([cursor.last, *names])
    reach = (moment_of(last) or since) - OVERLAP
    kept = [name for name in (*cursor.seen, *names) if (moment_of(name) or since) >= reach]
    return Taken(
        names=tuple(names), cursor=Cursor(last=last, seen=tuple(sorted(kept)[-MAX_SEEN:])), more=more
    )


def _names(s3: Any, place: Place, variant: str, start: str) -> Iterator[tuple[str, int]]:
    folder = place.folder(variant)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=place.bucket, Prefix=folder, StartAfter=start)
    for page in pages:
        for found in page.get("Contents", []):
            if found["Key"].endswith(".jsonl"):
                yield found["Key"].removeprefix(folder), found["Size"]


def moment_of(name: str) -> datetime | None:
    """When an object was begun, by its name; None if the name says nothing."""
    parts = _NAME.match(name)
    if parts is None:
        return None
    numbers = [int(part or 0) for part in parts.groups()]
    try:
        return datetime(*numbers, tzinfo=UTC)  # type: ignore[misc, arg-type]
    except ValueError:
        return None


def lines(s3: Any, place: Place, variant: str, name: str) -> Iterator[bytes]:
    """The lines of an object."""
    body = s3.get_object(Bucket=place.bucket, Key=f"{place.folder(variant)}{name}")["Body"]
    for line in body.iter_lines():
        if line.strip():
            yield line
