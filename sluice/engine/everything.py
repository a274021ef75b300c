"""All of it: up and down, on one machine or on the stacks of an environment in AWS."""

import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import yaml

from sluice import paths
from sluice.engine import cli, emulator, environment, processes, programs, runs, stacks, supervise
from sluice.locks import exclusive
from sluice.output import note

UP = "up"
TOUR = "sluice.engine.tour"


@dataclass(frozen=True)
class Outcome:
    """What `up` did."""

    results: tuple[stacks.Result, ...]
    tours: Mapping[str, Mapping[str, str]]
    """What each workload's tour has to say at its end."""
    endpoint_url: str | None
    """Of the emulator; None where AWS is AWS."""
    seconds: float


@dataclass(frozen=True)
class Ended:
    """What `down` did."""

    ended: int
    destroyed: tuple[stacks.Result, ...] = field(default=())


def up(only: str | None, workload: str | None, *, tour: bool) -> Outcome:
    """Bring up what is asked for, in order.

    Args:
        only: a kind of program, or None for all.
        workload: one workload, or None for all of this checkout.
        tour: whether to walk the tours of the workloads that declare one; on one machine only.

    Raises:
        SluiceError: at the first thing that does not come up.
    """
    began = time.monotonic()
    name = environment.selected()
    local = name == environment.LOCAL
    chosen = programs.chosen(
        programs.in_order(name, environment.region(), programs.workloads()), only, workload
    )
    with _alone(only, workload):
        cli.ensure()
        endpoint_url = None
        if local:
            endpoint_url = emulator.start().endpoint_url
        results = tuple(_deploy(program) for program in chosen)
        tours = {}
        if tour and local and find_spec(TOUR) is not None:
            walk: Any = import_module(TOUR).walk
            for owner in dict.fromkeys(program.workload for program in chosen if program.workload):
                if declares_tour(owner):
                    tours[owner] = dict(walk(owner) or {})
    return Outcome(results, tours, endpoint_url, time.monotonic() - began)


def _deploy(program: programs.Program) -> stacks.Result:
    if (
        program.kind == "pipelines"
        and program.workload is not None
        and environment.selected() == environment.LOCAL
    ):
        # On AWS the deployment workflow builds and pushes the images; the program refuses where they are missing.
        from sluice import images
        from sluice.engine import outputs

        images.push(program.workload, outputs.platform().image_repository)
    return stacks.up(program)


def down(*, destroy: bool) -> Ended:
    """End every process of ours on this machine; with `destroy` take all resources away first."""
    ended = 0
    for name in runs.names():
        run = runs.read(name)
        if run is not None and (name == UP or name.startswith(f"{UP}-")):
            ended += runs.end(run)
            runs.forget(name)
    ended += stacks.end_all()
    destroyed: tuple[stacks.Result, ...] = ()
    if destroy and (environment.selected() != environment.LOCAL or emulator.status() is not None):
        everything = programs.in_order(environment.selected(), environment.region(), programs.workloads())
        destroyed = tuple(
            stacks.destroy(program) for program in reversed(everything) if stacks.exists(program)
        )
    ended += emulator.stop()
    return Ended(ended, destroyed)


def declares_tour(workload: str) -> bool:
    """Whether a workload's file says what `sluice up` is to do with it after deploying."""
    text = (paths.ROOT / "workloads" / workload / "workload.yaml").read_text(encoding="utf-8")
    return bool((yaml.safe_load(text) or {}).get("tour"))


@contextmanager
def _alone(only: str | None, workload: str | None) -> Iterator[None]:
    """One `up` at a time, of all or of the same part; what a killed one left behind is ended first."""
    name = "-".join(part for part in (UP, only, workload) if part)
    lock = runs.record_file(name).with_suffix(".lock")

    def waiting() -> None:
        # Killing `make` leaves its `sluice up` at work; the next one lets it end and then finds all done.
        other = runs.read(name)
        which = f" (process {other.leader})" if other is not None else ""
        note(f"another `sluice up`{which} is at work: waiting for it; `sluice down` ends it")

    with exclusive(lock, waiting):
        left = runs.read(name)
        if left is not None:
            runs.end(left)
        me = processes.identity(os.getpid())
        mark = runs.new_mark(name)
        started = me.started if me is not None else ""
        runs.write(
            name, runs.Run(mark=mark, command=tuple(sys.argv), log="", leader=os.getpid(), started=started)
        )
        os.environ[processes.MARK] = mark
        try:
            with supervise.interruptible():
                yield
        finally:
            os.environ.pop(processes.MARK, None)
            runs.forget(name)
