"""Runs a job: folders, image, process, outputs."""

import logging
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from botocore.exceptions import BotoCoreError, ClientError

from emulator import images
from emulator.context import Context
from emulator.sagemaker.jobs import environment, isolation, transfer
from emulator.sagemaker.jobs.logs import LogStream
from emulator.sagemaker.jobs.plan import Plan
from emulator.sagemaker.seam import client
from sluice.errors import SluiceError

log = logging.getLogger("emulator.jobs")

Phase = Literal["Downloading", "Running", "Uploading"]

STOP_GRACE = 120.0
"""Seconds between SIGTERM and SIGKILL: SageMaker gives a container 120 (StopTrainingJob)."""
MAX_MESSAGE = 1024
LOG_EVERY = 1.0


@dataclass(frozen=True)
class Outcome:
    """How a job ended."""

    status: Literal["Completed", "Failed", "Stopped"]
    failure: str | None = None
    message: str | None = None
    timed_out: bool = False


class _StoppedError(Exception):
    pass


class Runner:
    """Runs jobs, each in a thread of its own."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._stops: dict[str, threading.Event] = {}

    def start(self, plan: Plan, on_phase: Callable[[Phase], None], on_end: Callable[[Outcome], None]) -> None:
        """Begin the job and return."""
        stop = self._stops.setdefault(plan.name, threading.Event())

        def work() -> None:
            outcome = self._run(plan, stop, on_phase)
            self._stops.pop(plan.name, None)
            on_end(outcome)

        threading.Thread(target=work, name=f"job-{plan.name}", daemon=True).start()

    def stop(self, name: str) -> None:
        """Ask the job to end; it ends as Stopped."""
        event = self._stops.get(name)
        if event is not None:
            event.set()

    def log_path(self, name: str) -> Path:
        """The file with what the job printed."""
        return self._context.logs / "jobs" / f"{name}.log"

    def _run(self, plan: Plan, stop: threading.Event, on_phase: Callable[[Phase], None]) -> Outcome:
        folder = self._context.root / "jobs" / plan.name
        shutil.rmtree(folder, ignore_errors=True)
        try:
            outcome = self._attempt(plan, stop, on_phase, folder)
        except _StoppedError:
            outcome = Outcome("Stopped")
        except transfer.TransferError as error:
            outcome = Outcome("Failed", str(error))
        except (SluiceError, ClientError, BotoCoreError, ValueError) as error:
            outcome = Outcome("Failed", f"ClientError: {error}")
        except Exception as error:
            log.exception("job %s", plan.name)
            outcome = Outcome("Failed", f"InternalServerError: {type(error).__name__}: {error}")
        if outcome.status != "Failed":  # what a failed job leaves is what its developer looks at
            shutil.rmtree(folder, ignore_errors=True)
        return outcome

    def _attempt(
        self, plan: Plan, stop: threading.Event, on_phase: Callable[[Phase], None], folder: Path
    ) -> Outcome:
        on_phase("Downloading")
        image = images.ensure(plan.image)
        opt_ml, home = folder / "opt" / "ml", folder / "home"
        (home / "tmp").mkdir(parents=True)
        # A copy for each job, as each container has its own file system: nothing a job does to its code is seen by
        # another job or a server.
        shutil.copytree(image.root, folder / "image")
        for path in plan.folders:
            (opt_ml / path).mkdir(parents=True, exist_ok=True)
        for name, text in plan.files.items():
            (opt_ml / name).parent.mkdir(parents=True, exist_ok=True)
            (opt_ml / name).write_text(text, encoding="utf-8")
        for source in plan.inputs:
            if stop.is_set():
                raise _StoppedError
            transfer.download(source, opt_ml, plan.role)
        variables = environment.variables(
            image=image.environment,
            given=plan.environment,
            aws=None if plan.isolated else self._access(plan.role),
            python=image.python,
            home=home,
            opt_ml=opt_ml,
            program=folder / "image" / images.PROGRAM,
            threads=os.cpu_count() or 1,
        )
        command = environment.command(
            image.entrypoint if plan.entrypoint is None else plan.entrypoint,
            plan.arguments,
            image.python,
            folder / "image",
        )
        on_phase("Running")
        code, reason = self._execute(plan, command, variables, folder / "image" / image.workdir, stop)
        message = _message(opt_ml / plan.message)
        if code != 0 and reason is None:
            text = message or "See job logs for more information"
            return Outcome("Failed", f"AlgorithmError: {text}, exit code: {_exit_code(code)}", message)
        on_phase("Uploading")
        for output in plan.outputs:
            transfer.upload(output, opt_ml)
        if reason is not None:
            return Outcome("Stopped", None, message, timed_out=reason == "time")
        return Outcome("Completed", None, message)

    def _execute(
        self,
        plan: Plan,
        command: tuple[str, ...],
        variables: dict[str, str],
        cwd: Path,
        stop: threading.Event,
    ) -> tuple[int, Literal["stop", "time"] | None]:
        """The exit code, and why the process was ended if it was."""
        path = self.log_path(plan.name)
        stream = LogStream(path, plan.log_group, plan.name)
        if plan.isolated:
            prefix = isolation.prefix()
            if prefix is None:
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("a", encoding="utf-8") as file:
                    file.write(
                        "This machine cannot take the network away: the job runs without credentials only.\n"
                    )
            command = (*(prefix or ()), *command)
        try:
            process = self._context.spawned.start(command, env=variables, cwd=cwd, log=path)
        except OSError as error:
            raise SluiceError(f"the container cannot be started: {error}") from error
        deadline, next_log = time.monotonic() + plan.max_runtime, time.monotonic() + LOG_EVERY
        reason: Literal["stop", "time"] | None = None
        while True:
            try:
                code = process.wait(0.1)
                self._context.spawned.forget(process)
                break
            except subprocess.TimeoutExpired:
                pass
            now = time.monotonic()
            if stop.is_set() or now > deadline:
                reason = "stop" if stop.is_set() else "time"
                code = self._context.spawned.stop(process, STOP_GRACE)
                break
            if now > next_log:
                stream.send()
                next_log = now + LOG_EVERY
        stream.send(last=True)
        return code, reason

    def _access(self, role: str) -> dict[str, str]:
        """How a connected job reaches AWS, as its role."""
        credentials = client("sts").assume_role(RoleArn=role, RoleSessionName="SageMaker")["Credentials"]
        return {
            "AWS_ENDPOINT_URL": self._context.endpoint_url,
            "AWS_REGION": self._context.region,
            "AWS_DEFAULT_REGION": self._context.region,
            "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
            "AWS_SESSION_TOKEN": credentials["SessionToken"],
        }


def _message(path: Path) -> str | None:
    try:
        text = path.read_bytes()[:MAX_MESSAGE].decode(errors="replace").strip()
    except OSError:
        return None
    return text or None


def _exit_code(code: int) -> int:
    """As a container's: 128 and the signal's number if a signal ended it."""
    return code if code >= 0 else 128 - code
