"""Endpoint configs and endpoints: their whole life, with real serving processes behind them."""

import json
import logging
import threading
from collections.abc import Mapping
from typing import Any

from emulator.context import Context
from emulator.sagemaker import tagging
from emulator.sagemaker.endpoints.actions import Endpoints
from emulator.sagemaker.endpoints.configs import EndpointConfigs
from emulator.sagemaker.endpoints.dataplane import HttpDataPlane
from emulator.sagemaker.endpoints.endpoint import Endpoint
from emulator.sagemaker.endpoints.launcher import ProcessLauncher
from emulator.sagemaker.endpoints.runner import Runner
from emulator.sagemaker.seam import backend, client, serve

log = logging.getLogger("emulator.endpoints")
_runner: Runner | None = None


def install(context: Context) -> None:
    """Serve the actions of endpoint configs and endpoints, and start the runner."""
    global _runner
    plane = HttpDataPlane(context.endpoint_url)

    def tell(values: Mapping[str, Any]) -> None:
        threading.Thread(target=plane.settings, args=(dict(values),), daemon=True).start()

    context.settings.on_change(tell)

    def deleted(endpoint: Endpoint) -> None:
        from emulator import autoscaling

        backend(context).endpoints.pop(endpoint.name, None)
        autoscaling.forget_endpoint(endpoint.name)

    _runner = runner = Runner(
        clock=context.clock,
        settings=context.settings,
        launcher=ProcessLauncher(context, plane),
        plane=plane,
        alarm_state=_alarm_state,
        closed_zones=context.faults.closed_zones,
        changed=_announce,
        deleted=deleted,
    )
    configs = EndpointConfigs(context)
    endpoints = Endpoints(context, configs, runner, _alarm_state, _targets)
    tagging.install()
    serve(
        create_endpoint_config=configs.create,
        describe_endpoint_config=configs.describe,
        list_endpoint_configs=configs.list_all,
        delete_endpoint_config=configs.delete,
        create_endpoint=endpoints.create,
        describe_endpoint=endpoints.describe,
        list_endpoints=endpoints.list_all,
        update_endpoint=endpoints.update,
        update_endpoint_weights_and_capacities=endpoints.update_weights,
        delete_endpoint=endpoints.delete,
    )
    runner.start()


def find(name: str) -> Endpoint | None:
    """An endpoint by its name."""
    return None if _runner is None else _runner.endpoints.get(name)


def every() -> list[Endpoint]:
    """All endpoints."""
    return [] if _runner is None else list(_runner.endpoints.values())


def _alarm_state(name: str) -> str | None:
    from emulator import cloudwatch

    state: str | None = cloudwatch.alarm_state(name)
    return state


def _targets(resource_id: str) -> list[Any]:
    from emulator import autoscaling

    return list(autoscaling.targets(resource_id))


def _announce(endpoint: Endpoint) -> None:
    """The event "SageMaker Endpoint State Change", beside the runner: its receivers may take their time."""
    with endpoint.lock:
        detail = {
            "EndpointName": endpoint.name,
            "EndpointArn": endpoint.arn,
            "EndpointConfigName": endpoint.config["EndpointConfigName"],
            # The event writes states as OUT_OF_SERVICE, IN_SERVICE (guide, "automating-sagemaker-with-eventbridge").
            "EndpointStatus": _shout(endpoint.status),
            "FailureReason": endpoint.failure,
        }

    def send() -> None:
        entry = {
            "Source": "aws.sagemaker",
            "DetailType": "SageMaker Endpoint State Change",
            "Resources": [endpoint.arn],
            "Detail": json.dumps({key: value for key, value in detail.items() if value is not None}),
        }
        try:
            client("events").put_events(Entries=[entry])
        except Exception:
            log.exception("the event of %s was not delivered", endpoint.name)

    threading.Thread(target=send, name="event", daemon=True).start()


def _shout(status: str) -> str:
    return "".join(f"_{c}" if c.isupper() and i else c for i, c in enumerate(status)).upper()
