"""Models, with every field, and what a server is started from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emulator.context import Context
from emulator.sagemaker import tagging
from emulator.sagemaker.models.registry import Models
from emulator.sagemaker.packages.versions import Packages
from emulator.sagemaker.seam import refusal, serve

_models: Models | None = None


@dataclass(frozen=True)
class Container:
    """What runs on an instance: the image, where its model lies (None if it has none), its environment, and the ARN
    of the model package that says so, if one does."""

    image: str
    model_data_url: str | None
    environment: Mapping[str, str]
    package: str | None = None


def install(context: Context) -> None:
    """Serve the actions of models."""
    global _models
    _models = Models(context, Packages(context))
    tagging.install()
    serve(
        create_model=_models.create,
        describe_model=_models.describe,
        list_models=_models.list,
        delete_model=_models.delete,
    )


def container(model_name: str) -> Container:
    """The container of a model; that of its model package if it names one.

    Raises:
        RefusalError: ValidationException if there is no such model, or its package is gone.
    """
    if _models is None:
        raise refusal(f'Could not find model "{model_name}".')
    resolved: Mapping[str, Any] = _models.container(model_name)
    source = (resolved.get("ModelDataSource") or {}).get("S3DataSource") or {}
    return Container(
        image=resolved["Image"],
        model_data_url=resolved.get("ModelDataUrl") or source.get("S3Uri"),
        environment=dict(resolved.get("Environment") or {}),
        package=resolved.get("ModelPackageName"),
    )
