"""All metrics of the account, by namespace, name and dimensions."""

import math
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from emulator.cloudwatch.errors import invalid_combination, invalid_value, missing_parameter
from emulator.cloudwatch.series import Bin, Series

FORGET_EVERY_SECONDS = 60
LISTED_FOR = timedelta(days=14)
"""ListMetrics shows metrics with data in the past two weeks."""
MAX_DATA, MAX_VALUES, MAX_DIMENSIONS = 1000, 150, 30


@dataclass(frozen=True)
class Metric:
    """What names a metric. The dimensions are sorted: their order means nothing to CloudWatch."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, namespace: str, name: str, dimensions: Iterable[Mapping[str, Any]] | None) -> "Metric":
        pairs = sorted((str(each["Name"]), str(each["Value"])) for each in dimensions or ())
        return cls(namespace, name, tuple(pairs))

    def describe(self) -> dict[str, Any]:
        dimensions = [{"Name": name, "Value": value} for name, value in self.dimensions]
        return {"Namespace": self.namespace, "MetricName": self.name, "Dimensions": dimensions}


class Store:
    """Thread-safe. Times are datetimes with a zone at the border, whole epoch seconds within."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._series: dict[Metric, dict[str, Series]] = {}
        self._forgot_at = 0

    def put(
        self, namespace: str, data: Sequence[Mapping[str, Any]], now: datetime, *, resolution: int = 60
    ) -> None:
        """Add what a PutMetricData carries. `resolution` is taken where a datum has no StorageResolution.

        Raises:
            ServiceException: InvalidParameterValue and its kin, as CloudWatch; then nothing was added.
        """
        if not namespace:
            raise missing_parameter("The parameter Namespace is required.")
        if len(data) > MAX_DATA:
            raise invalid_value(f"The collection MetricData must not have a size greater than {MAX_DATA}.")
        for number, datum in enumerate(data, start=1):
            _check(datum, f"MetricData.member.{number}", now)
        with self._lock:
            for datum in data:
                self._add(namespace, datum, now, resolution)
            second = int(now.timestamp())
            if second - self._forgot_at >= FORGET_EVERY_SECONDS:
                self._forgot_at = second
                self._forget(second)

    def _add(self, namespace: str, datum: Mapping[str, Any], now: datetime, resolution: int) -> None:
        metric = Metric.of(namespace, datum["MetricName"], datum.get("Dimensions"))
        series = self._series.setdefault(metric, {}).setdefault(datum.get("Unit") or "None", Series())
        second = int((_moment(datum.get("Timestamp")) or now).timestamp())
        found = series.at(second, (datum.get("StorageResolution") or resolution) == 1)
        if datum.get("StatisticValues"):
            put = datum["StatisticValues"]
            found.add_set(
                float(put["SampleCount"]), float(put["Sum"]), float(put["Minimum"]), float(put["Maximum"])
            )
        elif datum.get("Values"):
            counts = datum.get("Counts") or [1.0] * len(datum["Values"])
            for value, count in zip(datum["Values"], counts, strict=True):
                found.add(float(value), float(count))
        else:
            found.add(float(datum["Value"]))

    def _forget(self, now: int) -> None:
        for metric, units in list(self._series.items()):
            for unit, series in list(units.items()):
                if series.forget(now):
                    del units[unit]
            if not units:
                del self._series[metric]

    def bins(
        self, metric: Metric, start: int, end: int, period: int, unit: str | None = None, origin: int = 0
    ) -> dict[int, Bin]:
        """The bins of [start, end) by the start of their period, in order of time. Without `unit`, all together.

        Args:
            origin: a second at which a period starts; alarms slide theirs, queries count from the epoch.
        """
        found: dict[int, Bin] = {}
        with self._lock:
            for name, series in self._series.get(metric, {}).items():
                if unit is None or unit == name:
                    series.collect(found, start, end, period, origin)
        return dict(sorted(found.items()))

    def units(self, metric: Metric) -> list[str]:
        """The units in which `metric` has data."""
        with self._lock:
            return list(self._series.get(metric, {}))

    def metrics(
        self,
        now: datetime,
        namespace: str | None = None,
        name: str | None = None,
        dimensions: Iterable[Mapping[str, Any]] = (),
        within: timedelta = LISTED_FOR,
    ) -> list[Metric]:
        """Those that match, by name; a dimension filter without a value matches any value."""
        wanted = [(each["Name"], each.get("Value")) for each in dimensions]
        oldest = int((now - within).timestamp())
        with self._lock:
            recent = [
                metric
                for metric, units in self._series.items()
                if any((series.last or 0) >= oldest for series in units.values())
            ]
        return sorted(
            (
                metric
                for metric in recent
                if (not namespace or metric.namespace == namespace)
                and (not name or metric.name == name)
                and all(
                    any(key == has and value in (None, given) for has, given in metric.dimensions)
                    for key, value in wanted
                )
            ),
            key=lambda metric: (metric.namespace, metric.name, metric.dimensions),
        )


def _moment(value: Any) -> datetime | None:
    if value is None or value == "":
        return None
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    moment: datetime = value
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _check(datum: Mapping[str, Any], where: str, now: datetime) -> None:
    if not datum.get("MetricName"):
        raise missing_parameter(f"The parameter {where}.MetricName is required.")
    if len(datum.get("Dimensions") or ()) > MAX_DIMENSIONS:
        raise invalid_value(
            f"The collection {where}.Dimensions must not have a size greater than {MAX_DIMENSIONS}."
        )
    given = [name for name in ("Value", "Values", "StatisticValues") if datum.get(name) not in (None, [], {})]
    if not given:
        raise missing_parameter(
            f"At least one of the parameters {where}.Value, Values or StatisticValues is required."
        )
    if len(given) > 1:
        raise invalid_combination(
            f"The parameters {where}.{given[0]} and {where}.{given[1]} are mutually exclusive and you have "
            "specified both."
        )
    values = datum.get("Values") or []
    counts = datum.get("Counts")
    if len(values) > MAX_VALUES:
        raise invalid_value(f"The collection {where}.Values must not have a size greater than {MAX_VALUES}.")
    if counts is not None and len(counts) != len(values):
        raise invalid_value(f"The parameters {where}.Values and {where}.Counts must be of the same size.")
    statistics = datum.get("StatisticValues") or {}
    for name in ("SampleCount", "Sum", "Minimum", "Maximum") if statistics else ():
        if statistics.get(name) is None:
            raise missing_parameter(f"The parameter {where}.StatisticValues.{name} is required.")
    for name, value in (
        *(("Value", each) for each in [datum.get("Value")] if each is not None),
        *(("Values", each) for each in values),
        *(("Counts", each) for each in counts or []),
        *((f"StatisticValues.{key}", each) for key, each in statistics.items()),
    ):
        if not math.isfinite(float(value)):
            raise invalid_value(f"The value {value} for parameter {where}.{name} is invalid.")
    if datum.get("StorageResolution") not in (None, 1, 60):
        raise invalid_value(f"The parameter {where}.StorageResolution must be 1 or 60.")
    moment = _moment(datum.get("Timestamp"))
    if moment is not None and moment < now - timedelta(days=14):
        raise invalid_value(
            f"The parameter {where}.Timestamp must specify a time no more than two weeks in the past."
        )
    if moment is not None and moment > now + timedelta(hours=2):
        raise invalid_value(f"The parameter {where}.Timestamp must specify a time within the next two hours.")
