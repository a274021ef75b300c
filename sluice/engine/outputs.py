"""What a stack exports, for commands: the same typed contracts that programs read."""

import json
from functools import cache
from typing import TypeVar

from sluice.config import parse
from sluice.engine import environment, programs, stacks
from sluice.errors import SluiceError
from sluice.outputs import AccountOutputs, EndpointOutputs, PipelineOutputs, PlatformOutputs, StackOutputs

Outputs = TypeVar("Outputs", bound=StackOutputs)


def account() -> AccountOutputs:
    """Of the account's program."""
    found: AccountOutputs = _read("account", AccountOutputs)
    return found


def platform() -> PlatformOutputs:
    """Of the platform.

    Raises:
        SluiceError: if it is not up.
    """
    found: PlatformOutputs = _read("platform", PlatformOutputs)
    return found


def pipelines(workload: str) -> PipelineOutputs:
    """Of the workload's pipelines."""
    found: PipelineOutputs = _read("pipelines", PipelineOutputs, workload)
    return found


def endpoints(workload: str) -> EndpointOutputs:
    """Of the workload's endpoint."""
    found: EndpointOutputs = _read("endpoints", EndpointOutputs, workload)
    return found


@cache
def _read(kind: str, model: type[Outputs], workload: str | None = None) -> Outputs:
    program = programs.program(kind, environment.selected(), environment.region(), workload)
    try:
        values = json.loads(stacks.query(program, "stack", "output", "--json", "--stack", program.stack))
    except SluiceError as error:
        raise SluiceError(
            f"the stack {program.stack} of {program.project} has no outputs that could be read: {error.problem}",
            f"Bring it up first: sluice up --only {kind}.",
        ) from error
    if not values:
        raise SluiceError(f"{program.title} is not up", f"Bring it up first: sluice up --only {kind}.")
    return parse(model, values, f"the outputs of {program.project}/{program.stack}")
