"""Application Auto Scaling that scales the variants of SageMaker endpoints."""

from typing import Any

from emulator import cloudwatch
from emulator.autoscaling import responses
from emulator.autoscaling.service import Service
from emulator.context import Context
from emulator.services.ticker import every

__all__ = ["Service", "forget_endpoint", "install", "service", "targets"]

TICK_SECONDS = 2.0
_service: Service | None = None


def install(context: Context) -> None:
    """Replace moto's. On a clock that a test holds there is no thread: call `service().tick()`."""
    global _service
    _service = Service(context, cloudwatch.service())
    responses.install(_service)
    every(context, TICK_SECONDS, _service.tick, "autoscaling")


def service() -> Service:
    """The one of this process.

    Raises:
        RuntimeError: before `install`.
    """
    if _service is None:
        raise RuntimeError("emulator.autoscaling is not installed")
    return _service


def targets(resource_id: str) -> list[dict[str, Any]]:
    """The scalable targets (as DescribeScalableTargets has them) of `endpoint/<name>/variant/<name>`, or of all
    variants of `endpoint/<name>`. Empty if there are none."""
    return [
        target.describe()
        for target in service().targets()
        if target.resource == resource_id or target.resource.startswith(f"{resource_id}/")
    ]


def forget_endpoint(name: str) -> None:
    """DeleteEndpoint deregisters the endpoint's targets with their policies, alarms and scheduled actions."""
    service().forget_endpoint(name)
