"""Labels that are late or missing, as S3's readers see them."""

import zlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.s3.models import s3_backends

from emulator.faults.kinds import Labels
from emulator.faults.labels import seen
from tests.emulator.faults.conftest import InProcess

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = [f"w/labels/dt=2013-01-{day:02}/part.parquet" for day in range(1, 29)]


def ago(*seconds: float) -> list[datetime]:
    return [NOW - timedelta(seconds=each) for each in seconds]


def test_late_labels_are_seen_as_they_were() -> None:
    late = [Labels(workload="w", late=60)]
    assert seen(DAYS[0], ago(100, 70, 20), late, NOW) == 1
    assert seen(DAYS[0], ago(20), late, NOW) is None
    assert seen("w/observations/dt=2013-01-01/part.parquet", ago(20), late, NOW) == 0
    assert seen("other/labels/dt=2013-01-01/part.parquet", ago(20), late, NOW) == 0


def test_a_share_is_missing_and_always_the_same() -> None:
    def missing(share: float) -> set[str]:
        return {key for key in DAYS if seen(key, ago(1), [Labels(workload="w", missing=share)], NOW) is None}

    assert missing(1.0) == set(DAYS)
    assert set() < missing(0.2) < missing(0.6) < set(DAYS)
    assert missing(0.6) == {key for key in DAYS if zlib.crc32(key.encode()) < 0.6 * 2**32}


def listed(s3: Any, prefix: str) -> list[str]:
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket="data", Prefix=prefix).get("Contents", [])]


@pytest.fixture
def s3(here: InProcess) -> Any:
    s3 = here.client("s3")
    s3.create_bucket(Bucket="data")
    s3.put_bucket_versioning(Bucket="data", VersioningConfiguration={"Status": "Enabled"})
    return s3


def put(s3: Any, keys: Iterable[str], body: bytes = b"old", age: float = 0) -> None:
    """Objects that were put some seconds ago."""
    (bucket,) = (each for each in s3_backends["123456789012"]["aws"].buckets.values() if each.name == "data")
    for key in keys:
        s3.put_object(Bucket="data", Key=key, Body=body)
        bucket.keys[key].last_modified -= timedelta(seconds=age)


def test_late(here: InProcess, s3: Any) -> None:
    put(s3, DAYS[:2], age=5000)
    put(s3, DAYS[1:2], b"new")
    put(s3, [DAYS[2], "w/observations/a"], b"new")
    fault = here.inject("labels", workload="w", late=3600)
    assert listed(s3, "w/labels/") == DAYS[:2]
    assert [s3.get_object(Bucket="data", Key=key)["Body"].read() for key in DAYS[:2]] == [b"old", b"old"]
    assert s3.list_objects_v2(Bucket="data", Prefix="w/labels/")["Contents"][1]["Size"] == len(b"old")
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.get_object(Bucket="data", Key=DAYS[2])
    with pytest.raises(ClientError, match="404"):
        s3.head_object(Bucket="data", Key=DAYS[2])
    days = s3.list_objects_v2(Bucket="data", Prefix="w/labels/", Delimiter="/")["CommonPrefixes"]
    assert len(days) == 2
    assert listed(s3, "w/observations/") == ["w/observations/a"]
    put(s3, [DAYS[3]], b"while it lasts")
    here.end(fault)
    assert listed(s3, "w/labels/") == DAYS[:4]
    assert s3.get_object(Bucket="data", Key=DAYS[1])["Body"].read() == b"new"
    assert s3.get_object(Bucket="data", Key=DAYS[3])["Body"].read() == b"while it lasts"


def test_missing(here: InProcess, s3: Any) -> None:
    put(s3, DAYS)
    fault = here.inject("labels", workload="w", missing=0.5)
    there = listed(s3, "w/labels/")
    assert 0 < len(there) < len(DAYS)
    gone = next(key for key in DAYS if key not in there)
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.get_object(Bucket="data", Key=gone)
    assert s3.get_object(Bucket="data", Key=there[0])["Body"].read() == b"old"
    here.end(fault)
    assert listed(s3, "w/labels/") == DAYS


def test_a_bucket_without_versions(here: InProcess) -> None:
    s3 = here.client("s3")
    s3.create_bucket(Bucket="data")
    put(s3, DAYS[:1], age=5000)
    put(s3, DAYS[1:2])
    here.inject("labels", workload="w", late=3600)
    assert listed(s3, "w/labels/") == DAYS[:1]
    assert s3.get_object(Bucket="data", Key=DAYS[0])["Body"].read() == b"old"
