"""Labels that are late or missing: what the readers of S3 see of a workload's labels.

Late: everybody reads each object as it was so many seconds ago, an earlier version or nothing. Missing: a share of the
objects, chosen by a hash of the key, is neither listed nor read. Only reading is touched: objects are put and kept as
always, and their versions can be listed, so that all is there when the fault ends.
"""

import threading
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from moto.core.utils import utcnow
from moto.s3.models import FakeDeleteMarker, S3Backend
from moto.s3.responses import S3Response

from emulator.context import Context
from emulator.faults.kinds import Labels
from emulator.services.patching import original, replace

_HASHES = 2**32
_reading = threading.local()


def seen(key: str, put: Sequence[datetime], faults: Sequence[Labels], now: datetime) -> int | None:
    """Which version of an object its readers see; None if they see none. Pure.

    Args:
        put: when each version was put, the oldest first; the last is the current one.
    """
    mine = [what for what in faults if what.concerns(key)]
    place = zlib.crc32(key.encode()) / _HASHES
    if not mine:
        return len(put) - 1 if put else None
    if any(what.missing is not None and place < what.missing for what in mine):
        return None
    late = max((what.late for what in mine if what.late is not None), default=0.0)
    known = [number for number, moment in enumerate(put) if moment <= now - timedelta(seconds=late)]
    return known[-1] if known else None


def install(context: Context) -> None:
    """Patch how moto's S3 reads. After emulator.s3, whose check of policies it wraps."""
    key_response = S3Response._key_response
    list_by_moto = original(S3Backend, "list_objects")
    get_by_moto = original(S3Backend, "get_object")

    def respond(self: Any, request: Any, full_url: str) -> Any:
        _reading.on = request.method in ("GET", "HEAD")
        try:
            return key_response(self, request, full_url)
        finally:
            _reading.on = False

    def list_objects(self: Any, bucket: Any, *args: Any, **given: Any) -> Any:
        faults = context.faults.labels()
        shown = bucket if not faults else SimpleNamespace(keys=_shown(bucket, faults))
        return list_by_moto(self, shown, *args, **given)

    def get_object(
        self: Any, bucket_name: str, key_name: str, version_id: str | None = None, *args: Any, **given: Any
    ) -> Any:
        faults = context.faults.labels() if getattr(_reading, "on", False) else []
        if any(what.concerns(key_name) for what in faults) and version_id is None:
            version = _version(self.get_bucket(bucket_name), key_name, faults)
            if version is None or isinstance(version, FakeDeleteMarker):
                return None
            version_id = version.version_id
        return get_by_moto(self, bucket_name, key_name, version_id, *args, **given)

    setattr(S3Response, "_key_response", respond)  # noqa: B010 - mypy lets no method be assigned to
    replace(S3Backend, "list_objects", list_objects)
    replace(S3Backend, "get_object", get_object)


def _shown(bucket: Any, faults: Sequence[Labels]) -> dict[str, Any]:
    versions = {name: _version(bucket, name, faults) for name in list(bucket.keys)}
    return {name: version for name, version in versions.items() if version is not None}


def _version(bucket: Any, key: str, faults: Sequence[Labels]) -> Any:
    versions = list(bucket.keys.getlist(key, []))
    number = seen(key, [_utc(each.last_modified) for each in versions], faults, _utc(utcnow()))
    return None if number is None else versions[number]


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
