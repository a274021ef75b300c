"""Lambda's actions on functions."""

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from moto.iam.models import iam_backends

from emulator import images
from emulator.context import Context
from emulator.functions import checks, permissions
from emulator.functions.invocations import Invocations
from emulator.functions.state import VERSION, Function, Functions
from emulator.refusals import RefusalError
from sluice.errors import SluiceError

Params = Mapping[str, Any]
Answer = dict[str, Any]
SYNCHRONOUS_BYTES = 6 * 1024**2
ASYNCHRONOUS_BYTES = 1024**2
KNOWN = frozenset(
    {
        "FunctionName",
        "Role",
        "Code",
        "Description",
        "Timeout",
        "MemorySize",
        "Publish",
        "VpcConfig",
        "PackageType",
        "Environment",
        "KMSKeyArn",
        "Tags",
        "ImageConfig",
        "Architectures",
        "EphemeralStorage",
        "LoggingConfig",
        "TracingConfig",
        "Runtime",
        "Handler",
        "RevisionId",
    }
)
_CONFIGURATION = ("Role", "Description", "Timeout", "MemorySize", "KMSKeyArn")


class Actions:
    """Each gets the request's parameters and returns the answer."""

    def __init__(self, context: Context, functions: Functions, invocations: Invocations) -> None:
        self._context = context
        self._functions = functions
        self._invocations = invocations

    def served(self) -> dict[str, Callable[[Params], Answer | None]]:
        """By their names in moto."""
        return {
            "create_function": self.create,
            "get_function": self.get,
            "get_function_configuration": self.get_configuration,
            "list_functions": self.list,
            "update_function_code": self.update_code,
            "update_function_configuration": self.update_configuration,
            "delete_function": self.delete,
            "invoke": self.invoke,
            "add_permission": self.add_permission,
            "remove_permission": self.remove_permission,
            "get_policy": self.get_policy,
            "put_function_concurrency": self.put_concurrency,
            "get_function_concurrency": self.get_concurrency,
            "delete_function_concurrency": self.delete_concurrency,
            "list_tags": self.list_tags,
            "tag_resource": self.tag,
            "untag_resource": self.untag,
            "list_versions_by_function": self.list_versions,
            "get_function_code_signing_config": self.code_signing,
        }

    def create(self, params: Params) -> Answer:
        name = params["FunctionName"]
        _known(params)
        uri = checks.image(params)
        checks.settings(params)
        with self._functions.lock:
            if name in self._functions.table():
                raise RefusalError("ResourceConflictException", f"Function already exist: {name}")
            resolved = self._resolve(uri)
            self._check_role(params["Role"])
            function = Function(
                name=name,
                arn=self._context.arn("lambda", f"function:{name}"),
                fields={},
                image_uri=uri,
                resolved=resolved,
                tags=dict(params.get("Tags") or {}),
            )
            function.fields = self._fields(function, params)
            function.changed(self._context.clock.now())
            self._functions.table()[name] = function
        answer = dict(function.fields)
        self._settle(function)
        return answer

    def _fields(self, function: Function, params: Params) -> Answer:
        logging = {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{function.name}"}
        return {
            "FunctionName": function.name,
            "FunctionArn": function.arn,
            "CodeSize": 0,
            "CodeSha256": function.resolved.rpartition(":")[2],
            "Version": VERSION,
            "PackageType": "Image",
            "Timeout": 3,
            "MemorySize": 128,
            "Description": "",
            "Architectures": list(params.get("Architectures") or ["x86_64"]),
            "EphemeralStorage": dict(params.get("EphemeralStorage") or {"Size": 512}),
            "TracingConfig": dict(params.get("TracingConfig") or {"Mode": "PassThrough"}),
            "LoggingConfig": {**logging, **(params.get("LoggingConfig") or {})},
            "State": "Pending",
            "StateReason": "The function is being created.",
            "StateReasonCode": "Creating",
            "LastUpdateStatus": "InProgress",
            **_given(params),
        }

    def _settle(self, function: Function) -> None:
        """Fetch the image; until then the function is Pending, as on AWS."""

        def work() -> None:
            try:
                images.ensure(function.resolved)
            except (SluiceError, OSError) as error:
                state, status = "Failed", "Failed"
                reason: str | None = str(error)
            else:
                state, status, reason = "Active", "Successful", None
            with self._functions.lock:
                if function.fields["State"] == "Pending" or state == "Active":
                    function.fields["State"] = state
                function.fields["LastUpdateStatus"] = status
                for key in ("StateReason", "StateReasonCode", "LastUpdateStatusReason"):
                    function.fields.pop(key, None)
                if reason:
                    function.fields["StateReason"] = reason
                    function.fields["StateReasonCode"] = "InvalidImage"

        threading.Thread(target=work, name=f"image {function.name}", daemon=True).start()

    def _resolve(self, uri: str) -> str:
        try:
            digest = images.find(uri)
        except images.ImageNotFoundError:
            raise checks.wrong(f"Source image {uri} does not exist. Provide a valid source image.") from None
        return f"{uri.partition('@')[0].rpartition(':')[0] or uri}@{digest}" if "@" not in uri else uri

    def _check_role(self, arn: str) -> None:
        role = next(
            (each for each in iam_backends[self._context.account]["aws"].roles.values() if each.arn == arn),
            None,
        )
        trust: Any = {} if role is None else role.assume_role_policy_document
        if isinstance(trust, str):
            trust = json.loads(unquote(trust))
        if not checks.assumable(trust):
            raise checks.wrong("The role defined for the function cannot be assumed by Lambda.")

    def get(self, params: Params) -> Answer:
        function = self._find(params)
        concurrency = (
            None if function.reserved is None else {"ReservedConcurrentExecutions": function.reserved}
        )
        return {
            "Configuration": dict(function.fields),
            "Code": {
                "RepositoryType": "ECR",
                "ImageUri": function.image_uri,
                "ResolvedImageUri": function.resolved,
            },
            "Tags": dict(function.tags) or None,
            "Concurrency": concurrency,
        }

    def get_configuration(self, params: Params) -> Answer:
        return dict(self._find(params).fields)

    def list(self, params: Params) -> Answer:
        every = sorted(self._functions.table().values(), key=lambda each: each.name)
        start, size = int(params.get("Marker") or 0), int(params.get("MaxItems") or 50)
        chosen = every[start : start + size]
        marker = str(start + size) if start + size < len(every) else None
        return {"Functions": [dict(each.fields) for each in chosen], "NextMarker": marker}

    def list_versions(self, params: Params) -> Answer:
        return {"Versions": [dict(self._find(params).fields)]}

    def code_signing(self, params: Params) -> Answer:
        return {"FunctionName": self._find(params).name, "CodeSigningConfigArn": ""}

    def update_code(self, params: Params) -> Answer:
        function = self._find(params)
        uri = params.get("ImageUri")
        if not uri:
            raise checks.wrong("Please provide ImageUri when updating a function with packageType Image.")
        with self._functions.lock:
            self._refuse_stale(function, params)
            resolved = self._resolve(uri)
            if params.get("DryRun"):
                return {**function.fields, "CodeSha256": resolved.rpartition(":")[2]}
            function.image_uri, function.resolved = uri, resolved
            function.fields["CodeSha256"] = resolved.rpartition(":")[2]
            return self._updated(function)

    def update_configuration(self, params: Params) -> Answer:
        _known(params)
        checks.settings(params)
        function = self._find(params)
        with self._functions.lock:
            self._refuse_stale(function, params)
            if params.get("Role"):
                self._check_role(params["Role"])
            function.fields.update(_given(params))
            if params.get("LoggingConfig"):
                function.fields["LoggingConfig"] = {
                    **function.fields["LoggingConfig"],
                    **params["LoggingConfig"],
                }
            return self._updated(function)

    def _updated(self, function: Function) -> Answer:
        function.fields["LastUpdateStatus"] = "InProgress"
        function.changed(self._context.clock.now())
        answer = dict(function.fields)
        self._settle(function)
        self._invocations.end(function)
        return answer

    def _refuse_stale(self, function: Function, params: Params) -> None:
        if function.fields["LastUpdateStatus"] == "InProgress":
            raise RefusalError(
                "ResourceConflictException",
                "The operation cannot be performed at this time. An update is in progress for resource: "
                f"{function.arn}",
            )
        wanted = params.get("RevisionId")
        if wanted and wanted != function.fields["RevisionId"]:
            raise RefusalError(
                "PreconditionFailedException",
                "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to "
                "retrieve the latest Revision Id",
            )

    def delete(self, params: Params) -> None:
        with self._functions.lock:
            function = self._find(params)
            del self._functions.table()[function.name]
        self._invocations.end(function)

    def invoke(self, params: Params) -> Answer:
        function = self._find(params)
        body = params.get("Payload") or b""
        body = body.encode() if isinstance(body, str) else bytes(body)
        kind = params.get("InvocationType") or "RequestResponse"
        limit = ASYNCHRONOUS_BYTES if kind == "Event" else SYNCHRONOUS_BYTES
        if len(body) > limit:
            raise RefusalError(
                "RequestTooLargeException",
                f"{len(body)} byte payload is too large for the {kind} invocation type (limit {limit} bytes)",
            )
        if body and not _is_json(body):
            raise RefusalError("InvalidRequestContentException", "Could not parse request body into json")
        if kind == "DryRun":
            return {"StatusCode": 204}
        if kind == "Event":
            self._invocations.later(function, body or b"{}")
            return {"StatusCode": 202}
        outcome = self._invocations.invoke(function, body or b"{}")
        return {
            "StatusCode": 200,
            "FunctionError": outcome.error,
            "ExecutedVersion": VERSION,
            "LogResult": outcome.tail if params.get("LogType") == "Tail" else None,
            "Payload": outcome.payload,
        }

    def add_permission(self, params: Params) -> Answer:
        return {"Statement": json.dumps(permissions.add(self._find(params), params))}

    def remove_permission(self, params: Params) -> None:
        permissions.remove(self._find(params), params["StatementId"])

    def get_policy(self, params: Params) -> Answer:
        function = self._find(params)
        return {"Policy": permissions.policy(function), "RevisionId": function.fields["RevisionId"]}

    def put_concurrency(self, params: Params) -> Answer:
        function, wanted = self._find(params), int(params["ReservedConcurrentExecutions"])
        others = sum(each.reserved or 0 for each in self._functions.table().values() if each is not function)
        checks.reserved(wanted, others)
        function.reserved = wanted
        return {"ReservedConcurrentExecutions": wanted}

    def get_concurrency(self, params: Params) -> Answer:
        return {"ReservedConcurrentExecutions": self._find(params).reserved}

    def delete_concurrency(self, params: Params) -> None:
        self._find(params).reserved = None

    def list_tags(self, params: Params) -> Answer:
        return {"Tags": dict(self._of_arn(params).tags)}

    def tag(self, params: Params) -> None:
        self._of_arn(params).tags.update(params["Tags"])

    def untag(self, params: Params) -> None:
        function = self._of_arn(params)
        for key in params["TagKeys"]:
            function.tags.pop(key, None)

    def _of_arn(self, params: Params) -> Function:
        return self._functions.find(unquote(params["Resource"]))

    def _find(self, params: Params) -> Function:
        return self._functions.find(unquote(params["FunctionName"]), params.get("Qualifier"))


def _given(params: Params) -> Answer:
    """The settings that a request names, as Get answers them."""
    found = {key: params[key] for key in _CONFIGURATION if params.get(key) is not None}
    if params.get("Environment") is not None:
        found["Environment"] = {"Variables": dict(params["Environment"].get("Variables") or {})}
    if params.get("ImageConfig") is not None:
        found["ImageConfigResponse"] = {"ImageConfig": dict(params["ImageConfig"])}
    if params.get("VpcConfig") is not None:
        asked = params["VpcConfig"]
        found["VpcConfig"] = {
            "SubnetIds": list(asked.get("SubnetIds") or []),
            "SecurityGroupIds": list(asked.get("SecurityGroupIds") or []),
        }
    return found


def _known(params: Params) -> None:
    unknown = sorted(key for key, value in params.items() if value not in (None, [], {}) and key not in KNOWN)
    if unknown:
        raise NotImplementedError(f"the parameter {unknown[0]} of a function")


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except ValueError:
        return False
    return True
