"""`sluice images`: the code that runs in containers."""

from typing import Annotated

import typer

from sluice import output


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        help="The images of a workload: snapshots of the code that jobs and servers run.",
        no_args_is_help=True,
    )
    app.add_typer(group, name="images")

    @group.command()
    def push(workload: Annotated[str, typer.Argument(help="The workload.")]) -> None:
        """Build the workload's images from this checkout and push them to the platform's repository."""
        from sluice import images
        from sluice.engine import outputs

        pushed = images.push(workload, outputs.platform().image_repository)
        output.emit(pushed, "\n".join(f"{kind}: {digest}" for kind, digest in pushed.items()))

    @group.command()
    def show(workload: Annotated[str, typer.Argument(help="The workload.")]) -> None:
        """Say which images this checkout makes, without pushing them."""
        from sluice import images

        built = {kind: images.build(kind, workload) for kind in images.kinds()}
        output.emit(
            {kind: {"tag": snapshot.tag, "digest": snapshot.digest} for kind, snapshot in built.items()},
            "\n".join(f"{kind}: {snapshot.tag} {snapshot.digest}" for kind, snapshot in built.items()),
        )
