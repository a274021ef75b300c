"""Instances as processes on this machine."""

import contextlib
import hashlib
import http.client
import logging
import os
import shutil
import tarfile
import threading
import time
from pathlib import Path

from emulator import images
from emulator.context import Context
from emulator.sagemaker import models
from emulator.sagemaker.endpoints.dataplane import DataPlane
from emulator.sagemaker.endpoints.instance import Instance, Serving, State
from emulator.sagemaker.seam import client
from sluice import ports

DRAIN_SECONDS = 65.0
"""A request may take 60 s; what is longer was answered with an error already."""
STOP_SECONDS = 30.0
"""What SageMaker gives a container between SIGTERM and SIGKILL."""
ATTEMPTS = 3
log = logging.getLogger("emulator.endpoints")


class StartError(Exception):
    """Why an instance did not come into service, as FailureReason says it."""


class ProcessLauncher:
    """Each instance gets a thread for its start and one for its end."""

    def __init__(self, context: Context, plane: DataPlane) -> None:
        self._context = context
        self._plane = plane
        self._models = threading.Lock()
        # Where it is not 0, it takes the place of ContainerStartupHealthCheckTimeoutInSeconds, which starts at 60.
        context.settings.declare("startup_seconds", 0.0)
        shutil.rmtree(context.root / "instances", ignore_errors=True)

    def start(self, instance: Instance) -> None:
        threading.Thread(target=self._start, args=(instance,), name=instance.id, daemon=True).start()

    def stop(self, instance: Instance) -> None:
        threading.Thread(target=self._stop, args=(instance,), name=f"stop-{instance.id}", daemon=True).start()

    def _start(self, instance: Instance) -> None:
        try:
            if instance.zone in self._context.faults.closed_zones(instance.endpoint):
                raise StartError(
                    f"Unable to provision requested ML compute capacity in {instance.zone} due to "
                    "InsufficientInstanceCapacity error."
                )
            serving = self._prepare(instance)
            wait = (instance.ready_at - self._context.clock.now()).total_seconds()
            if wait > 0 and instance.ended.wait(wait):
                return
            for _ in range(ATTEMPTS):
                if self._run(instance, serving):
                    instance.started(State.IN_SERVICE)
                    return
            raise StartError(_no_ping(instance))
        except StartError as error:
            instance.reason = str(error)
        except Exception as error:
            log.exception("instance %s of %s", instance.id, instance.endpoint)
            instance.reason = (
                f"Failed to start the container for production variant {instance.variant}: {error}"
            )
        finally:
            instance.settled.set()
        if instance.state is State.STARTING:
            # A start that fails at once is not tried again at once.
            wait = (instance.ready_at - self._context.clock.now()).total_seconds()
            instance.ended.wait(max(1.0, wait))
            instance.started(State.FAILED)

    def _prepare(self, instance: Instance) -> Serving:
        container = models.container(instance.model)
        image = images.ensure(container.image)
        home = self._context.root / "instances" / instance.id
        opt_ml = home / "opt_ml"
        (opt_ml / "model").mkdir(parents=True, exist_ok=True)
        if container.model_data_url is not None:
            archive = self._model(container.model_data_url)
            with tarfile.open(archive) as tar:
                # The filter refuses absolute names, names that climb out and devices.
                tar.extractall(opt_ml / "model", filter="data")
        folder = image.root / image.workdir
        command = [*image.entrypoint, "serve"]
        python = str(image.python)
        words: tuple[str | Path, ...] = tuple(
            python if word in ("python", "python3") else word for word in command
        )
        environment = {
            "PATH": f"{image.python.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            **image.environment,
            **container.environment,
            "PYTHONPATH": str(folder),
            "SLUICE_OPT_ML": str(opt_ml),
            "SLUICE_BIND_HOST": "127.0.0.1",
            "AWS_REGION": self._context.region,
        }
        environment["PATH"] = f"{image.python.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return Serving(words, environment, folder)

    def _model(self, url: str) -> Path:
        """The artifact, fetched once for all instances of the same object."""
        bucket, _, key = url.removeprefix("s3://").partition("/")
        s3 = client("s3")
        try:
            tag = s3.head_object(Bucket=bucket, Key=key)["ETag"]
        except Exception as error:
            raise StartError(
                f"Failed to download model data from {url}. Please ensure that the object exists."
            ) from error
        name = hashlib.sha256(f"{url} {tag}".encode()).hexdigest()[:32]
        target = self._context.root / "models" / f"{name}.tar.gz"
        with self._models:
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                temporary = target.with_suffix(".part")
                s3.download_file(bucket, key, str(temporary))
                temporary.replace(target)
        return target

    def _run(self, instance: Instance, serving: Serving) -> bool:
        """Start the process once and wait for /ping; False if it ended by itself, so that it may be started again.

        Raises:
            StartError: if /ping did not answer 200 in time.
        """
        instance.port = ports.free()
        environment = {**serving.environment, "SAGEMAKER_BIND_TO_PORT": str(instance.port)}
        logs = self._context.logs / "endpoints" / instance.endpoint / instance.variant
        process = self._context.spawned.start(
            serving.command, env=environment, cwd=serving.folder, log=logs / f"{instance.id}.log"
        )
        instance.process = process
        blocked = self._context.settings["faults"].get("configs_without_ping", ())
        deadline = time.monotonic() + (self._context.settings["startup_seconds"] or instance.startup_seconds)
        while not instance.ended.is_set():
            if process.poll() is not None:
                self._context.spawned.forget(process)
                return False
            if instance.config not in blocked and _ping(instance.port):
                return True
            if time.monotonic() > deadline:
                self._context.spawned.stop(process, STOP_SECONDS)
                raise StartError(_no_ping(instance))
            time.sleep(0.05)
        return True

    def _stop(self, instance: Instance) -> None:
        instance.ended.set()
        instance.settled.wait()
        try:
            if self._plane.drain([instance.id], DRAIN_SECONDS):
                log.warning("instance %s was stopped with requests under way", instance.id)
        except OSError:
            log.exception("instance %s was not drained", instance.id)
        if instance.process is not None:
            self._context.spawned.stop(instance.process, STOP_SECONDS)
        shutil.rmtree(self._context.root / "instances" / instance.id, ignore_errors=True)
        instance.state = State.GONE


def _no_ping(instance: Instance) -> str:
    return (
        f"The primary container for production variant {instance.variant} did not pass the ping health check. "
        "Please check CloudWatch logs for this endpoint."
    )


def _ping(port: int) -> bool:
    """Whether /ping answers 200; SageMaker gives each try 2 seconds."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    with contextlib.closing(connection):
        try:
            connection.request("GET", "/ping")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
