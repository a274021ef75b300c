"""Puts the plugin where the Pulumi engine looks for it."""

import sys
from pathlib import Path

from sluice.paths import ROOT

NAME = "pulumi-resource-aws"


def install(bin_dir: Path) -> Path:
    """Write the executable `pulumi-resource-aws` into `bin_dir`, which must come first on the PATH; its path.

    A shell's `exec`, so that the engine's signals reach the provider itself. Python runs isolated from the
    program's own working directory, where a file may have the name of a module.
    """
    bin_dir.mkdir(parents=True, exist_ok=True)
    path = bin_dir / NAME
    run = f'exec "{sys.executable}" -m emulator.provider "$@"'
    text = f'#!/bin/sh\nPYTHONPATH="{ROOT}" PYTHONSAFEPATH=1 {run}\n'
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path
