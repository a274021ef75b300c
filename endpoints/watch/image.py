"""What the image of the watch holds."""

from pathlib import Path

from endpoints.watch.sources import OUTSIDE
from sluice.paths import ROOT
from sluice.snapshots import SnapshotSpec

LOCK = Path("endpoints/watch/requirements.lock")
SHARED = tuple(
    Path(path)
    for path in (
        "endpoints/__init__.py",
        "endpoints/release/__init__.py",
        "endpoints/release/captures.py",
        "endpoints/release/file.py",
        "endpoints/serving/__init__.py",
        "endpoints/serving/binary.py",
        "endpoints/serving/codecs.py",
        "endpoints/serving/refusal.py",
        "endpoints/serving/tables.py",
        "endpoints/serving/text.py",
        "sluice/__init__.py",
        "sluice/aws.py",
        "sluice/clock.py",
        "sluice/config.py",
        "sluice/errors.py",
        "sluice/naming.py",
        "workloads/__init__.py",
        "workloads/contract.py",
    )
)


def spec(workload: str, root: Path = ROOT) -> SnapshotSpec:
    """The snapshot of the watch over a workload, from the checkout at `root`."""
    own = sorted(
        path
        for folder in ("endpoints/watch", "endpoints/release/judge")
        for path in (root / folder).rglob("*")
        if path.suffix in (".py", ".j2") and path.name not in OUTSIDE
    )
    return SnapshotSpec(
        kind="watch",
        workload=workload,
        paths=(
            *SHARED,
            *(path.relative_to(root) for path in own),
            Path("workloads", workload, "workload.yaml"),
        ),
        lock=LOCK,
        entrypoint=("python", "-m", "endpoints.watch"),
        environment={"PYTHONPATH": "/opt/program"},
    )
