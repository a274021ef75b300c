"""What the serving image of a workload holds: what answers a request, and nothing that a change of elsewhere moves."""

from pathlib import Path

from sluice.paths import ROOT
from sluice.snapshots import SnapshotSpec

LOCK = Path("endpoints/serving/requirements.lock")
SHARED = tuple(
    Path(path)
    for path in (
        "endpoints/__init__.py",
        "endpoints/release/__init__.py",
        "endpoints/release/captures.py",
        # What is patched on AWS may be the base image alone.
        "endpoints/serving/Dockerfile",
        "sluice/__init__.py",
        "sluice/clock.py",
        "sluice/config.py",
        "sluice/errors.py",
        "sluice/paths.py",
        "workloads/__init__.py",
        "workloads/contract.py",
        "workloads/modules.py",
        "workloads/schema.py",
        "workloads/values.py",
    )
)
NOT_SERVED = frozenset({"image.py"})
"""Of this folder: it is imported where images are built, not where they run."""
NOT_NEEDED = frozenset({"source.py"})
"""Of a workload: where its data comes from is no part of its model, so changing it makes no new image."""


def spec(workload: str, root: Path = ROOT) -> SnapshotSpec:
    """The serving snapshot of the workload, from the checkout at `root`."""
    serving = root / "endpoints" / "serving"
    program = sorted(path for path in serving.glob("*.py") if path.name not in NOT_SERVED)
    folder = root / "workloads" / workload
    model = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and path.suffix in (".py", ".yaml") and path.name not in NOT_NEEDED
    )
    return SnapshotSpec(
        kind="serving",
        workload=workload,
        paths=(*SHARED, *(path.relative_to(root) for path in (*program, *model))),
        lock=LOCK,
        # SageMaker appends `serve`.
        entrypoint=("python", "-m", "endpoints.serving"),
        environment={"PYTHONPATH": "/opt/program", "SLUICE_WORKLOAD": workload},
    )
