"""What every Pulumi program begins with: its stack's settings, and the AWS provider with our tags."""

import json
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Literal, ParamSpec, TypeVar

import pulumi
import pulumi_aws as aws
from pydantic import BaseModel

from sluice import naming
from sluice.config import Frozen, parse
from sluice.errors import SluiceError

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Protection = Literal["production", "throwaway"]


class StackSettings(Frozen):
    """What the stack file of every program says.

    Attributes:
        environment: `local`, `dev`, `prod`: the first part of the stack's name.
        protection: in `production` whatever holds state is protected; `throwaway` lets
            `pulumi destroy` take all.
    """

    region: str
    environment: str
    protection: Protection = "production"

    @property
    def throwaway(self) -> bool:
        return self.protection == "throwaway"


def clean(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """The function with `SluiceError` turned into Pulumi's own kind of error, which is shown without a traceback."""

    @wraps(function)
    def wrapped(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        try:
            return function(*args, **kwargs)
        except SluiceError as error:
            raise pulumi.RunError(str(error)) from error

    return wrapped


def run(program: Callable[[], None]) -> None:
    """Run a program, with clean errors."""
    clean(program)()


Settings = TypeVar("Settings", bound=BaseModel)


def settings(model: type[Settings], fields: Mapping[str, object] | None = None) -> Settings:
    """The `sluice:…` values of the running stack as a `model`, every problem in one error.

    Args:
        fields: values that do not come from the stack file.

    Raises:
        SluiceError: naming the stack and what is wrong in its file.
    """
    config = pulumi.Config("sluice")
    values: dict[str, object] = dict(fields or {})
    for name, field in model.model_fields.items():
        key = "".join(part.title() if index else part for index, part in enumerate(name.split("_")))
        if (text := config.get(key)) is not None:
            values[name] = text if field.annotation is str else _json_or_text(text)
    return clean(parse)(model, values, f"Pulumi.{pulumi.get_stack()}.yaml")


def provider(stack: StackSettings, component: str, workload: str | None = None) -> aws.Provider:
    """The AWS provider of the stack's region; every resource made with it carries our tags."""
    return aws.Provider(
        "aws",
        region=stack.region,
        default_tags={"tags": dict(naming.tags(stack.environment, component, workload))},
    )


def _json_or_text(text: str) -> object:
    """Numbers, booleans, lists and mappings are JSON in a stack file; everything else is text."""
    try:
        return json.loads(text)
    except ValueError:
        return text
