"""`python -m pipelines.build [--check]`: write the definitions, or say which one is stale."""

import argparse
import logging
import os
import subprocess
import sys
from pathlib import Path

from sluice.errors import SluiceError
from sluice.paths import ROOT

LOCK = ROOT / "pipelines" / "requirements.lock"
COMMAND = "python -m pipelines.build"
INSIDE = "SLUICE_INSIDE_SDK"
OFFLINE = {
    # The SDK reads these when it is imported: it wants a region, and would ask IAM about the role.
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "SAGEMAKER_VALIDATE_ROLE": "false",
    "PYTHONWARNINGS": "ignore",
    INSIDE: "1",
}


def main() -> int:
    """Build in the SDK's environment; with --check compare only."""
    parser = argparse.ArgumentParser(prog=COMMAND, description="Build the training pipelines' definitions.")
    parser.add_argument(
        "--check", action="store_true", help="change nothing; exit 1 if a definition is stale"
    )
    arguments = parser.parse_args()
    if os.environ.get(INSIDE) != "1":
        return _again_with_sdk()
    return _build(arguments.check)


def _again_with_sdk() -> int:
    from sluice.environments import ensure

    try:
        python = ensure(LOCK)
    except SluiceError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - a command of its own
        return 1
    # The SDK must find nothing of this machine's AWS settings: the bytes depend on the source alone.
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS", "SAGEMAKER"))}
    arguments = [str(python), "-m", "pipelines.build", *sys.argv[1:]]
    return subprocess.run(arguments, cwd=ROOT, env={**kept, **OFFLINE}).returncode


def _build(check: bool) -> int:
    logging.disable(logging.WARNING)
    from pipelines import definitions
    from pipelines.build.definition import build
    from workloads import contract

    stale: list[Path] = []
    for name in contract.names():
        text, path = build(contract.Workload.load(name)), definitions.path(name)
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(path.relative_to(ROOT))
        if not check:
            path.write_text(text, encoding="utf-8")
    for path in stale:
        print(f"{path} is stale; run: {COMMAND}" if check else f"wrote {path}")  # noqa: T201 - a command of its own
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
