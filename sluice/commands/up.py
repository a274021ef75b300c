"""`sluice up` and `sluice down`: the whole platform on one machine."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from sluice import output


def register(app: typer.Typer) -> None:
    """Add the commands."""

    @app.command()
    def up(
        only: Annotated[
            str | None, typer.Option(help="Deploy one program only: account, platform, pipelines, endpoints.")
        ] = None,
        workload: Annotated[
            str | None, typer.Option(help="Deploy for this workload only; default: all.")
        ] = None,
        tour: Annotated[
            bool, typer.Option(help="Afterwards train, release and retrain as each workload's `tour` says.")
        ] = True,
    ) -> None:
        """Bring everything up: emulator, programs in their order, then each workload's tour.

        It may be interrupted or killed at any moment and run again: it mends what was left and goes on. Where
        nothing is to be done it changes nothing.
        """
        from sluice.engine import everything

        outcome = everything.up(only, workload, tour=tour and only is None)
        output.emit(
            {
                "programs": [_summary(result) for result in outcome.results],
                "tours": outcome.tours,
                "endpoint_url": outcome.endpoint_url,
                "seconds": round(outcome.seconds, 1),
            },
            lambda: _table(outcome.results, outcome.tours, outcome.endpoint_url, outcome.seconds),
        )

    @app.command()
    def down(
        destroy: Annotated[
            bool, typer.Option("--destroy", help="First take away every resource, program by program.")
        ] = False,
    ) -> None:
        """End everything that runs on this machine: runs of Pulumi, serving processes, jobs, the emulator.

        What the emulator holds dies with it; logs and data stay in `.local`.
        """
        from sluice.engine import everything

        outcome = everything.down(destroy=destroy)
        text = f"ended {outcome.ended} processes" if outcome.ended else "nothing was running"
        output.emit(
            {"ended": outcome.ended, "destroyed": [_summary(result) for result in outcome.destroyed]}, text
        )


def _summary(result: Any) -> dict[str, Any]:
    from sluice.commands.stack import summary

    return summary(result)


def _table(
    results: Sequence[Any], tours: Mapping[str, Mapping[str, str]], endpoint_url: str | None, seconds: float
) -> Any:
    from rich.console import Group
    from rich.table import Table

    from sluice.engine.events import counted
    from sluice.progress import elapsed

    deployed = Table("program", "stack", "resources", "took", box=None, pad_edge=False)
    for result in results:
        resources = counted(dict(result.changes)) or "none"
        deployed.add_row(result.program.title, result.program.stack, resources, elapsed(result.seconds))
    parts: list[Any] = ["", deployed]
    for name, facts in tours.items():
        shown = Table(title=name, title_justify="left", box=None, show_header=False, pad_edge=False)
        for key, value in facts.items():
            shown.add_row(key, value)
        parts += ["", shown]
    changed = sum(result.changed for result in results)
    verdict = f"{changed} of {len(results)} programs changed" if changed else "no changes"
    parts += ["", f"{verdict}, in {elapsed(seconds)}. Where to look next:"]
    look = Table(box=None, show_header=False, pad_edge=False)
    if endpoint_url is not None:
        look.add_row('eval "$(sluice env)"', f"AWS at {endpoint_url} and bare `pulumi`, in this shell")
    look.add_row("sluice release status", "which version answers, and which is on trial")
    look.add_row("sluice logs", "what every process said")
    look.add_row("sluice --help", "everything else")
    if endpoint_url is not None:
        look.add_row("sluice down", "end it all")
    parts.append(look)
    return Group(*parts)
