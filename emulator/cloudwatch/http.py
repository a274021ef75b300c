"""`POST /_sluice/metrics` {"namespace": …, "data": [MetricDatum, …]}: how the data plane's process publishes."""

from typing import Any

from moto.core.exceptions import ServiceException

from emulator.cloudwatch.service import Service
from sluice.errors import SluiceError

PATH = "/_sluice/metrics"


def install(service: Service) -> None:
    """Add the route to the emulator's own API. `Timestamp` is an ISO 8601 text or epoch seconds."""

    def receive(body: Any) -> dict[str, Any]:
        if not isinstance(body, dict) or "namespace" not in body or not isinstance(body.get("data"), list):
            raise SluiceError(f"{PATH} takes a JSON object with namespace and data")
        try:
            service.publish(body["namespace"], body["data"])
        except ServiceException as error:
            raise SluiceError(str(error)) from error
        return {"published": len(body["data"])}

    service.context.api.add("POST", PATH, receive)
