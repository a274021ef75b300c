"""`sluice emulator …`: AWS on this machine, as a process."""

from dataclasses import asdict

import typer

from sluice import output


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        help="AWS on this machine: start it, see whether it runs, stop it.", no_args_is_help=True
    )
    app.add_typer(group, name="emulator")

    @group.command()
    def start() -> None:
        """Start the emulator, if none runs.

        It keeps AWS's state in memory: a new one begins empty, and what `.local` says of an earlier one is cleared.
        """
        from sluice.engine import emulator

        running = emulator.start()
        output.emit(
            asdict(running), f"the emulator answers at {running.endpoint_url} (process {running.pid})"
        )

    @group.command()
    def stop() -> None:
        """Stop the emulator with every serving process and job."""
        from sluice.engine import emulator

        count = emulator.stop()
        output.emit({"ended": count}, f"ended {count} processes" if count else "no emulator was running")

    @group.command()
    def status() -> None:
        """Say whether the emulator answers; exits 1 if not."""
        from sluice.engine import emulator

        running = emulator.status()
        if running is None:
            output.emit({"running": False}, "no emulator answers; `sluice emulator start` starts one")
            raise typer.Exit(1)
        output.emit(
            {"running": True, **asdict(running)},
            f"the emulator answers at {running.endpoint_url} (process {running.pid}, boot {running.boot_id[:8]})",
        )
