"""What the image of a workload's steps holds, for `sluice.snapshots`."""

from pathlib import Path

from sluice.snapshots import SnapshotSpec
from workloads.files import files

LOCK = Path("pipelines/steps/requirements.lock")
TRAIN = ("python", "-m", "pipelines.steps.train")


def spec(workload: str) -> SnapshotSpec:
    """The snapshot of the steps of a workload. SageMaker starts a training job by the image's entrypoint, a
    processing job by that of the pipeline definition."""
    shared = tuple(Path("sluice") / name for name in ("aws.py", "clock.py", "naming.py"))
    steps = (Path("pipelines/__init__.py"), Path("pipelines/steps"))
    return SnapshotSpec(
        kind="steps",
        workload=workload,
        paths=(*files(workload), *shared, *steps),
        lock=LOCK,
        entrypoint=TRAIN,
        # OpenMP's threads spin while they wait for each other; on a machine that is shared, training took ten
        # times as long.
        environment={"SLUICE_WORKLOAD": workload, "OMP_WAIT_POLICY": "passive"},
    )
