"""`sluice doctor`: what this machine lacks, and how to get it."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import typer

from sluice import output, paths

DISK_BYTES = 6_000_000_000
"""Two Python environments, the built CLI, Go's caches while it is built, images and data of a run."""


@dataclass(frozen=True)
class Check:
    """One thing looked at."""

    name: str
    ok: bool
    found: str
    way_out: str = ""
    """How to get it, if it is missing."""
    required: bool = True


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def doctor() -> None:
        """Say what is missing on this machine and how to get it; exits 1 if something needed is."""
        from sluice.cli import broken, extend

        extend(typer.Typer())
        checks = [look() for look in LOOKS]
        checks += [
            Check(
                f"commands of {name}",
                False,
                reason,
                "Mend the import, or run `make install`.",
                required=False,
            )
            for name, reason in broken.items()
        ]
        output.emit([asdict(check) for check in checks], lambda: _table(checks))
        if lacking(checks):
            raise typer.Exit(1)


def lacking(checks: list[Check]) -> list[Check]:
    """What has to be got before `sluice up` can work."""
    return [check for check in checks if check.required and not check.ok]


def python() -> Check:
    """The interpreter."""
    version = ".".join(map(str, sys.version_info[:3]))
    ok = sys.version_info >= (3, 11)
    return Check(
        "python", ok, f"{version} ({sys.executable})", "Install Python 3.11 or later, then `make install`."
    )


def tool(name: str, way_out: str) -> Callable[[], Check]:
    """A look for a command on PATH."""

    def look() -> Check:
        found = shutil.which(name)
        return Check(name, found is not None, found or "not on PATH", way_out)

    return look


def uv() -> Check:
    """What installs the environments of images."""
    from sluice.environments import find_uv

    found = find_uv()
    return Check(
        "uv", found is not None, str(found or "neither beside Python nor on PATH"), "Run `make install`."
    )


def pulumi() -> Check:
    """A CLI, or what builds one."""
    from sluice.engine import cli

    found = cli.find()
    if found is not None:
        how = "built from its Go module" if found.built else "on PATH"
        return Check("pulumi", True, f"{found.version}, {how}: {found.path}")
    go = shutil.which("go")
    if go is not None:
        return Check(
            "pulumi", True, f"none yet; `sluice up` builds {cli.VERSION} with {go}, once, in some minutes"
        )
    return Check(
        "pulumi",
        False,
        "neither a CLI nor Go to build it with",
        "Install Pulumi (https://www.pulumi.com/docs/install/) or Go 1.26 or later (https://go.dev/doc/install).",
    )


def port() -> Check:
    """The emulator's port: free, or the emulator's own."""
    from sluice.engine import emulator, environment

    running = emulator.status()
    if running is not None:
        return Check("emulator", True, f"answers at {running.endpoint_url}")
    number = int(environment.endpoint().rpartition(":")[2])
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", number))
        except OSError:
            way_out = (
                f"End what listens there (`lsof -i :{number}`), or run `make down` if it is an old emulator."
            )
            return Check(f"port {number}", False, "taken by another process", way_out)
    return Check(f"port {number}", True, "free")


def disk() -> Check:
    """Room for environments, images and data."""
    folder = paths.local()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    way_out = f"Make {DISK_BYTES / 1e9:.0f} GB of room at {folder}."
    return Check("disk", free >= DISK_BYTES, f"{free / 1e9:.1f} GB free", way_out)


def isolation() -> Check:
    """Whether steps can be run without any network, as SageMaker's network isolation does."""
    unshare = shutil.which("unshare")
    works = False
    if unshare is not None:
        try:
            result = subprocess.run([unshare, "-rn", "true"], capture_output=True, timeout=10, check=False)
            works = result.returncode == 0
        except (OSError, subprocess.TimeoutExpired):
            works = False
    found = (
        "unshare -rn works"
        if works
        else "unshare -rn does not work; isolated steps run without AWS variables only"
    )
    way_out = "Linux with user namespaces allowed gives it (sysctl kernel.unprivileged_userns_clone=1)."
    return Check("isolation", works, found, way_out, required=False)


def writable() -> Check:
    """Whether state and logs can be kept."""
    folder = paths.local()
    folder.mkdir(parents=True, exist_ok=True)
    ok = os.access(folder, os.W_OK)
    return Check("state", ok, str(folder), f"Make {folder} writable, or move it with SLUICE_LOCAL.")


LOOKS: tuple[Callable[[], Check], ...] = (
    python,
    tool("git", "Install git."),
    tool("make", "Install make."),
    uv,
    pulumi,
    port,
    disk,
    writable,
    isolation,
)


def _table(checks: list[Check]) -> Any:
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    for check in checks:
        mark = "[green]✓[/]" if check.ok else "[red]✗[/]" if check.required else "[yellow]![/]"
        table.add_row(mark, check.name, check.found if check.ok else f"{check.found}\n→ {check.way_out}")
    missing = lacking(checks)
    table.caption = (
        f"missing: {', '.join(check.name for check in missing)}" if missing else "nothing is missing"
    )
    table.caption_justify = "left"
    return table
