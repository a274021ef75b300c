"""Lambda functions of images, who may invoke them, and the EventBridge rules that do."""

# ruff: noqa: ARG002 - every type has the same five calls; few need all that they are given.

import json
import time
from collections.abc import Mapping
from typing import Any

from emulator.provider import tagging
from emulator.provider.base import Autoname, AwsResource
from emulator.provider.clients import client, found
from emulator.provider.fields import Field, Values, from_api, to_api
from sluice.errors import SluiceError

GONE = ("ResourceNotFoundException",)
UNRESERVED = -1
SETTLE_SECONDS = 300
_VARIABLES = {"variables": Field(default={})}
_CONFIGURATION = {
    "role": Field(required=True),
    "description": Field(default=""),
    "timeout": Field(default=3),
    "memorySize": Field(default=128),
    "kmsKeyArn": Field(api="KMSKeyArn"),
    "environment": Field(fields=_VARIABLES),
    "imageConfig": Field(
        fields={
            "entryPoints": Field(api="EntryPoint"),
            "commands": Field(api="Command"),
            "workingDirectory": Field(),
        }
    ),
    "vpcConfig": Field(
        fields={"subnetIds": Field(unordered=True), "securityGroupIds": Field(unordered=True)}
    ),
}
_CLEARED: Mapping[str, Any] = {
    "KMSKeyArn": "",
    "Environment": {"Variables": {}},
    "ImageConfig": {},
    "VpcConfig": {"SubnetIds": [], "SecurityGroupIds": []},
}
"""How UpdateFunctionConfiguration takes a setting away."""


class Function(AwsResource):
    """A function is there once its image is: like the real provider, this waits for it to be active."""

    token = "aws:lambda/function:Function"
    fields = {
        "name": Field(api="FunctionName", replace=True),
        "packageType": Field(replace=True, required=True),
        "imageUri": Field(required=True),
        "reservedConcurrentExecutions": Field(default=UNRESERVED),
        **_CONFIGURATION,
    }
    made = frozenset({"arn", "invokeArn", "version", "lastModified", "codeSha256"})
    autoname = Autoname(max_length=64)
    tagging = tagging.LAMBDA

    def make(self, inputs: Values, tags: Mapping[str, str]) -> str:
        client("lambda").create_function(
            FunctionName=inputs["name"],
            PackageType=inputs["packageType"],
            Code={"ImageUri": inputs["imageUri"]},
            **to_api(_CONFIGURATION, inputs),
            **({"Tags": dict(tags)} if tags else {}),
        )
        return str(inputs["name"])

    def finish(self, id: str, inputs: Values, tags: Mapping[str, str]) -> None:
        self._settled(id)
        self._reserve(id, inputs)

    def _reserve(self, name: str, inputs: Values) -> None:
        wanted = inputs.get("reservedConcurrentExecutions", UNRESERVED)
        if wanted == UNRESERVED:
            client("lambda").delete_function_concurrency(FunctionName=name)
        else:
            client("lambda").put_function_concurrency(
                FunctionName=name, ReservedConcurrentExecutions=int(wanted)
            )

    def _settled(self, name: str) -> None:
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            now = client("lambda").get_function_configuration(FunctionName=name)
            if "Failed" in (now["State"], now["LastUpdateStatus"]):
                raise SluiceError(
                    f"the function {name} cannot run: {now.get('StateReason', 'no reason given')}"
                )
            if now["State"] == "Active" and now["LastUpdateStatus"] == "Successful":
                return
            if time.monotonic() > deadline:
                raise SluiceError(f"the function {name} was not ready within {SETTLE_SECONDS} seconds")
            time.sleep(0.1)

    def look(self, id: str, state: Values) -> dict[str, Any] | None:
        answer = found(lambda: client("lambda").get_function(FunctionName=id), *GONE)
        if answer is None:
            return None
        is_now = answer["Configuration"]
        shown = {**is_now, "ImageConfig": (is_now.get("ImageConfigResponse") or {}).get("ImageConfig") or {}}
        return {
            **from_api(_CONFIGURATION, {key: value for key, value in shown.items() if value not in ({}, "")}),
            "name": id,
            "packageType": is_now["PackageType"],
            "imageUri": answer["Code"]["ImageUri"],
            "reservedConcurrentExecutions": (answer.get("Concurrency") or {}).get(
                "ReservedConcurrentExecutions", UNRESERVED
            ),
            "arn": is_now["FunctionArn"],
            "invokeArn": _invoke_arn(is_now["FunctionArn"]),
            "version": is_now["Version"],
            "lastModified": is_now["LastModified"],
            "codeSha256": is_now["CodeSha256"],
            "tagsAll": self.tagging.unpack(answer.get("Tags") or {}),
        }

    def change(self, id: str, state: Values, old: Values, new: Values, changed: frozenset[str]) -> None:
        settings = changed & _CONFIGURATION.keys()
        if settings:
            wanted = to_api(_CONFIGURATION, {**{"description": ""}, **new})
            gone = {key: value for key, value in _CLEARED.items() if key not in wanted}
            client("lambda").update_function_configuration(FunctionName=id, **gone, **wanted)
            self._settled(id)
        if "imageUri" in changed:
            client("lambda").update_function_code(FunctionName=id, ImageUri=new["imageUri"])
            self._settled(id)
        if "reservedConcurrentExecutions" in changed:
            self._reserve(id, new)

    def remove(self, id: str, state: Values) -> None:
        found(lambda: client("lambda").delete_function(FunctionName=id), *GONE)


def _invoke_arn(arn: str) -> str:
    region = arn.split(":")[3]
    return f"arn:aws:apigateway:{region}:lambda:path/2015-03-31/functions/{arn}/invocations"


class Permission(AwsResource):
    """One statement of a function's policy. Its id is `<function>/<statement>`, as the real provider imports it."""

    token = "aws:lambda/permission:Permission"
    fields = {
        "statementId": Field(replace=True),
        "function": Field(api="FunctionName", replace=True, required=True),
        "action": Field(replace=True, required=True),
        "principal": Field(replace=True, required=True),
        "sourceArn": Field(replace=True),
        "sourceAccount": Field(replace=True),
    }
    autoname = Autoname("statementId", max_length=100)

    def make(self, inputs: Values, tags: Mapping[str, str]) -> str:
        client("lambda").add_permission(**to_api(self.fields, inputs))
        return f"{inputs['function']}/{inputs['statementId']}"

    def look(self, id: str, state: Values) -> dict[str, Any] | None:
        function, _, sid = id.rpartition("/")
        answer = found(lambda: client("lambda").get_policy(FunctionName=function), *GONE)
        statements = [] if answer is None else json.loads(answer["Policy"])["Statement"]
        statement = next((each for each in statements if each["Sid"] == sid), None)
        if statement is None:
            return None
        principal, conditions = statement["Principal"], statement.get("Condition") or {}
        found_here = {
            "statementId": sid,
            "function": function,
            "action": statement["Action"],
            "principal": principal if principal == "*" else next(iter(principal.values())),
            "sourceArn": (conditions.get("ArnLike") or {}).get("AWS:SourceArn"),
            "sourceAccount": (conditions.get("StringEquals") or {}).get("AWS:SourceAccount"),
        }
        return {name: value for name, value in found_here.items() if value is not None}

    def remove(self, id: str, state: Values) -> None:
        function, _, sid = id.rpartition("/")
        found(lambda: client("lambda").remove_permission(FunctionName=function, StatementId=sid), *GONE)


DEFAULT_BUS = "default"


def _where(id: str, parts: int) -> tuple[str, ...]:
    """The bus, and what comes after it, of an id that leaves the default bus out."""
    found_here = tuple(id.split("/"))
    return found_here if len(found_here) == parts else (DEFAULT_BUS, *found_here)


def _named(bus: str, *rest: str) -> str:
    return "/".join(rest if bus == DEFAULT_BUS else (bus, *rest))


class EventRule(AwsResource):
    """Its id is the name, with the bus before it if that is not the default one."""

    token = "aws:cloudwatch/eventRule:EventRule"
    fields = {
        "name": Field(replace=True),
        "eventBusName": Field(replace=True, default=DEFAULT_BUS),
        "description": Field(default=""),
        "eventPattern": Field(json=True),
        "scheduleExpression": Field(default=""),
        "state": Field(default="ENABLED"),
    }
    made = frozenset({"arn"})
    autoname = Autoname(max_length=64)
    tagging = tagging.EVENTS

    def _put(self, inputs: Values, **more: Any) -> None:
        asked = to_api(self.fields, {**inputs, "state": inputs.get("state") or "ENABLED"})
        client("events").put_rule(**asked, **more)

    def make(self, inputs: Values, tags: Mapping[str, str]) -> str:
        self._put(inputs, Tags=self.tagging.pack(tags))
        return _named(inputs.get("eventBusName") or DEFAULT_BUS, inputs["name"])

    def look(self, id: str, state: Values) -> dict[str, Any] | None:
        bus, name = _where(id, 2)
        api = client("events")
        answer = found(lambda: api.describe_rule(Name=name, EventBusName=bus), *GONE)
        if answer is None:
            return None
        tags = api.list_tags_for_resource(ResourceARN=answer["Arn"])["Tags"]
        shown = from_api(self.fields, {key: value for key, value in answer.items() if value})
        return {
            **shown,
            "name": name,
            "eventBusName": bus,
            "arn": answer["Arn"],
            "tagsAll": self.tagging.unpack(tags),
        }

    def change(self, id: str, state: Values, old: Values, new: Values, changed: frozenset[str]) -> None:
        self._put(new)

    def remove(self, id: str, state: Values) -> None:
        bus, name = _where(id, 2)
        found(lambda: client("events").delete_rule(Name=name, EventBusName=bus), *GONE)


class EventTarget(AwsResource):
    """Its id is `<rule>/<target>`, with the bus before it if that is not the default one, as the real provider
    imports it."""

    token = "aws:cloudwatch/eventTarget:EventTarget"
    fields = {
        "rule": Field(replace=True, required=True),
        "eventBusName": Field(replace=True, default=DEFAULT_BUS),
        "targetId": Field(api="Id", replace=True),
        "arn": Field(required=True),
        "roleArn": Field(),
        "input": Field(json=True),
        "deadLetterConfig": Field(fields={"arn": Field()}),
        "retryPolicy": Field(
            fields={
                "maximumEventAgeInSeconds": Field(computed=True),
                "maximumRetryAttempts": Field(computed=True),
            }
        ),
    }
    autoname = Autoname("targetId", max_length=64)

    def _put(self, inputs: Values) -> None:
        target = to_api(self.fields, inputs)
        rule, bus = target.pop("Rule"), target.pop("EventBusName", DEFAULT_BUS)
        answer = client("events").put_targets(Rule=rule, EventBusName=bus, Targets=[target])
        for entry in answer["FailedEntries"]:
            raise SluiceError(f"the target {target['Id']} was refused: {entry.get('ErrorMessage')}")

    def make(self, inputs: Values, tags: Mapping[str, str]) -> str:
        self._put(inputs)
        return _named(inputs.get("eventBusName") or DEFAULT_BUS, inputs["rule"], inputs["targetId"])

    def look(self, id: str, state: Values) -> dict[str, Any] | None:
        bus, rule, identity = _where(id, 3)
        answer = found(
            lambda: client("events").list_targets_by_rule(Rule=rule, EventBusName=bus, Limit=100), *GONE
        )
        targets = [] if answer is None else answer["Targets"]
        target = next((each for each in targets if each["Id"] == identity), None)
        if target is None:
            return None
        return {**from_api(self.fields, target), "rule": rule, "eventBusName": bus}

    def change(self, id: str, state: Values, old: Values, new: Values, changed: frozenset[str]) -> None:
        self._put(new)

    def remove(self, id: str, state: Values) -> None:
        bus, rule, identity = _where(id, 3)
        found(lambda: client("events").remove_targets(Rule=rule, EventBusName=bus, Ids=[identity]), *GONE)
