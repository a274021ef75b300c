"""SageMaker as the emulator has it - registry, models, endpoints - in this process, with fleets that are numbers and
on a clock that the test holds. It refuses what AWS refuses."""

import copyreg
import threading
from collections.abc import Callable, Mapping
from copy import deepcopy
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from botocore.validate import ParamValidator

from emulator.context import Context
from emulator.refusals import RefusalError
from emulator.sagemaker import models as served_models
from emulator.sagemaker.endpoints.actions import Endpoints
from emulator.sagemaker.endpoints.configs import EndpointConfigs
from emulator.sagemaker.endpoints.endpoint import Endpoint
from emulator.sagemaker.endpoints.instance import Instance, State
from emulator.sagemaker.endpoints.machine import FORWARD
from emulator.sagemaker.endpoints.runner import Runner
from emulator.sagemaker.models.registry import Models
from emulator.sagemaker.packages.groups import Groups
from emulator.sagemaker.packages.versions import Packages
from emulator.sagemaker.seam import backend
from endpoints.rollout.cloud import Cloud
from tests.endpoints.release.machine.clock import RunningClock
from tests.endpoints.release.machine.trouble import RETRIES, Course
from tests.endpoints.rollout.fake import FakeAws, refuse, service_model

PROVISIONING = 10.0
RINGING = timedelta(seconds=45)
TABLES = ("endpoint_configs", "endpoints", "_models", "model_packages", "model_package_groups")
CONFIG_CALLS = ("CreateEndpoint", "UpdateEndpoint")

# A copy of a world has locks of its own.
copyreg.pickle(type(threading.Lock()), lambda _: (threading.Lock, ()))
copyreg.pickle(type(threading.RLock()), lambda _: (threading.RLock, ()))
copyreg.pickle(threading.Event, lambda _: (threading.Event, ()))


class Machines:
    """A launcher whose instances are in service once their machine is there; there may be none."""

    def __init__(self, clock: RunningClock, course: Course) -> None:
        self._clock, self._course = clock, course
        self._starting: list[Instance] = []
        self._full: set[str] = set()

    def start(self, instance: Instance) -> None:
        self._starting.append(instance)
        if self._course.trouble.full:
            self._full.add(instance.id)

    def stop(self, instance: Instance) -> None:
        instance.state = State.GONE

    def pass_on(self) -> None:
        """What is due now."""
        due = [instance for instance in self._starting if instance.ready_at <= self._clock.now()]
        for instance in due:
            self._starting.remove(instance)
            full = instance.id in self._full
            instance.reason = "There is not enough capacity of the instance type." if full else None
            instance.started(State.FAILED if full else State.IN_SERVICE)


class SageMaker:
    """`asked` is told of each config that an endpoint begins to take; `answers` of each set of configs between which
    production's requests are shared out; `ended` of the config that an endpoint ends on."""

    def __init__(self, clock: RunningClock, course: Course) -> None:
        self.clock, self.course = clock, course
        self.asked: Callable[[str], None] = _ignore
        self.answers: Callable[[frozenset[str]], None] = _ignore
        self.ended: Callable[[str], None] = _ignore
        self.tables: dict[str, dict[str, Any]] = {name: {} for name in TABLES}
        self.broken: list[str] = []
        """What nothing may ever do, and was done."""
        self.alarms: dict[str, str] = {}
        self.watched: str | None = None
        """The config whose metrics the alarms watch."""
        self.rings_at: datetime | None = None
        self.quiet_at: datetime | None = None
        self.bad: set[str] = set()
        """Models that make a rollback alarm go off wherever they answer."""
        # Nothing here starts a process or has an address.
        self.context = Context(Path("/nowhere"), "", "", "", clock=clock, spawned=None, api=None)
        self.context.settings.update({"provisioning_delay_seconds": PROVISIONING})
        self.machines = Machines(clock, course)
        self.scaling = FakeAws(clock)
        self.runner = Runner(
            clock=clock,
            settings=self.context.settings,
            launcher=self.machines,
            plane=self,
            alarm_state=self.alarm_state,
            closed_zones=self.context.faults.closed_zones,
            changed=self._changed,
            deleted=self._deleted,
        )
        self.configs = EndpointConfigs(self.context)
        self.endpoints = Endpoints(self.context, self.configs, self.runner, self.alarm_state, self._targets)
        self.packages, self.groups = Packages(self.context), Groups(self.context)
        self.models = Models(self.context, self.packages)
        clock.tick = self.tick

    def activate(self) -> None:
        """Make this one what the emulator's code finds in its tables."""
        for name, table in self.tables.items():
            setattr(backend(self.context), name, table)
        served_models._models = self.models

    def cloud(self) -> Cloud:
        sagemaker = Client(self, "sagemaker")
        once = Client(self, "sagemaker", attempts=1)
        return Cloud(sagemaker, once, Client(self, "cloudwatch"), Client(self, "application-autoscaling"))

    def endpoint(self, name: str) -> Endpoint | None:
        return self.runner.endpoints.get(name)

    def package_of(self, model: str) -> str | None:
        """The package behind a model that exists."""
        record = self.tables["_models"].get(model)
        return None if record is None else str(record.fields["PrimaryContainer"]["ModelPackageName"])

    # time

    def tick(self) -> bool:
        """What is due now; whether something is under way."""
        now = self.clock.now()
        if self.quiet_at is not None and now >= self.quiet_at:
            self.alarms, self.quiet_at = dict.fromkeys(self.alarms, "OK"), None
        if self.rings_at is not None and now >= self.rings_at:
            self.ring()
        for endpoint in list(self.runner.endpoints.values()):
            if self._harms(endpoint):
                self.ring()
            self.runner.tick(endpoint)
            self.machines.pass_on()
        return any(e.busy() or e.status == "Deleting" for e in self.runner.endpoints.values())

    def ring(self, abort: bool = False) -> None:
        """A rollback alarm goes to ALARM, for a while."""
        for name in self.alarms:
            if name.endswith("-abort") == abort:
                self.alarms[name] = "ALARM"
        self.rings_at, self.quiet_at = None, self.clock.now() + RINGING

    def ring_at(self, seconds: float) -> None:
        """A rollback alarm goes to ALARM in a while."""
        self.rings_at = self.clock.now() + timedelta(seconds=seconds)

    def _harms(self, endpoint: Endpoint) -> bool:
        at = endpoint.deployment
        return (
            at is not None
            and at.phase in FORWARD
            and any(
                fleet in endpoint.green and fleet.kind == "production" and traffic and fleet.ready()
                for fleet, _, traffic in endpoint.wanted()
                if fleet.spec["ModelName"] in self.bad
            )
        )

    # what the runner asks for, and tells

    def alarm_state(self, name: str) -> str | None:
        return self.alarms.get(name)

    def _targets(self, resource: str) -> list[Any]:
        return [each for name, each in self.scaling.targets.items() if name.startswith(resource)]

    def _changed(self, endpoint: Endpoint) -> None:
        if endpoint.status == "InService":
            self.ended(endpoint.config["EndpointConfigName"])

    def _deleted(self, endpoint: Endpoint) -> None:
        self.tables["endpoints"].pop(endpoint.name, None)
        self.scaling.targets.pop(f"endpoint/{endpoint.name}/variant/AllTraffic", None)

    def route(self, table: Mapping[str, Any]) -> None:
        fleets = table["fleets"]
        self.answers(frozenset(f["config"] for f in fleets if f["kind"] == "production" and f["instances"]))

    def remove(self, endpoint: str) -> None:
        self.answers(frozenset())

    def flush(self, endpoint: str) -> None:
        """No request ever came."""

    # calls

    def call(self, service: str, operation: str, parameters: dict[str, Any]) -> Any:
        """One call that arrives."""
        shape = service_model(service).operation_model(operation).input_shape
        report = ParamValidator().validate(parameters, shape)
        assert not report.has_errors(), f"{operation}: {report.generate_report()}"
        # No two changes have the same moment.
        self.clock.pass_time(0.05)
        given = deepcopy(parameters)
        try:
            if operation == "DeleteEndpointConfig":
                self._note_breaking(given["EndpointConfigName"])
            answer = self._action(operation)(deepcopy(given))
            if operation in CONFIG_CALLS:
                self.asked(given["EndpointConfigName"])
        except RefusalError as error:
            raise refuse(operation, str(error.message), str(error.code)) from error
        return deepcopy({key: value for key, value in (answer or {}).items() if value is not None})

    def _action(self, operation: str) -> Callable[[Any], Any]:
        if hasattr(self, f"on_{operation}"):
            return getattr(self, f"on_{operation}")  # type: ignore[no-any-return]
        tables = {
            "EndpointConfig": self.configs,
            "Endpoint": self.endpoints,
            "ModelPackageGroup": self.groups,
            "ModelPackage": self.packages,
            "Model": self.models,
        }
        for kind, table in tables.items():
            for verb in ("Create", "Describe", "Update", "Delete"):
                if operation == verb + kind:
                    return getattr(table, verb.lower())  # type: ignore[no-any-return]
            if operation == f"List{kind}s":
                return table.list_all if hasattr(table, "list_all") else table.list  # type: ignore[no-any-return]
        scaling = getattr(self.scaling, f"on_{operation}")
        return lambda given: scaling(**given)

    def _note_breaking(self, config: str) -> None:
        """AWS would do it, and break the endpoint: nothing here may ever ask."""
        for endpoint in self.runner.endpoints.values():
            if config in [
                each and each["EndpointConfigName"] for each in (endpoint.config, endpoint.pending)
            ]:
                self.broken.append(f"{config} is deleted, and {endpoint.name} uses it")

    def _tagged(self, arn: str) -> Any:
        for table in self.tables.values():
            for record in table.values():
                if record.arn == arn:
                    return record
        raise RefusalError("ValidationException", f"Could not find the resource {arn}")

    def on_ListTags(self, given: Any) -> Any:
        return {"Tags": self._tagged(given["ResourceArn"]).tags}

    def on_AddTags(self, given: Any) -> Any:
        record, keys = self._tagged(given["ResourceArn"]), {tag["Key"] for tag in given["Tags"]}
        record.tags = [tag for tag in record.tags if tag["Key"] not in keys] + given["Tags"]

    def on_DeleteTags(self, given: Any) -> Any:
        record = self._tagged(given["ResourceArn"])
        record.tags = [tag for tag in record.tags if tag["Key"] not in given["TagKeys"]]

    def on_DescribeAlarms(self, given: Any) -> Any:
        prefix, names = given.get("AlarmNamePrefix"), given.get("AlarmNames", ())
        found = [name for name in self.alarms if name in names or (prefix and name.startswith(prefix))]
        return {"MetricAlarms": [{"AlarmName": name, "StateValue": self.alarms[name]} for name in found]}

    def on_PutMetricData(self, given: Any) -> Any:
        for datum in given["MetricData"]:
            if {"Name": "EndpointConfigName", "Value": self.watched} in datum["Dimensions"]:
                self.ring(abort=True)


class Client:
    """A boto3 client of it."""

    def __init__(self, aws: SageMaker, service: str, attempts: int = RETRIES) -> None:
        self._aws, self._service, self._attempts = aws, service, attempts

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        operation = "".join(word.capitalize() for word in name.split("_"))
        aws, service, attempts = self._aws, self._service, self._attempts
        return lambda **given: aws.course.call(
            operation, attempts, lambda: aws.call(service, operation, given)
        )

    def get_paginator(self, name: str) -> Any:
        return SimpleNamespace(paginate=lambda **given: [getattr(self, name)(**given)])


def _ignore(_: Any) -> None:
    pass
