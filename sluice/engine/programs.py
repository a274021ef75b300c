"""The Pulumi programs of the platform, in the order in which they need each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sluice import paths
from sluice.engine.environment import LOCAL
from sluice.errors import SluiceError

KINDS = ("account", "platform", "pipelines", "endpoints")
"""In their order; the last two once a workload."""
_FOLDERS = {"account": "infra/account", "platform": ".", "pipelines": "pipelines", "endpoints": "endpoints"}


@dataclass(frozen=True)
class Program:
    """One Pulumi program with one stack of it."""

    kind: str
    folder: Path
    """Of its Pulumi.yaml."""
    stack: str
    workload: str | None = None

    @property
    def project(self) -> str:
        """Its name in Pulumi."""
        return f"sluice-{self.kind}"

    @property
    def title(self) -> str:
        """What people call it: `endpoints of flights`."""
        return self.kind if self.workload is None else f"{self.kind} of {self.workload}"


def stack_name(environment: str, region: str, workload: str | None = None) -> str:
    """`local`, `local-flights`; elsewhere `prod-us-east-1`, `prod-us-east-1-flights`."""
    base = LOCAL if environment == LOCAL else f"{environment}-{region}"
    return base if workload is None else f"{base}-{workload}"


def program(kind: str, environment: str, region: str, workload: str | None = None) -> Program:
    """One program.

    Raises:
        SluiceError: if there is no such kind, or if it needs a workload and none is named.
    """
    if kind not in KINDS:
        raise SluiceError(f"there is no program {kind!r}", f"The programs are {', '.join(KINDS)}.")
    per_workload = kind in ("pipelines", "endpoints")
    if per_workload and workload is None:
        raise SluiceError(f"{kind} has one stack per workload", "Name the workload with --workload.")
    owner = workload if per_workload else None
    return Program(kind, paths.ROOT / _FOLDERS[kind], stack_name(environment, region, owner), owner)


def workloads() -> tuple[str, ...]:
    """The workloads of this checkout: folders under workloads/ with a workload.yaml."""
    return tuple(sorted(file.parent.name for file in (paths.ROOT / "workloads").glob("*/workload.yaml")))


def in_order(environment: str, region: str, names: Sequence[str]) -> tuple[Program, ...]:
    """All programs with the stacks of these workloads, each after those it needs; destroy goes the other way."""
    shared = [program(kind, environment, region) for kind in ("account", "platform")]
    own = [program(kind, environment, region, name) for name in names for kind in ("pipelines", "endpoints")]
    return tuple(shared + own)


def chosen(
    programs: Sequence[Program], only: str | None = None, workload: str | None = None
) -> tuple[Program, ...]:
    """Of these programs the ones of a kind and of a workload.

    Raises:
        SluiceError: if `only` is no kind, `workload` is no workload of this checkout, or nothing is left.
    """
    if only is not None and only not in KINDS:
        raise SluiceError(f"there is no program {only!r}", f"The programs are {', '.join(KINDS)}.")
    known = {item.workload for item in programs if item.workload is not None}
    if workload is not None and workload not in known:
        raise SluiceError(
            f"there is no workload {workload!r}",
            f"This checkout has {', '.join(sorted(known)) or 'none'}: folders under workloads/ with a workload.yaml.",
        )
    left = tuple(
        item
        for item in programs
        if (only is None or item.kind == only) and (workload is None or item.workload in (None, workload))
    )
    if not left:
        raise SluiceError(f"there is no workload to run {only} for", "Add one under workloads/.")
    return left
