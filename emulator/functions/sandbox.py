"""One execution environment: a process of the function's image, that is used again while it is warm."""

import base64
import os
import shutil
import subprocess
import threading
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from emulator import images
from emulator.context import Context
from emulator.functions.runtime import RuntimeApi, Work, problem
from emulator.functions.state import VERSION, Function
from emulator.sagemaker.jobs import environment
from emulator.sagemaker.jobs.logs import LogStream
from emulator.sagemaker.seam import client

INIT_SECONDS = 30.0
"""Lambda gives the initialisation 10 seconds and then tries once more within the function's timeout. Two cores that
also train and serve are given more, in one go."""
STOP_GRACE = 2.0
"""Between SIGTERM and SIGKILL, as Lambda gives an environment that shuts down."""
TAIL_BYTES = 4096


@dataclass(frozen=True)
class Outcome:
    """How one invocation ended; `error` is Lambda's X-Amz-Function-Error."""

    payload: bytes
    error: str | None
    tail: str
    seconds: float


class _Log(LogStream):
    """The function's stream, whose name Lambda makes of day, version and environment."""

    def __init__(self, path: Path, group: str, stream: str) -> None:
        super().__init__(path, group, stream)
        self._stream = stream


class Sandbox:
    """Start it with `start`, use it from one thread at a time, and `stop` it."""

    def __init__(self, context: Context, function: Function) -> None:
        self._context = context
        self.function = function
        self.generation = function.generation
        self.id = uuid.uuid4().hex
        self.used = time.monotonic()
        self.broken = False
        self._api = RuntimeApi()
        self._home = context.root / "functions" / self.id
        now = context.clock.now()
        self._stream_name = f"{now:%Y/%m/%d}/[{VERSION}]{self.id}"
        self._path = context.logs / "functions" / function.name / f"{now:%Y%m%dT%H%M%S}-{self.id[:8]}.log"
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.touch()
        group = function.fields["LoggingConfig"]["LogGroup"]
        self._log = _Log(self._path, group, self._stream_name)
        self._process: subprocess.Popen[bytes] | None = None
        self._writing = threading.Lock()

    def start(self) -> None:
        """Start the process.

        Raises:
            SluiceError: if its image cannot be run here.
            OSError: if the process cannot be started.
        """
        function = self.function
        image = images.ensure(function.resolved)
        config = (function.fields.get("ImageConfigResponse") or {}).get("ImageConfig") or {}
        (self._home / "tmp").mkdir(parents=True)
        folder = image.root / (config.get("WorkingDirectory") or str(image.workdir)).lstrip("/")
        given = {
            **(function.fields.get("Environment") or {}).get("Variables", {}),
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.fields["MemorySize"]),
            "AWS_LAMBDA_FUNCTION_VERSION": VERSION,
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": function.fields["LoggingConfig"]["LogGroup"],
            "AWS_LAMBDA_LOG_STREAM_NAME": self._stream_name,
            "LAMBDA_TASK_ROOT": str(folder),
            "TZ": ":UTC",
        }
        variables = environment.variables(
            image=image.environment,
            given=given,
            aws={**self._access(), "AWS_LAMBDA_RUNTIME_API": self._api.address},
            python=image.python,
            home=self._home,
            opt_ml=self._home,
            program=image.root / images.PROGRAM,
            threads=1,
        )
        variables["PYTHONDONTWRITEBYTECODE"] = "1"  # an image is read-only
        command = environment.command(
            (*(config.get("EntryPoint") or image.entrypoint),),
            tuple(config.get("Command") or ()),
            image.python,
            image.root,
        )
        self._process = self._context.spawned.start(command, env=variables, cwd=folder, log=self._path)

    def _access(self) -> dict[str, str]:
        keys = client("sts").assume_role(
            RoleArn=self.function.fields["Role"], RoleSessionName=self.function.name
        )["Credentials"]
        return {
            "AWS_ENDPOINT_URL": self._context.endpoint_url,
            "AWS_REGION": self._context.region,
            "AWS_DEFAULT_REGION": self._context.region,
            "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
            "AWS_SESSION_TOKEN": keys["SessionToken"],
        }

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None and not self.broken

    def invoke(self, request_id: str, body: bytes) -> Outcome:
        """Let the process handle one event. After an error that it did not survive, the environment is `broken`."""
        start = self._path.stat().st_size
        self._write(f"START RequestId: {request_id} Version: {VERSION}")
        began = time.monotonic()
        outcome, error = self._handle(request_id, body)
        seconds = time.monotonic() - began
        self._write(f"END RequestId: {request_id}")
        memory = self.function.fields["MemorySize"]
        self._write(
            f"REPORT RequestId: {request_id}\tDuration: {seconds * 1000:.2f} ms\t"
            f"Billed Duration: {int(seconds * 1000) + 1} ms\tMemory Size: {memory} MB"
        )
        self._log.send()
        with self._path.open("rb") as file:
            file.seek(max(start, self._path.stat().st_size - TAIL_BYTES))
            tail = base64.b64encode(file.read()).decode()
        self.used = time.monotonic()
        return Outcome(outcome, error, tail, seconds)

    def _handle(self, request_id: str, body: bytes) -> tuple[bytes, str | None]:
        failed = self._await_ready(request_id)
        if failed is not None:
            self.broken = True
            return failed, "Unhandled"
        seconds = int(self.function.fields["Timeout"])
        work = Work(request_id, body, self.function.arn, int((time.time() + seconds) * 1000))
        self._api.give(work)
        deadline = time.monotonic() + seconds
        while not work.done.wait(0.05):
            if self._process is None or self._process.poll() is not None:
                self.broken = True
                return self._exited(request_id), "Unhandled"
            if time.monotonic() > deadline:
                self.broken = True
                text = f"RequestId: {request_id} Error: Task timed out after {seconds:.2f} seconds"
                self._write(text)
                return problem("Sandbox.Timedout", text), "Unhandled"
        if work.error is not None:
            return work.error, "Unhandled"
        return work.answer or b"", None

    def _await_ready(self, request_id: str) -> bytes | None:
        deadline = time.monotonic() + INIT_SECONDS
        while not self._api.ready.wait(0.02):
            if self._process is None or self._process.poll() is not None:
                return self._exited(request_id)
            if time.monotonic() > deadline:
                return problem("Sandbox.Timedout", f"RequestId: {request_id} Error: initialisation timed out")
        return self._api.init_error

    def _exited(self, request_id: str) -> bytes:
        code = None if self._process is None else self._process.poll()
        if code == 0:
            text = f"RequestId: {request_id} Error: Runtime exited without providing a reason"
        elif code is not None and code < 0:
            text = f"RequestId: {request_id} Error: Runtime exited with error: signal: {-code}"
        else:
            text = f"RequestId: {request_id} Error: Runtime exited with error: exit status {code}"
        return problem("Runtime.ExitError", text)

    def _write(self, line: str) -> None:
        with self._writing, self._path.open("ab") as file:
            file.write(f"{line}{os.linesep}".encode())

    def stop(self) -> None:
        """End the process and forget its files; the log stays."""
        if self._process is not None:
            self._context.spawned.stop(self._process, STOP_GRACE)
        self._api.close()
        self._log.send(last=True)
        shutil.rmtree(self._home, ignore_errors=True)
