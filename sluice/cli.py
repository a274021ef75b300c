"""The command `sluice`: its frame. Commands live in sluice/commands/ and in the folders that own what they do."""

import os
import sys
from collections.abc import Iterable, Sequence
from importlib import metadata

import typer

from sluice import output
from sluice.errors import SluiceError

HELP = """
MLOps level 2 on AWS: training pipelines, shadow and canary releases, as code.

On one machine, `sluice up` starts AWS as an emulator, deploys every program with Pulumi, trains the workload
`flights` on real flights, and takes each model through shadow and canary to live. Then look around:

    eval "$(sluice env)"     any AWS client and bare `pulumi` now work in this shell

    sluice release status    which version answers, which one is on trial, and why

    sluice logs              what every process said

    sluice down              ends all of it

SLUICE_ENVIRONMENT names the environment to work on (default: local, which is this machine).
"""

GROUP = "sluice.commands"
OWN = frozenset({"up", "down", "env", "doctor", "emulator", "stack", "logs"})
"""Commands that need no other folder's code; for them none is imported."""


def build(extensions: bool = True) -> typer.Typer:
    """The whole command. A folder whose commands cannot be imported is left out, and noted by `broken`."""
    from sluice.commands import doctor, emulator, env, images, logs, stack, up

    app = typer.Typer(
        help=HELP,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback()
    def root(
        json: bool = typer.Option(False, "--json", help="Answer in JSON; may stand anywhere."),
    ) -> None:
        if json:
            output.use_json(True)

    for module in (up, env, doctor, logs, emulator, stack, images):
        module.register(app)
    if extensions:
        extend(app)
    return app


broken: dict[str, str] = {}
"""Entry points that could not be loaded, with the reason."""


def points() -> Iterable[metadata.EntryPoint]:
    """What the installed folders offer."""
    return metadata.entry_points(group=GROUP)


def extend(app: typer.Typer) -> None:
    """Add the commands of the other folders: entry points of the group `sluice.commands`, each a function
    `register(app)`."""
    broken.clear()
    for point in sorted(points(), key=lambda point: point.name):
        try:
            register = point.load()
            register(app)
        except Exception as error:  # noqa: BLE001 - one folder's fault must not take the others' commands away
            broken[point.name] = f"{point.value}: {type(error).__name__}: {error}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit with its code: 1 after an error that is told, 130 after Ctrl-C."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    sys.exit(run(given))


def run(arguments: list[str]) -> int:
    """Run the command with these arguments; its exit code."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    # `--json` may stand anywhere, so that no command has to declare it.
    output.use_json("--json" in arguments[:end])
    arguments = [text for text in arguments[:end] if text != "--json"] + arguments[end:]
    from sluice.engine import environment

    try:
        environment.apply()
        command = next((text for text in arguments if not text.startswith("-")), None)
        app = build(extensions=command not in OWN)
        if broken and command is not None and command not in OWN:
            _warn()
        code = typer.main.get_command(app).main(args=arguments, prog_name="sluice", standalone_mode=False)
        return int(code or 0)
    except SluiceError as error:
        output.fail(error.problem, error.way_out)
        return 1
    except typer.Exit as stop:
        return stop.exit_code
    except (KeyboardInterrupt, typer.Abort):
        output.fail("interrupted", "Run it again; it goes on from where it was.")
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            sys.stdout.write(f"{error}\n")
            return 0
        if type(error).__module__.startswith(("click", "typer")) and hasattr(error, "format_message"):
            output.fail(error.format_message(), "`sluice --help` lists commands and options.")
            return 2
        if type(error).__module__.startswith("botocore"):
            output.fail(_aws(error), "`sluice doctor` and `sluice emulator status` say whether AWS answers.")
            return 1
        raise


def _aws(error: Exception) -> str:
    return " ".join(str(error).split())


def _warn() -> None:
    for name, reason in broken.items():
        output.note(f"warning: the commands of {name} are left out: {reason}")


if __name__ == "__main__":
    main()
