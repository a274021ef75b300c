"""`sluice stack …`: one program at a time."""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from sluice import output

Kind = Annotated[str, typer.Argument(help="account, platform, pipelines or endpoints.")]
Workload = Annotated[str | None, typer.Option(help="Of pipelines and endpoints: the workload.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        help="One program's stack: bring it up, see what would change, compare it with what there is.",
        no_args_is_help=True,
    )
    app.add_typer(group, name="stack")

    @group.command()
    def up(kind: Kind, workload: Workload = None) -> None:
        """Bring the stack to what the program says; mends first what an interrupted run left."""
        from sluice.engine import stacks

        _run(stacks.up, kind, workload)

    @group.command()
    def preview(kind: Kind, workload: Workload = None) -> None:
        """Show what `up` would change; the details are in the log."""
        from sluice.engine import stacks

        _run(stacks.preview, kind, workload)

    @group.command()
    def refresh(
        kind: Kind,
        workload: Workload = None,
        expect_no_changes: Annotated[bool, typer.Option(help="Fail if anything differs.")] = False,
    ) -> None:
        """Bring Pulumi's state to what there is in AWS."""
        from sluice.engine import stacks

        _run(lambda program: stacks.refresh(program, expect_no_changes=expect_no_changes), kind, workload)

    @group.command()
    def destroy(kind: Kind, workload: Workload = None) -> None:
        """Take away everything the stack has made."""
        from sluice.engine import stacks

        _run(stacks.destroy, kind, workload)


def summary(result: Any) -> dict[str, Any]:
    """A run's result for `--json`."""
    return {
        "project": result.program.project,
        "stack": result.program.stack,
        "operation": result.operation,
        "changed": result.changed,
        "resources": dict(result.changes),
        "seconds": round(result.seconds, 1),
        "recovered": list(result.recovered),
        "warnings": list(result.warnings),
        "log": str(result.log),
    }


def _run(operation: Callable[[Any], Any], kind: str, workload: str | None) -> None:
    from sluice.engine import environment, programs

    chosen = programs.program(kind, environment.selected(), environment.region(), _only(workload, kind))
    result = operation(chosen)
    output.emit(summary(result), f"log: {result.log}")


def _only(workload: str | None, kind: str) -> str | None:
    """The workload: the one named, else the only one there is."""
    from sluice.engine import programs
    from sluice.errors import SluiceError

    known = programs.workloads()
    if workload is not None and workload not in known:
        raise SluiceError(
            f"there is no workload {workload!r}", f"This checkout has {', '.join(known) or 'none'}."
        )
    if workload is None and kind in ("pipelines", "endpoints") and len(known) == 1:
        return known[0]
    return workload
