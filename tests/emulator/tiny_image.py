"""A snapshot of a few lines of code, in the registry of a running emulator."""

import contextlib
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sluice import paths, snapshots

ACCOUNT = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
ROLE = "arn:aws:iam::123456789012:role/jobs"
BUCKET = "material"
PATIENCE = 180.0
"""Seconds after which something is taken to hang. The tests stand back behind others, so little is soon."""


def build(root: Path, modules: Mapping[str, str], entrypoint: tuple[str, ...]) -> snapshots.Snapshot:
    """A snapshot of `modules` (file name to source). Its lock is the project's own, so that the Python that runs
    the tests serves it."""
    root.mkdir(parents=True, exist_ok=True)
    for name, source in modules.items():
        (root / name).write_text(source)
    (root / "requirements.lock").write_text((paths.ROOT / "requirements.lock").read_text())
    spec = snapshots.SnapshotSpec(
        kind="steps",
        workload="tiny",
        paths=tuple(Path(name) for name in modules),
        lock=Path("requirements.lock"),
        entrypoint=entrypoint,
        environment={"FROM_IMAGE": "yes"},
    )
    return snapshots.build(spec, root)


def push(
    emulator: Any,
    root: Path,
    modules: Mapping[str, str],
    entrypoint: tuple[str, ...] = ("python", "-m", "train"),
) -> str:
    """Build and push; returns the URI by digest."""
    ecr = emulator.client("ecr")
    with contextlib.suppress(ecr.exceptions.RepositoryAlreadyExistsException):
        ecr.create_repository(repositoryName="tiny", imageTagMutability="IMMUTABLE")
    digest = snapshots.push(build(root, modules, entrypoint), "tiny", ecr)
    return f"{ACCOUNT}/tiny@{digest}"


def bucket(emulator: Any, objects: Mapping[str, bytes] = {}) -> None:
    """The bucket of the tests, with some objects."""
    s3 = emulator.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    for key, body in objects.items():
        s3.put_object(Bucket=BUCKET, Key=key, Body=body)


def read_json(emulator: Any, key: str) -> Any:
    return json.loads(emulator.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read())


def until(check: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """What `check` returns once that is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = check()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


def ended(describe: Callable[[], Mapping[str, Any]], status: str) -> Mapping[str, Any]:
    """What `describe` answers once `status` in it is one that stays."""
    return until(
        lambda: (
            answer if (answer := describe())[status] not in ("InProgress", "Stopping", "Executing") else None
        )
    )
