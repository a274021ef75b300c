"""What a provider is made of: its types, its functions, its configuration."""

# ruff: noqa: ARG002 - the defaults here ignore what an override may need.

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sluice.provider.context import Context
from sluice.provider.diff import Diff, Property, compare
from sluice.provider.values import UNKNOWN

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Failure:
    """Why an input is refused. `property` is a property path, or empty for the whole resource."""

    property: str
    reason: str


@dataclass(frozen=True)
class Checked:
    """Inputs with defaults filled in, and what is wrong with them."""

    inputs: Values
    failures: Sequence[Failure] = ()


@dataclass(frozen=True)
class Created:
    """A resource that now exists; `outputs` are merged over the inputs."""

    id: str
    outputs: Values = field(default_factory=dict)


@dataclass(frozen=True)
class Read:
    """A resource as it is in the world. `outputs` is the whole state, `inputs` what a program would have to
    say."""

    id: str
    outputs: Values
    inputs: Values


class PartialFailure(Exception):  # noqa: N818 - half of it went well
    """The resource exists, but is not well: it goes into the state, and the operation fails with the
    reasons."""

    def __init__(self, id: str, outputs: Values, reasons: Sequence[str]) -> None:
        self.id = id
        self.outputs = outputs
        self.reasons = tuple(reasons)
        super().__init__("; ".join(self.reasons))


class Resource(ABC):
    """One type of resource. The package's docstring says how its methods are called."""

    token: str
    properties: Mapping[str, Property] = {}
    outputs: frozenset[str] = frozenset()
    unstable: frozenset[str] = frozenset()
    delete_before_replace: bool = False

    def check(self, context: Context, old_inputs: Values, inputs: Values) -> Checked:
        """The inputs with their defaults. `old_inputs` is empty for a new resource."""
        return Checked(inputs)

    def diff(self, context: Context, id: str, state: Values, old_inputs: Values, inputs: Values) -> Diff:
        """What changes; `state` are the old outputs."""
        return Diff(compare(old_inputs, inputs, self.properties), self.delete_before_replace)

    def preview_create(self, context: Context, inputs: Values) -> Values:
        """The outputs as far as they are known before creation."""
        return {
            **inputs,
            **dict.fromkeys(self.outputs - {k for k, v in inputs.items() if v is not None}, UNKNOWN),
        }

    def preview_update(
        self, context: Context, id: str, state: Values, old_inputs: Values, inputs: Values
    ) -> Values:
        """The outputs as far as they are known before an update: those of `unstable` are not."""
        kept = {key: value for key, value in state.items() if key in self.outputs - self.unstable}
        return {**kept, **dict.fromkeys(self.unstable, UNKNOWN), **inputs}

    @abstractmethod
    def create(self, context: Context, inputs: Values) -> Created:
        """Make it."""

    @abstractmethod
    def read(self, context: Context, id: str, state: Values, inputs: Values) -> Read | None:
        """It as it is in the world; None if it is gone."""

    @abstractmethod
    def update(self, context: Context, id: str, state: Values, old_inputs: Values, inputs: Values) -> Values:
        """Change it in place. Gives the outputs, merged over the inputs."""

    @abstractmethod
    def delete(self, context: Context, id: str, state: Values, old_inputs: Values) -> None:
        """Remove it; one that is gone already is no error."""


class Function(Protocol):
    """An invoke: a function that a program may call."""

    def __call__(self, context: Context, arguments: Values) -> Values: ...


class Provider:
    """A package of resource types and functions.

    `functions` maps tokens (`package:module/name:name`) to functions. Override `check_config` and
    `configure` for a provider with configuration; both get decoded values.
    """

    def __init__(
        self,
        name: str,
        version: str,
        resources: Sequence[Resource] = (),
        functions: Mapping[str, Function] | None = None,
    ) -> None:
        self.name = name
        self.version = version
        self.resources = {resource.token: resource for resource in resources}
        self.functions = dict(functions or {})

    def check_config(self, context: Context, config: Values) -> Sequence[Failure]:
        """What is wrong with the configuration; unknowns may be inside."""
        return ()

    def configure(self, context: Context, config: Values) -> Values:
        """Called once before any resource is handled. Gives what `context.config` holds from then on.

        Raises:
            SluiceError: if the provider cannot work with this configuration.
        """
        return config
