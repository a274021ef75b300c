"""Typed loading of configuration: every problem in one error."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from sluice.errors import SluiceError


class Frozen(BaseModel):
    """A value that is read once and never changed; a field it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Model = TypeVar("Model", bound=BaseModel)


def parse(model: type[Model], values: Mapping[str, Any], source: str) -> Model:
    """`values` as a `model`.

    Args:
        source: what the values came from, for the message: a file, a stack.

    Raises:
        SluiceError: naming `source` and every field that is wrong.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc'])) or 'it'}: {problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors()
        )
        raise SluiceError(f"{source} is not valid: {problems}") from error


def load_yaml(model: type[Model], path: Path) -> Model:
    """The YAML file as a `model`.

    Raises:
        SluiceError: if the file is missing, is no YAML mapping, or is not valid.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SluiceError(f"{path} does not exist") from None
    except yaml.YAMLError as error:
        raise SluiceError(f"{path} is no YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(values, dict):
        raise SluiceError(f"{path} must hold a mapping of fields")
    return parse(model, values, str(path))
