"""Pulumi's command line: the one on PATH, else one built before, else one built now from its Go module.

No package registry but Go's has the CLI's code, and PyPI and npm carry no binary of it; a machine without network
to Pulumi's own downloads can still build it, once, with Go.
"""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sluice import paths, progress
from sluice.errors import SluiceError
from sluice.locks import exclusive

VERSION = "v3.250.0"
"""Of tools/go.mod and of the Python SDK in requirements.lock; a test holds them together."""
OLDEST = (3, 200)
"""The oldest CLI on PATH that is used: older ones do not know the language host's GetRequiredPackages."""
MODULE = "github.com/pulumi/pulumi"
LANGUAGE_HOST = "pulumi-language-python"
_EXEC = "pulumi-language-python-exec"


@dataclass(frozen=True)
class Cli:
    """A Pulumi CLI that can be used."""

    path: Path
    version: str
    built: bool
    """Built here from its Go module, and so with the language host of tools/."""


def tools() -> Path:
    """The folder of the Go module that pins the CLI, and of the language host."""
    return paths.ROOT / "tools"


def bin_folder() -> Path:
    """Where the built CLI lies; the same for every checkout that pins this version."""
    return paths.cache() / f"pulumi-{VERSION}" / "bin"


def compatible(version: str) -> bool:
    """Whether a CLI that names itself so can run these programs.

    Args:
        version: what `pulumi version` prints, such as `v3.250.0` or `v3.251.0-alpha.1`.
    """
    match = re.match(r"^v?(\d+)\.(\d+)\.", version)
    return match is not None and int(match[1]) == OLDEST[0] and int(match[2]) >= OLDEST[1]


def find() -> Cli | None:
    """The CLI to use, if there is one on this machine already."""
    on_path = shutil.which("pulumi")
    if on_path is not None:
        resolved = Path(on_path).resolve()
        if not resolved.is_relative_to(paths.cache().resolve()):
            version = _version(resolved)
            if version is not None and compatible(version):
                return Cli(Path(on_path), version, built=False)
    pulumi = bin_folder() / "pulumi"
    if pulumi.exists() and (bin_folder() / _EXEC).exists():
        return Cli(pulumi, VERSION, built=True)
    return None


def ensure() -> Cli:
    """The CLI to use; builds it where there is none.

    Raises:
        SluiceError: if there is neither a CLI nor Go, or if building fails.
    """
    found = find()
    if found is None:
        with exclusive(paths.cache() / f"pulumi-{VERSION}.lock", _waiting):
            found = find() or _build()
    if found.built:
        _install_language_host(bin_folder())
    return found


def _waiting() -> None:
    from sluice.output import note

    note("another process builds the Pulumi CLI; waiting for it")


def _version(pulumi: Path) -> str | None:
    environment = {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"}
    try:
        answer = subprocess.run(
            [str(pulumi), "version"], capture_output=True, text=True, timeout=30, check=False, env=environment
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None


def _build() -> Cli:
    go = shutil.which("go")
    if go is None:
        raise SluiceError(
            "there is no Pulumi CLI on this machine, and no Go to build it with",
            "Install either: Pulumi from https://www.pulumi.com/docs/install/, or Go 1.26 or later from "
            "https://go.dev/doc/install and run this again.",
        )
    home = bin_folder().parent
    home.parent.mkdir(parents=True, exist_ok=True)
    for abandoned in home.parent.glob(f"{home.name}-*"):  # of a build that was killed; we hold the lock
        shutil.rmtree(abandoned, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f"{home.name}-", dir=home.parent) as folder:
        made = Path(folder) / "bin"
        made.mkdir()
        with progress.step(f"building the Pulumi CLI {VERSION} with Go, once, about 3 minutes") as step:
            sdk = _module_folder(go, step)
            shutil.copyfile(sdk / "python" / "cmd" / _EXEC, made / _EXEC)
            total = _package_count(go)
            _compile(go, made / "pulumi", total, step)
            step.done(str(bin_folder() / "pulumi"))
        bin_folder().mkdir(parents=True, exist_ok=True)
        # The binary last: its presence is what `find` takes for a finished build.
        for name in (_EXEC, "pulumi"):
            (made / name).replace(bin_folder() / name)
    return Cli(bin_folder() / "pulumi", VERSION, built=True)


def _go_environment() -> dict[str, str]:
    return {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"}


def _module_folder(go: str, step: progress.Step) -> Path:
    """The unpacked source of the SDK in Go's module cache, downloaded with all the rest if need be."""
    step.update("downloading modules")
    command = [go, "mod", "download", "-json", f"{MODULE}/sdk/v3@{VERSION}"]
    result = subprocess.run(
        command, cwd=tools(), env=_go_environment(), capture_output=True, text=True, check=False
    )
    match = re.search(r'"Dir": "([^"]+)"', result.stdout)
    if result.returncode or match is None:
        raise _failed(result.stderr.splitlines() + result.stdout.splitlines())
    return Path(match[1])


def _package_count(go: str) -> int:
    """How many packages the CLI is made of; 0 if Go cannot say."""
    command = [go, "list", "-mod=readonly", "-deps", f"{MODULE}/pkg/v3/cmd/pulumi"]
    result = subprocess.run(
        command, cwd=tools(), env=_go_environment(), capture_output=True, text=True, check=False
    )
    return len(result.stdout.splitlines())


def _compile(go: str, target: Path, total: int, step: progress.Step) -> None:
    command = [
        *(go, "build", "-v", "-mod=readonly", "-trimpath", "-tags", "osusergo,grpcnotrace"),
        *("-ldflags", f"-s -w -X {MODULE}/sdk/v3/go/common/version.Version={VERSION}"),
        *("-o", str(target), f"{MODULE}/pkg/v3/cmd/pulumi"),
    ]
    process = subprocess.Popen(
        command,
        cwd=tools(),
        env=_go_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines: list[str] = []
    compiled = 0
    assert process.stdout is not None  # PIPE
    try:
        for line in process.stdout:
            lines.append(line.rstrip())
            if line.startswith("go: downloading"):
                step.update(line.removeprefix("go: ").strip())
            else:
                compiled += 1
                step.update(f"{compiled} of {total} packages compiled" if total else line.strip())
        code = process.wait()
    except BaseException:
        process.kill()
        process.wait()
        raise
    if code:
        raise _failed(lines)


def _failed(lines: Iterable[str]) -> SluiceError:
    tail = [line for line in lines if line.strip()][-12:]
    return SluiceError(
        "the Pulumi CLI could not be built:\n  " + "\n  ".join(tail),
        "Install Pulumi from https://www.pulumi.com/docs/install/ instead, or mend what Go says.",
    )


_install_lock = threading.Lock()


def _install_language_host(target: Path) -> None:
    """Put the language host beside the CLI, where Pulumi looks for it; a newer checkout renews it."""
    with _install_lock:
        for source in (tools() / "language_host").iterdir():
            if not source.is_file():
                continue
            installed = target / source.name
            if installed.exists() and _digest(installed) == _digest(source):
                continue
            fresh = target / f".{source.name}.{os.getpid()}"
            shutil.copyfile(source, fresh)
            fresh.chmod(0o755)
            fresh.replace(installed)


def _digest(file: Path) -> bytes:
    return hashlib.sha256(file.read_bytes()).digest()
