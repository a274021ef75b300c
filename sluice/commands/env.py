"""`sluice env`: the environment, for a shell."""

from typing import Annotated

import typer

from sluice import output


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def env(
        environment: Annotated[
            str | None, typer.Option(help="Name of the environment; default: this shell's.")
        ] = None,
    ) -> None:
        """Print the variables for this shell: eval "$(sluice env)".

        After it bare `pulumi` works in every program's folder, and any AWS client talks to the environment. For
        `local` that is the emulator; for any other it sets neither AWS credentials nor Pulumi's backend.
        """
        import os

        from sluice.engine import cli
        from sluice.engine import environment as engine

        name = environment or engine.selected()
        found = cli.find()
        values = engine.variables(
            name, os.environ, cli=None if found is None else found.path, endpoint_url=engine.endpoint()
        )
        output.emit(values, engine.exports(values))
        if found is None:
            output.note("there is no Pulumi CLI yet; `sluice up` builds one, then print this again")
