"""The Python environment of a hash-pinned lock file: made once, then found by the hash of the file's bytes."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from sluice import paths, progress
from sluice.errors import SluiceError
from sluice.locks import exclusive

COMPLETE = "complete"
"""A file in an environment that says: everything is installed."""

_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;\\]+)")
_HASHED = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def folder(lock: Path) -> Path:
    """Where the environment of a lock lies: `.local/envs/<first 16 hexadecimal digits of the SHA-256 of its bytes>`."""
    return paths.local() / "envs" / hashlib.sha256(lock.read_bytes()).hexdigest()[:16]


def pins(text: str) -> Mapping[str, str]:
    """The packages of a lock: normalised name (PEP 503) to version."""
    found = (_PIN.match(line) for line in text.splitlines())
    return {re.sub(r"[-_.]+", "-", pin[1]).lower(): pin[2] for pin in found if pin}


def unhashed(text: str) -> list[str]:
    """The packages of a lock that carry no hash, and so could be anything."""
    entries = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)
    return [pin[1] for entry in entries if (pin := _PIN.match(entry)) and not _HASHED.search(entry)]


def ensure(lock: Path) -> Path:
    """The Python of the environment that the lock describes; makes it if it is not there yet.

    A lock with just the packages of the project's own lock is served by the Python that runs this. Processes that
    ask at the same time wait for the one that installs.

    Raises:
        SluiceError: if the file is missing or pins without hashes, if uv is missing, or if installing fails.
    """
    if not lock.is_file():
        raise SluiceError(f"the lock file {lock} does not exist")
    text = lock.read_text(encoding="utf-8")
    if loose := unhashed(text):
        raise SluiceError(
            f"{lock} pins {', '.join(loose)} without a hash",
            "Make it with `uv pip compile --generate-hashes`.",
        )
    project = paths.ROOT / "requirements.lock"
    if sys.prefix != sys.base_prefix and project.is_file() and pins(text) == pins(project.read_text("utf-8")):
        return Path(sys.executable)
    target = folder(lock)
    python = target / "bin" / "python"
    if (target / COMPLETE).exists():
        return python
    with exclusive(target.with_name(f"{target.name}.lock")):
        if not (target / COMPLETE).exists():
            _make(lock, target, len(pins(text)))
    return python


def find_uv() -> Path | None:
    """uv: beside the Python that runs this, else on PATH."""
    beside = Path(sys.executable).parent / "uv"
    if beside.exists():
        return beside
    found = shutil.which("uv")
    return Path(found) if found else None


def _make(lock: Path, target: Path, packages: int) -> None:
    """Make the environment in its place: its scripts name their interpreter, so it cannot be moved there."""
    uv = find_uv()
    if uv is None:
        raise SluiceError("uv is missing, which installs Python environments", "Run `make install`.")
    shutil.rmtree(target, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    with progress.step(f"installing {packages} packages for {_short(lock)}") as step:
        _run([str(uv), "venv", "--quiet", "--python", sys.executable, str(target)], lock)
        # Compiled once here: an image is read-only where it runs, so each start would compile all of it again.
        install = [
            str(uv),
            "pip",
            "install",
            "--quiet",
            "--compile-bytecode",
            "--require-hashes",
            "--no-deps",
        ]
        _run([*install, "--python", str(target / "bin" / "python"), "-r", str(lock)], lock)
        step.done("done")
    (target / COMPLETE).touch()


def _run(command: list[str], lock: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if result.returncode:
        tail = result.stderr.strip().splitlines()[-8:]
        raise SluiceError(f"the environment of {lock} could not be installed:\n" + "\n".join(tail))


def _short(lock: Path) -> str:
    return str(lock.relative_to(paths.ROOT)) if lock.is_relative_to(paths.ROOT) else lock.name
