"""SageMaker, CloudWatch and Application Auto Scaling in memory, as far as a deployment uses them, with the state
rules that matter: an update in flight refuses another, a rollback ends InService on the old config, a failed
endpoint takes nothing but deletion, a variant with a scalable target keeps its instance type."""

from collections.abc import Callable
from copy import deepcopy
from datetime import datetime, timedelta
from functools import cache
from types import SimpleNamespace
from typing import Any

import botocore.session
from botocore.exceptions import ClientError, ReadTimeoutError
from botocore.validate import ParamValidator

from endpoints.rollout.cloud import Cloud
from sluice.clock import Clock

PREFIX = "arn:aws:sagemaker:us-east-1:123456789012:"


def refuse(operation: str, message: str, code: str = "ValidationException", status: int = 400) -> ClientError:
    response: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(response, operation)


@cache
def service_model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


class FakeAws:
    """The whole of it. `ends` says how the next updates end: ok, alarm, failed, rollback-failed; `faults` what the
    next calls of an operation meet: throttled, busy, lost (arrived), dropped (did not arrive)."""

    def __init__(self, clock: Clock, provisioning: float = 20.0, visible_after: float = 0.0) -> None:
        self.clock = clock
        self.provisioning = provisioning
        self.visible_after = visible_after
        self.ends: list[str] = []
        self.creation_ends: list[str] = []
        self.faults: dict[str, list[str]] = {}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.endpoints: dict[str, dict[str, Any]] = {}
        self.configs: dict[str, dict[str, Any]] = {}
        self.tag_store: dict[str, dict[str, str]] = {}
        self.alarms: dict[str, str] = {}
        self.targets: dict[str, dict[str, Any]] = {}
        self.policies: dict[tuple[str, str], dict[str, Any]] = {}
        self._event_time: datetime | None = None
        self.pending_events: list[tuple[datetime, Callable[[], None]]] = []

    def cloud(self) -> Cloud:
        sagemaker = _Client(self, "sagemaker")
        return Cloud(
            sagemaker, sagemaker, _Client(self, "cloudwatch"), _Client(self, "application-autoscaling")
        )

    def named(self, operation: str) -> list[dict[str, Any]]:
        """The parameters of the calls of one operation that arrived."""
        return [parameters for name, parameters in self.calls if name == operation]

    def now(self) -> datetime:
        """The time, and inside an event the time it was due: the world moves on while nobody looks."""
        return self._event_time or self.clock.now()

    def after(self, seconds: float, event: Callable[[], None]) -> None:
        self.pending_events.append((self.now() + timedelta(seconds=seconds), event))

    def advance(self) -> None:
        now = self.clock.now()
        while due := [pair for pair in self.pending_events if pair[0] <= now]:
            first = min(due, key=lambda pair: pair[0])
            self.pending_events.remove(first)
            self._event_time = first[0]
            first[1]()
            self._event_time = None

    def call(self, service: str, operation: str, parameters: dict[str, Any]) -> Any:
        self.advance()
        shape = service_model(service).operation_model(operation).input_shape
        report = ParamValidator().validate(parameters, shape)
        assert not report.has_errors(), f"{operation}: {report.generate_report()}"
        fault = self.faults.get(operation, []).pop(0) if self.faults.get(operation) else None
        if fault == "throttled":
            raise refuse(operation, "Rate exceeded", "ThrottlingException")
        if fault == "dropped":
            raise ReadTimeoutError(endpoint_url="http://aws")
        self.calls.append((operation, deepcopy(parameters)))
        answer = getattr(self, f"on_{operation}")(**deepcopy(parameters))
        if fault == "lost":
            raise ReadTimeoutError(endpoint_url="http://aws")
        return deepcopy(answer)

    # configs

    def on_CreateEndpointConfig(self, EndpointConfigName: str, Tags: Any = (), **body: Any) -> Any:
        if EndpointConfigName in self.configs:
            arn = self.configs[EndpointConfigName]["EndpointConfigArn"]
            raise refuse(
                "CreateEndpointConfig", f'Cannot create already existing endpoint configuration "{arn}".'
            )
        arn = f"{PREFIX}endpoint-config/{EndpointConfigName}"
        self.configs[EndpointConfigName] = {
            "EndpointConfigName": EndpointConfigName,
            "EndpointConfigArn": arn,
            "CreationTime": self.clock.now(),
            "EnableNetworkIsolation": False,
            **body,
        }
        self.on_AddTags(arn, Tags)
        return {"EndpointConfigArn": arn}

    def on_DescribeEndpointConfig(self, EndpointConfigName: str) -> Any:
        if EndpointConfigName not in self.configs:
            raise refuse("DescribeEndpointConfig", "Could not find endpoint configuration.")
        return self.configs[EndpointConfigName]

    def on_ListEndpointConfigs(self, NameContains: str, **_: Any) -> Any:
        found = [config for name, config in self.configs.items() if NameContains in name]
        return {"EndpointConfigs": found}

    def on_DeleteEndpointConfig(self, EndpointConfigName: str) -> Any:
        for endpoint in self.endpoints.values():
            # AWS would do it, and break the endpoint: nothing here may ever ask.
            assert EndpointConfigName not in (endpoint["EndpointConfigName"], endpoint.get("pending"))
        self.on_DescribeEndpointConfig(EndpointConfigName)
        del self.configs[EndpointConfigName]
        return {}

    # endpoints

    def _endpoint(self, operation: str, name: str) -> dict[str, Any]:
        if name not in self.endpoints:
            raise refuse(operation, f'Could not find endpoint "{PREFIX}endpoint/{name}".')
        return self.endpoints[name]

    def _set(self, endpoint: dict[str, Any], **values: Any) -> None:
        endpoint.update(values, LastModifiedTime=self.now())

    def _variants(self, config: str, retained: dict[str, int]) -> dict[str, Any]:
        body = self.configs[config]

        def variants(key: str) -> list[dict[str, Any]]:
            return [
                {
                    "VariantName": variant["VariantName"],
                    "DesiredInstanceCount": retained.get(
                        variant["VariantName"], variant["InitialInstanceCount"]
                    ),
                }
                for variant in body.get(key, ())
            ]

        return {
            "EndpointConfigName": config,
            "ProductionVariants": variants("ProductionVariants"),
            "ShadowProductionVariants": variants("ShadowProductionVariants"),
            "pending": None,
        }

    def on_CreateEndpoint(self, EndpointName: str, EndpointConfigName: str, Tags: Any = ()) -> Any:
        arn = f"{PREFIX}endpoint/{EndpointName}"
        if EndpointName in self.endpoints:
            raise refuse("CreateEndpoint", f'Cannot create already existing endpoint "{arn}".')
        self.on_DescribeEndpointConfig(EndpointConfigName)
        endpoint = {
            "EndpointName": EndpointName,
            "EndpointArn": arn,
            "EndpointStatus": "Creating",
            "CreationTime": self.clock.now(),
            **self._variants(EndpointConfigName, {}),
        }
        self._set(endpoint)
        self.endpoints[EndpointName] = endpoint
        self.on_AddTags(arn, Tags)
        end = self.creation_ends.pop(0) if self.creation_ends else "ok"

        def finish() -> None:
            if end == "failed":
                self._set(endpoint, EndpointStatus="Failed", FailureReason="The container did not answer.")
            else:
                self._set(endpoint, EndpointStatus="InService")

        self.after(self.provisioning, finish)
        return {"EndpointArn": arn}

    def on_DescribeEndpoint(self, EndpointName: str) -> Any:
        endpoint = self._endpoint("DescribeEndpoint", EndpointName)
        shown = {key: value for key, value in endpoint.items() if key not in ("pending", "asked", "stale")}
        if endpoint.get("pending"):
            shown["PendingDeploymentSummary"] = {"EndpointConfigName": endpoint["pending"]}
        asked = endpoint.get("asked")
        if asked is not None and self.clock.now() < asked + timedelta(seconds=self.visible_after):
            return endpoint["stale"]
        return shown

    def on_UpdateEndpoint(
        self,
        EndpointName: str,
        EndpointConfigName: str,
        DeploymentConfig: Any = None,
        RetainAllVariantProperties: bool = False,
        ExcludeRetainedVariantProperties: Any = (),
    ) -> Any:
        endpoint = self._endpoint("UpdateEndpoint", EndpointName)
        if endpoint["EndpointStatus"] not in ("InService", "UpdateRollbackFailed"):
            raise refuse("UpdateEndpoint", f'Cannot update in-progress endpoint "{endpoint["EndpointArn"]}".')
        self.on_DescribeEndpointConfig(endpoint["EndpointConfigName"])
        new, old = self.on_DescribeEndpointConfig(EndpointConfigName), endpoint["EndpointConfigName"]
        resource = f"endpoint/{EndpointName}/variant/AllTraffic"
        if resource in self.targets and old in self.configs:
            before = self.configs[old]["ProductionVariants"][0]["InstanceType"]
            if before != new["ProductionVariants"][0]["InstanceType"]:
                raise refuse("UpdateEndpoint", "The variant is registered as a scalable target.")
        stale = self.on_DescribeEndpoint(EndpointName)
        counts = {
            variant["VariantName"]: variant["DesiredInstanceCount"]
            for variant in (*endpoint["ProductionVariants"], *endpoint["ShadowProductionVariants"])
        }
        end = self.ends.pop(0) if self.ends else "ok"
        policy = (DeploymentConfig or {}).get("BlueGreenUpdatePolicy", {})
        alarms = [
            alarm["AlarmName"]
            for alarm in (DeploymentConfig or {}).get("AutoRollbackConfiguration", {}).get("Alarms", ())
        ]
        wait = policy.get("TrafficRoutingConfiguration", {}).get("WaitIntervalInSeconds", 0)
        bake = policy.get("TerminationWaitInSeconds", 0)
        self._set(
            endpoint,
            EndpointStatus="Updating",
            pending=EndpointConfigName,
            asked=self.clock.now(),
            stale=stale,
        )
        endpoint.pop("FailureReason", None)

        def finish() -> None:
            retained = counts if RetainAllVariantProperties else {}
            self._set(endpoint, EndpointStatus="InService", **self._variants(EndpointConfigName, retained))

        def roll_back(reason: str) -> None:
            self._set(endpoint, EndpointStatus="InService", pending=None, FailureReason=reason)

        def bad() -> None:
            if end == "alarm" and alarms:
                self.alarms[alarms[0]] = "ALARM"
            if end == "failed":
                self._set(endpoint, EndpointStatus="Failed", pending=None, FailureReason="No capacity.")
            elif end == "rollback-failed":
                self._set(endpoint, EndpointStatus="UpdateRollbackFailed", pending=None)
            else:
                self._set(endpoint, EndpointStatus="RollingBack")
                self.after(self.provisioning / 2, lambda: roll_back(f"Alarm {alarms[:1]} is in ALARM."))

        ringing = any(self.alarms.get(name) == "ALARM" for name in alarms)
        if end != "ok" or ringing:
            self.after(self.provisioning, bad)
        else:
            self.after(self.provisioning + wait + bake, finish)
        return {"EndpointArn": endpoint["EndpointArn"]}

    def on_DeleteEndpoint(self, EndpointName: str) -> Any:
        endpoint = self._endpoint("DeleteEndpoint", EndpointName)
        if endpoint["EndpointStatus"] in (
            "Creating",
            "Updating",
            "RollingBack",
            "SystemUpdating",
            "Deleting",
        ):
            raise refuse("DeleteEndpoint", "Cannot delete in-progress endpoint.")
        self._set(endpoint, EndpointStatus="Deleting")
        self.targets.pop(f"endpoint/{EndpointName}/variant/AllTraffic", None)

        def gone() -> None:
            self.tag_store.pop(endpoint["EndpointArn"], None)
            del self.endpoints[EndpointName]

        self.after(self.provisioning / 2, gone)
        return {}

    # tags, alarms, scaling

    def on_ListTags(self, ResourceArn: str) -> Any:
        return {"Tags": [{"Key": k, "Value": v} for k, v in self.tag_store.get(ResourceArn, {}).items()]}

    def on_AddTags(self, ResourceArn: str, Tags: Any) -> Any:
        store = self.tag_store.setdefault(ResourceArn, {})
        store.update({tag["Key"]: tag["Value"] for tag in Tags})
        assert len(store) <= 50
        return {"Tags": []}

    def on_DeleteTags(self, ResourceArn: str, TagKeys: Any) -> Any:
        for key in TagKeys:
            self.tag_store.get(ResourceArn, {}).pop(key, None)
        return {}

    def on_DescribeAlarms(self, AlarmNames: Any, AlarmTypes: Any) -> Any:
        found = [name for name in AlarmNames if name in self.alarms]
        return {"MetricAlarms": [{"AlarmName": name, "StateValue": self.alarms[name]} for name in found]}

    def on_DescribeScalableTargets(self, ResourceIds: Any, **_: Any) -> Any:
        return {"ScalableTargets": [self.targets[name] for name in ResourceIds if name in self.targets]}

    def on_DescribeScalingPolicies(self, ResourceId: str, **_: Any) -> Any:
        return {"ScalingPolicies": [policy for key, policy in self.policies.items() if key[0] == ResourceId]}

    def on_DescribeScheduledActions(self, **_: Any) -> Any:
        return {"ScheduledActions": []}

    def on_RegisterScalableTarget(self, ResourceId: str, **target: Any) -> Any:
        self.targets[ResourceId] = {"ResourceId": ResourceId, "CreationTime": self.clock.now(), **target}
        return {}

    def on_PutScalingPolicy(self, ResourceId: str, PolicyName: str, **policy: Any) -> Any:
        assert ResourceId in self.targets
        self.policies[ResourceId, PolicyName] = {
            "ResourceId": ResourceId,
            "PolicyName": PolicyName,
            "PolicyARN": "arn:aws:autoscaling:x",
            "CreationTime": self.clock.now(),
            **policy,
        }
        return {}

    def on_DeregisterScalableTarget(self, ResourceId: str, **_: Any) -> Any:
        del self.targets[ResourceId]
        self.policies = {key: value for key, value in self.policies.items() if key[0] != ResourceId}
        return {}


class _Client:
    def __init__(self, aws: FakeAws, service: str) -> None:
        self._aws, self._service = aws, service

    def __getattr__(self, name: str) -> Any:
        operation = "".join(word.capitalize() for word in name.split("_"))
        return lambda **parameters: self._aws.call(self._service, operation, parameters)

    def get_paginator(self, name: str) -> Any:
        return SimpleNamespace(paginate=lambda **parameters: [getattr(self, name)(**parameters)])
