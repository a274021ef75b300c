"""What SageMaker checks of a container when a model or a package is made."""

from collections.abc import Iterable
from typing import Any

from emulator import images
from emulator.sagemaker import objects
from emulator.sagemaker.seam import refusal


def check(containers: Iterable[dict[str, Any]]) -> None:
    """Refuse an image or a model artifact that does not exist.

    Raises:
        RefusalError: ValidationException.
    """
    for container in containers:
        uri = container.get("Image")
        if uri:
            try:
                images.find(uri)
            except images.ImageNotFoundError:
                raise refusal(f"Requested image {uri} not found.") from None
        data = objects.model_data(container)
        if data is not None and not objects.exists(*data):
            raise refusal(f"Could not find model data at {data[0]}.")
