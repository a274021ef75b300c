"""CloudWatch that computes: exact metrics, metric math, alarms that evaluate and act."""

from collections.abc import Mapping, Sequence
from typing import Any

from emulator.cloudwatch import http, responses
from emulator.cloudwatch.service import Service
from emulator.context import Context
from emulator.services.ticker import every

__all__ = ["Service", "alarm_state", "install", "publish", "service"]

TICK_SECONDS = 1.0
_service: Service | None = None


def install(context: Context) -> None:
    """Replace moto's metrics and alarms. On a clock that a test holds there is no thread: call `service().tick()`."""
    global _service
    _service = Service(context)
    responses.install(_service)
    http.install(_service)
    every(context, TICK_SECONDS, _service.tick, "alarms")


def service() -> Service:
    """The CloudWatch of this process.

    Raises:
        RuntimeError: before `install`.
    """
    if _service is None:
        raise RuntimeError("emulator.cloudwatch is not installed")
    return _service


def publish(namespace: str, data: Sequence[Mapping[str, Any]]) -> None:
    """PutMetricData from inside the emulator, `AWS/` namespaces included.

    Args:
        data: MetricDatum values as in PutMetricData. Without StorageResolution they are of high resolution; what AWS
            publishes each minute should say 60.

    Raises:
        ServiceException: what PutMetricData refuses.
    """
    service().publish(namespace, data)


def alarm_state(name: str) -> str | None:
    """`OK`, `ALARM` or `INSUFFICIENT_DATA`; None if there is no such alarm."""
    alarm = service().alarms.get(name)
    return None if alarm is None else alarm.state
