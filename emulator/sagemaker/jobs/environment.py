"""The environment variables and the command of a job. Pure."""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
PYTHONS = ("python", "python3", "python3.11")


def variables(
    *,
    image: Mapping[str, str],
    given: Mapping[str, str],
    aws: Mapping[str, str] | None,
    python: Path,
    home: Path,
    opt_ml: Path,
    program: Path,
    threads: int,
) -> dict[str, str]:
    """What a job's process sees: nothing of the emulator's own environment.

    Args:
        image: the image's variables.
        given: those of the request and of SageMaker; they win over the image's.
        aws: how to reach AWS; None for an isolated job, which then has no variable that begins with `AWS_`.
        threads: for the numerical libraries, which would otherwise each take every core.
    """
    merged = {"OMP_NUM_THREADS": str(threads), "LANG": "C.UTF-8", **image, **given}
    if aws is None:
        merged = {key: value for key, value in merged.items() if not key.startswith("AWS_")}
    # These say where things lie on this machine; a value made for a container would be wrong.
    return {
        **merged,
        **(aws or {}),
        "AWS_EC2_METADATA_DISABLED": "true",
        "HOME": str(home),
        "PATH": f"{python.parent}:{SYSTEM_PATH}",
        "PYTHONPATH": str(program),
        "PYTHONUNBUFFERED": "1",
        "SLUICE_OPT_ML": str(opt_ml),
        "TMPDIR": str(home / "tmp"),
    }


def command(entrypoint: Sequence[str], arguments: Sequence[str], python: Path, root: Path) -> tuple[str, ...]:
    """The command to start: `python` is the image's, and a program named by its path in the image is found there.

    Raises:
        ValueError: if there is nothing to start.
    """
    if not entrypoint:
        raise ValueError("the image has no entrypoint, and the request gives none")
    first, *rest = entrypoint
    if first in PYTHONS or PurePosixPath(first).name in PYTHONS:
        first = str(python)
    elif first.startswith("/") and (root / first.lstrip("/")).is_file():
        first = str(root / first.lstrip("/"))
    return (first, *rest, *arguments)
