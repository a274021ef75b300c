"""The serving process's settings, all from the environment, each within bounds."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from sluice.errors import SluiceError
from workloads.contract import version_key

SPARE_THREADS = 4
"""Threads beyond those for predictions, so that `/ping` and `/metrics` answer when every prediction is slow."""


@dataclass(frozen=True)
class Settings:
    """How one container serves.

    `workload` is the workload's name; `version` is that of the model package where it is another than the model's own,
    as of a patched image, else empty; `host` and `port` where it listens; `workers` processes with `threads` each;
    `cores` is what one worker may use for a prediction; `max_bytes` and `max_rows` bound one request.
    """

    workload: str
    version: str
    host: str
    port: int
    workers: int
    threads: int
    cores: int
    max_bytes: int
    max_rows: int


def settings(environment: Mapping[str, str], available_cores: int) -> Settings:
    """The settings in `environment` on a machine of `available_cores`.

    Raises:
        SluiceError: naming the variable that is missing or out of bounds.
    """
    workload = environment.get("SLUICE_WORKLOAD", "")
    if not workload:
        raise SluiceError("SLUICE_WORKLOAD is not set", "Name the workload to serve, such as flights.")
    version = environment.get("SLUICE_VERSION", "")
    if version:
        version_key(version)
    workers = _number(environment, "SLUICE_WORKERS", 1, 1, 64)
    return Settings(
        workload=workload,
        version=version,
        host=environment.get("SLUICE_BIND_HOST", "0.0.0.0"),
        # SageMaker says where to listen; 8080 unless a container shares its network with others.
        port=_number(environment, "SAGEMAKER_BIND_TO_PORT", 8080, 0, 65535),
        workers=workers,
        # Threads are made when they are needed. A slow request must not hold up the next; past this many at once
        # a request is refused rather than queued, so that the caller and the autoscaling see it.
        threads=_number(environment, "SLUICE_THREADS", 128, 1, 512),
        cores=_number(environment, "OMP_NUM_THREADS", max(1, available_cores // workers), 1, 1024),
        # InvokeEndpoint's own limit (botocore, BodyBlob.max): what is larger never came through SageMaker.
        max_bytes=_number(environment, "SLUICE_MAX_BYTES", 6 * 1024 * 1024, 1024, 1 << 31),
        max_rows=_number(environment, "SLUICE_MAX_ROWS", 100_000, 1, 10_000_000),
    )


def _number(environment: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = environment.get(name)
    if not text:
        return default
    if not text.isdecimal() or not least <= int(text) <= most:
        raise SluiceError(f"{name} is {text!r}", f"It must be a whole number from {least} to {most}.")
    return int(text)


def available_cores() -> int:
    """The cores this process may run on."""
    return len(os.sched_getaffinity(0))
