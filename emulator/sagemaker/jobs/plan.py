"""What a job has to do, as plain data: the same for processing and training."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from emulator.sagemaker.seam import refusal

NAME = re.compile(r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$")
OPT_ML = PurePosixPath("/opt/ml")


@dataclass(frozen=True)
class Input:
    """Objects under `uri`, to be laid into `folder` (relative to /opt/ml); with `manifest` those that the object at
    `uri` lists."""

    uri: str
    folder: PurePosixPath
    manifest: bool = False


@dataclass(frozen=True)
class Output:
    """`folder` (relative to /opt/ml), to be put to `uri`: its files under it, or with `archive` one tar.gz at it."""

    uri: str
    folder: PurePosixPath
    kms_key: str | None = None
    archive: bool = False
    skip_empty: bool = False


@dataclass(frozen=True)
class Plan:
    """One job, ready to run.

    Attributes:
        entrypoint: None for the image's own.
        files: texts to be written before the start, by path relative to /opt/ml.
        message: the file, relative to /opt/ml, in which the program says how it ended.
        log_group: of CloudWatch Logs.
    """

    name: str
    image: str
    role: str
    entrypoint: tuple[str, ...] | None
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    isolated: bool
    max_runtime: float
    message: PurePosixPath
    log_group: str
    inputs: tuple[Input, ...] = ()
    outputs: tuple[Output, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    folders: tuple[PurePosixPath, ...] = ()


def check_name(name: str, field_name: str) -> None:
    """
    Raises:
        RefusalError: ValidationException if SageMaker would not take the name.
    """
    if not NAME.match(name):
        raise refusal(
            f"1 validation error detected: Value '{name}' at '{field_name}' failed to satisfy constraint: "
            f"Member must satisfy regular expression pattern: {NAME.pattern}"
        )


def check_one_machine(count: int, kind: str) -> None:
    """One machine has one instance; more is refused as AWS refuses what is over an account's quota.

    Raises:
        RefusalError: ResourceLimitExceeded.
    """
    if count > 1:
        raise refusal(
            f"The account-level service limit 'instances for a {kind} job' is 1 Instances, with current utilization "
            f"of 0 Instances and a request delta of {count} Instances.",
            "ResourceLimitExceeded",
        )


def below(local_path: str, base: str) -> PurePosixPath:
    """`local_path` relative to /opt/ml.

    Raises:
        RefusalError: ValidationException if it is not within `base`, or climbs.
    """
    path = PurePosixPath(local_path)
    if ".." in path.parts or not path.is_relative_to(base):
        raise refusal(f"LocalPath {local_path} must be within {base}.")
    return path.relative_to(OPT_ML)


def relative_name(prefix: str, key: str) -> str:
    """Where the object `key` lands under the folder of an input whose S3Uri has the key `prefix`.

    The object itself keeps its own name, an object in the "folder" its path there; where the prefix ends within a
    name, names keep what follows the last slash of the prefix.
    """
    if key == prefix:
        return key.rpartition("/")[2]
    folder = prefix.rstrip("/") + "/" if prefix else ""
    if key.startswith(folder):
        return key[len(folder) :]
    return key[len(prefix.rpartition("/")[0]) :].lstrip("/")
