"""Invocations: which environment runs them, how many at once, and what happens to events that fail."""

import logging
import threading
import time
import uuid
from collections import Counter
from collections.abc import Mapping
from typing import Any

from emulator import cloudwatch
from emulator.context import Context
from emulator.functions import permissions
from emulator.functions.runtime import problem
from emulator.functions.sandbox import Outcome, Sandbox
from emulator.functions.state import Function, Functions
from emulator.refusals import RefusalError
from sluice.errors import SluiceError

IDLE_SECONDS = 300.0
"""How long an environment stays warm without work; Lambda promises nothing."""
RETRIES = 2
"""Of an event whose function failed (Lambda Developer Guide, "How Lambda handles errors and retries with asynchronous
invocation": one minute before the first two attempts, two minutes between the second and the third)."""
MAX_AGE_SECONDS = 6 * 3600.0
log = logging.getLogger("emulator.functions")


class Invocations:
    """Of all functions."""

    def __init__(self, context: Context, functions: Functions) -> None:
        self._context = context
        self._functions = functions
        self._lock = threading.Lock()
        self._idle: dict[str, list[Sandbox]] = {}
        self._busy: Counter[str] = Counter()
        context.settings.declare("function_retry_seconds", 60.0)

    def invoke(self, function: Function, body: bytes) -> Outcome:
        """Run one event to its end.

        Raises:
            RefusalError: TooManyRequestsException; ResourceConflictException while the function is not active;
                ServiceException by a fault.
        """
        _refuse_inactive(function)
        if self._context.faults.drops(function.name):
            raise RefusalError(
                "ServiceException", "An error occurred and the request could not be processed."
            )
        with self._lock:
            if function.reserved is not None and self._busy[function.arn] >= function.reserved:
                self._publish(function, {"Throttles": 1.0})
                raise RefusalError(
                    "TooManyRequestsException",
                    "Rate Exceeded.",
                )
            self._busy[function.arn] += 1
            warm = self._warm(function)
        try:
            broken = self._context.faults.breaks(function.name)
            outcome, used = (_broken(), warm) if broken else self._run(function, warm, body)
        finally:
            with self._lock:
                self._busy[function.arn] -= 1
        if used is not None:
            self._give_back(function, used)
        failed = 1.0 if outcome.error else 0.0
        self._publish(function, {"Invocations": 1.0, "Errors": failed, "Duration": outcome.seconds * 1000})
        return outcome

    def later(self, function: Function, body: bytes) -> None:
        """Take an event and run it in the background, again if the function fails or has no room."""
        _refuse_inactive(function)
        if self._context.faults.drops(function.name):
            return
        threading.Thread(
            target=self._insist, args=(function, body), name=f"event {function.name}", daemon=True
        ).start()

    def deliver(self, arn: str, body: bytes, service: str, source_arn: str) -> None:
        """An event of an AWS service.

        Raises:
            RefusalError: AccessDeniedException if the function's policy does not let it.
        """
        function = self._functions.find(arn)
        if not permissions.allows(function, service, source_arn, self._context.account):
            raise RefusalError(
                "AccessDeniedException",
                f"User: {service} is not authorized to perform: lambda:InvokeFunction on resource: {function.arn} "
                "because no resource-based policy allows the lambda:InvokeFunction action",
            )
        self.later(function, body)

    def end(self, function: Function) -> None:
        """End the idle environments of a function that is gone or was changed."""
        with self._lock:
            idle = self._idle.pop(function.arn, [])
        for each in idle:
            each.stop()

    def reap(self) -> None:
        """End environments that were idle for long, or whose function is not there any more."""
        table = {each.arn: each for each in self._functions.table().values()}
        ended: list[Sandbox] = []
        with self._lock:
            for arn, idle in list(self._idle.items()):
                function = table.get(arn)
                keep = [each for each in idle if function is each.function and _fresh(each)]
                ended += [each for each in idle if each not in keep]
                self._idle[arn] = keep
        for each in ended:
            each.stop()

    def _warm(self, function: Function) -> Sandbox | None:
        idle = self._idle.get(function.arn, [])
        while idle:
            found = idle.pop()
            if found.function is function and found.generation == function.generation and found.alive:
                return found
            threading.Thread(target=found.stop, daemon=True).start()
        return None

    def _run(self, function: Function, warm: Sandbox | None, body: bytes) -> tuple[Outcome, Sandbox | None]:
        request_id = str(uuid.uuid4())
        if warm is not None:
            return warm.invoke(request_id, body), warm
        new = Sandbox(self._context, function)
        try:
            new.start()
        except (SluiceError, OSError, ValueError) as error:
            new.stop()
            text = f"RequestId: {request_id} Error: {error}"
            return Outcome(problem("Runtime.InvalidEntrypoint", text), "Unhandled", "", 0.0), None
        return new.invoke(request_id, body), new

    def _give_back(self, function: Function, used: Sandbox) -> None:
        with self._lock:
            current = self._functions.table().get(function.name) is function
            if current and used.alive and used.generation == function.generation:
                self._idle.setdefault(function.arn, []).append(used)
                return
        used.stop()

    def _insist(self, function: Function, body: bytes) -> None:
        unit = float(self._context.settings["function_retry_seconds"])
        began, attempts, throttled = time.monotonic(), 0, 0
        while time.monotonic() - began < MAX_AGE_SECONDS:
            if self._functions.table().get(function.name) is not function:
                return
            try:
                outcome = self.invoke(function, body)
            except RefusalError:
                # Lambda waits from one second up to five minutes where there is no room.
                time.sleep(min(300.0, unit / 60 * 2**throttled))
                throttled += 1
                continue
            except Exception:
                log.exception("function %s", function.name)
                return
            if outcome.error is None:
                return
            log.warning(
                "function %s failed: %s", function.name, outcome.payload[:300].decode(errors="replace")
            )
            if attempts == RETRIES:
                return
            attempts += 1
            time.sleep(unit * attempts)

    def _publish(self, function: Function, values: Mapping[str, float]) -> None:
        dimensions: list[dict[str, Any]] = [{"Name": "FunctionName", "Value": function.name}]
        data = [
            {
                "MetricName": name,
                "Dimensions": dimensions,
                "Value": value,
                "Timestamp": self._context.clock.now(),
                "StorageResolution": 60,
            }
            for name, value in values.items()
        ]
        try:
            cloudwatch.publish("AWS/Lambda", data)
        except Exception:
            log.exception("the metrics of %s are lost", function.name)


def _broken() -> Outcome:
    """What a process that ends at once leaves behind."""
    text = f"RequestId: {uuid.uuid4()} Error: Runtime exited with error: signal: killed"
    return Outcome(problem("Runtime.ExitError", text), "Unhandled", "", 0.0)


def _fresh(sandbox: Sandbox) -> bool:
    return (
        sandbox.alive
        and sandbox.generation == sandbox.function.generation
        and time.monotonic() - sandbox.used < IDLE_SECONDS
    )


def _refuse_inactive(function: Function) -> None:
    state = function.fields["State"]
    if state == "Pending":
        raise RefusalError(
            "ResourceConflictException",
            "The operation cannot be performed at this time. The function is currently in the following state: "
            "Pending",
        )
    if state == "Failed":
        raise RefusalError(
            "ResourceConflictException",
            f"The function is in the state Failed: {function.fields.get('StateReason', '')}",
        )
