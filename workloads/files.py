"""Which files an image or a model needs to run a workload, relative to the root of the checkout."""

from pathlib import Path

_SHARED = ("__init__.py", "config.py", "errors.py", "paths.py")
_CONTRACT = ("__init__.py", "contract.py", "modules.py", "schema.py", "values.py", "score.py", "files.py")
_OWN = ("__init__.py", "workload.yaml", "features.py", "model.py", "incumbent.py")


def files(workload: str) -> tuple[Path, ...]:
    """The workload, the contract, and what both use of the shared part. Not the source: images never fetch data."""
    return (
        *(Path("sluice") / name for name in _SHARED),
        *(Path("workloads") / name for name in _CONTRACT),
        *(Path("workloads") / workload / name for name in _OWN),
    )
