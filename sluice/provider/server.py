"""The gRPC service: wire values in and out, one method of the protocol each. Decides nothing."""

# ruff: noqa: N802, ARG002 - the protocol names the methods and gives each of them two arguments.

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent import futures
from typing import Any, TypeVar

import grpc
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from sluice.errors import SluiceError
from sluice.provider import faults
from sluice.provider.context import Context, EngineLog, Naming
from sluice.provider.diff import Diff, compare, path_text
from sluice.provider.resource import Failure, PartialFailure, Provider, Resource, Values
from sluice.provider.values import Path, contains_unknown, decode, echoes, encode

WORKERS = 64
"""More than `pulumi up` asks for by default, so that a long wait in one resource never blocks another."""

_MAX_MESSAGE = 1024 * 1024 * 400
OPTIONS = (("grpc.max_receive_message_length", _MAX_MESSAGE), ("grpc.max_send_message_length", _MAX_MESSAGE))

_MODES = {0: "propose", 1: "enforce", 2: "disable"}

Answer = TypeVar("Answer")


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """Serves a `Provider`."""

    def __init__(self, provider: Provider, log: EngineLog | None = None) -> None:
        self._provider = provider
        self._log = log or EngineLog(None)
        self._config: Mapping[str, Any] = {}
        self._cancelled = threading.Event()

    def stop(self) -> None:
        """Tell every running call to end soon."""
        self._cancelled.set()

    def Handshake(self, request: Any, context: Any) -> Any:
        return provider_pb2.ProviderHandshakeResponse(
            accept_secrets=True,
            accept_resources=True,
            accept_outputs=True,
            supports_autonaming_configuration=True,
        )

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version=self._provider.version)

    def GetSchema(self, request: Any, context: Any) -> Any:
        schema = {"name": self._provider.name, "version": self._provider.version}
        return provider_pb2.GetSchemaResponse(schema=json.dumps(schema))

    def Attach(self, request: Any, context: Any) -> Any:
        self._log = EngineLog.connect(request.address)
        return empty_pb2.Empty()

    def Cancel(self, request: Any, context: Any) -> Any:
        self.stop()
        return empty_pb2.Empty()

    def CheckConfig(self, request: Any, context: Any) -> Any:
        def act() -> Any:
            news, _ = decode(request.news)
            failures = self._provider.check_config(self._context(request), decode_config(news))
            return provider_pb2.CheckResponse(inputs=request.news, failures=_failures(failures))

        return self._answer(context, request, act)

    def DiffConfig(self, request: Any, context: Any) -> Any:
        def act() -> Any:
            old, _ = decode(request.old_inputs)
            new, _ = decode(request.news)
            return _diff_response(Diff(compare(decode_config(old), decode_config(new))))

        return self._answer(context, request, act)

    def Configure(self, request: Any, context: Any) -> Any:
        def act() -> Any:
            args, _ = decode(request.args)
            self._config = self._provider.configure(Context(log=self._log), decode_config(args))
            return provider_pb2.ConfigureResponse(
                acceptSecrets=True,
                supportsPreview=True,
                acceptResources=True,
                acceptOutputs=True,
                supports_autonaming_configuration=True,
            )

        return self._answer(context, request, act)

    def Invoke(self, request: Any, context: Any) -> Any:
        def act() -> Any:
            function = self._provider.functions.get(request.tok)
            if function is None:
                raise SluiceError(f"the provider {self._provider.name!r} has no function {request.tok}")
            arguments, secrets = decode(request.args)
            result = function(self._context(request), arguments)
            return provider_pb2.InvokeResponse(
                **{"return": encode(result, echoes(result, arguments, secrets))}
            )

        return self._answer(context, request, act)

    def Check(self, request: Any, context: Any) -> Any:
        def act() -> Any:
            old, _ = decode(request.olds)
            new, secrets = decode(request.news)
            checked = self._resource(request).check(self._context(request), old, new)
            inputs = encode(checked.inputs, _live(secrets, checked.inputs))
            return provider_pb2.CheckResponse(inputs=inputs, failures=_failures(checked.failures))

        return self._answer(context, request, act)

    def Diff(self, request: Any, context: Any) -> Any:
        def act() -> Any:
            state, _ = decode(request.olds)
            old, _ = decode(request.old_inputs)
            new, _ = decode(request.news)
            return _diff_response(
                self._resource(request).diff(self._context(request), request.id, state, old, new)
            )

        return self._answer(context, request, act)

    def Create(self, request: Any, context: Any) -> Any:
        inputs, secrets = decode(request.properties)

        def act() -> Any:
            resource, call = self._resource(request), self._context(request)
            if request.preview:
                outputs = resource.preview_create(call, inputs)
                return provider_pb2.CreateResponse(properties=_outputs(outputs, inputs, secrets))
            _refuse_unknowns(inputs, call)
            made = resource.create(call, inputs)
            return provider_pb2.CreateResponse(
                id=made.id, properties=_outputs(_merged(inputs, made.outputs), inputs, secrets)
            )

        return self._answer(context, request, act, inputs, secrets)

    def Update(self, request: Any, context: Any) -> Any:
        inputs, secrets = decode(request.news)

        def act() -> Any:
            state, _ = decode(request.olds)
            old, _ = decode(request.old_inputs)
            resource, call = self._resource(request), self._context(request)
            if request.preview:
                outputs = resource.preview_update(call, request.id, state, old, inputs)
            else:
                _refuse_unknowns(inputs, call)
                outputs = _merged(inputs, resource.update(call, request.id, state, old, inputs))
            return provider_pb2.UpdateResponse(properties=_outputs(outputs, inputs, secrets))

        return self._answer(context, request, act, inputs, secrets)

    def Read(self, request: Any, context: Any) -> Any:
        def act() -> Any:
            state, state_secrets = decode(request.properties)
            inputs, input_secrets = decode(request.inputs)
            found = self._resource(request).read(self._context(request), request.id, state, inputs)
            if found is None:
                return provider_pb2.ReadResponse()
            secrets = echoes(found.outputs, inputs, input_secrets) | state_secrets
            return provider_pb2.ReadResponse(
                id=found.id,
                properties=encode(found.outputs, _live(secrets, found.outputs)),
                inputs=encode(found.inputs, _live(secrets, found.inputs)),
            )

        return self._answer(context, request, act)

    def Delete(self, request: Any, context: Any) -> Any:
        def act() -> Any:
            state, _ = decode(request.properties)
            old, _ = decode(request.old_inputs)
            self._resource(request).delete(self._context(request), request.id, state, old)
            return empty_pb2.Empty()

        return self._answer(context, request, act)

    def _resource(self, request: Any) -> Resource:
        token = request.type or request.urn.split("::")[2].rpartition("$")[2]
        resource = self._provider.resources.get(token)
        if resource is None:
            known = f"It knows {len(self._provider.resources)} types."
            raise SluiceError(f"the provider {self._provider.name!r} does not map the type {token}", known)
        return resource

    def _context(self, request: Any) -> Context:
        naming = None
        if getattr(request, "autonaming", None) is not None and request.HasField("autonaming"):
            naming = Naming(_MODES[request.autonaming.mode], request.autonaming.proposed_name)
        urn = getattr(request, "urn", "")
        return Context(
            urn=urn,
            preview=getattr(request, "preview", False),
            timeout=getattr(request, "timeout", 0) or None,
            random_seed=getattr(request, "randomSeed", b""),
            naming=naming,
            config=self._config,
            log=self._log.at(urn),
            cancelled=self._cancelled,
        )

    def _answer(
        self,
        context: Any,
        request: Any,
        act: Callable[[], Answer],
        inputs: Values | None = None,
        secrets: frozenset[Path] = frozenset(),
    ) -> Answer:
        try:
            return act()
        except PartialFailure as failure:
            known = inputs or {}
            properties = _outputs(_merged(known, failure.outputs), known, secrets)
            plain = encode(known, secrets)
            answer = faults.init_failed(failure.id, properties, plain, failure.reasons)
        except Exception as error:  # noqa: BLE001 - the boundary: whatever happens inside becomes a status
            subject = (
                getattr(request, "urn", "").rpartition("::")[2] or getattr(request, "tok", "") or "provider"
            )
            answer = faults.status(error, self._provider.name, subject)
        context.abort_with_status(answer)
        raise AssertionError("abort_with_status raises")


def decode_config(config: Values) -> dict[str, Any]:
    """A provider's configuration: the SDK sends every value that is no string as JSON in a string.

    A string that is no JSON mapping, list or flag stays the string it is.
    """
    return {key: _decode_config(value) for key, value in config.items()}


def _decode_config(value: Any) -> Any:
    if isinstance(value, str) and (value in ("true", "false") or value[:1] in ("{", "[")):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def start(provider: Provider, engine: str | None = None) -> tuple[Any, int, Servicer]:
    """The server, running on a free port of 127.0.0.1: (gRPC server, port, servicer)."""
    servicer = Servicer(provider, EngineLog.connect(engine))
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=WORKERS), options=OPTIONS)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port, servicer


def serve(provider: Provider) -> None:
    """Serve `provider` as a Pulumi plugin: the port on standard output, then until the engine is done with
    it.

    The engine's address is the last argument of the command line. The plugin ends quietly with SIGINT or
    SIGTERM, and by itself when the engine is gone: a killed `pulumi up` must leave nothing that still
    changes resources.
    """
    # First of all: an engine that is killed right after it read the port must be missed too.
    parent = os.getppid()
    engine = sys.argv[-1] if len(sys.argv) > 1 else None
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    server, port, servicer = start(provider, engine)
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    while not done.wait(1) and os.getppid() == parent:
        pass
    servicer.stop()
    server.stop(grace=1).wait()
    # Worker threads may be inside a long wait: the interpreter's own exit would join them.
    os._exit(0)


def _outputs(outputs: Values, inputs: Values, secrets: frozenset[Path]) -> struct_pb2.Struct:
    return encode(outputs, _live(echoes(outputs, inputs, secrets), outputs))


def _merged(inputs: Values, outputs: Values) -> dict[str, Any]:
    """The outputs over the inputs; bookkeeping among the inputs (two underscores) is no output."""
    return {**{name: value for name, value in inputs.items() if not name.startswith("__")}, **outputs}


def _live(secrets: frozenset[Path], values: Values) -> frozenset[Path]:
    """The secret paths as far as they lead somewhere; one that leads nowhere makes its nearest holder
    secret, so that a secret that moved (a list that was sorted, a mapping made text) is not shown."""
    found: set[Path] = set()
    for path in secrets:
        holder: Any = values
        reached: Path = ()
        for step in path:
            inside = step in holder if isinstance(holder, Mapping) else _indexes(holder, step)
            if not inside:
                break
            holder = holder[step]
            reached = (*reached, step)
        if reached:
            found.add(reached)
    return frozenset(found)


def _indexes(holder: Any, step: str | int) -> bool:
    return isinstance(holder, list | tuple) and isinstance(step, int) and step < len(holder)


def _failures(failures: Sequence[Failure]) -> list[Any]:
    return [provider_pb2.CheckFailure(property=item.property, reason=item.reason) for item in failures]


def _refuse_unknowns(inputs: Values, context: Context) -> None:
    unknown = [key for key, value in inputs.items() if contains_unknown(value)]
    if unknown:
        raise SluiceError(f"{context.name}: {', '.join(unknown)} must be known by now")


def _diff_response(diff: Diff) -> Any:
    detailed = {}
    for change in diff.changes:
        kind = f"{change.kind}_REPLACE" if change.replace else change.kind.value
        detailed[path_text(change.path)] = provider_pb2.PropertyDiff(
            kind=provider_pb2.PropertyDiff.Kind.Value(kind), inputDiff=True
        )
    tops = dict.fromkeys(str(change.path[0]) for change in diff.changes)
    replaces = dict.fromkeys(str(change.path[0]) for change in diff.changes if change.replace)
    some = provider_pb2.DiffResponse.DIFF_SOME if diff.changes else provider_pb2.DiffResponse.DIFF_NONE
    return provider_pb2.DiffResponse(
        changes=some,
        diffs=list(tops),
        replaces=list(replaces),
        detailedDiff=detailed,
        hasDetailedDiff=True,
        deleteBeforeReplace=diff.delete_before_replace and diff.replaces,
    )
