"""What the commands of a release are told, the same words for the same thing."""

from typing import Annotated

import typer

WorkloadName = Annotated[str, typer.Argument(help="The workload, such as flights.")]
PackageName = Annotated[
    str | None, typer.Argument(help="A version (1.1), a number in the registry, or an ARN.")
]
Why = Annotated[str, typer.Option("--why", help="For the history: the reason.")]
Deploys = Annotated[bool, typer.Option(help="Bring the endpoint to what the file says, by `pulumi up`.")]
Commits = Annotated[
    bool, typer.Option("--commit", help="Commit the release file; on one machine this is always done.")
]
