"""ECR that keeps the bytes: layers on disk, and manifests addressed by their digest."""

from emulator import images
from emulator.context import Context
from emulator.ecr import actions
from emulator.ecr.layers import Layers


def install(context: Context) -> None:
    """Serve ECR's image actions with layers kept below the data folder, and let images be run from them."""
    layers = Layers(context.root / "ecr")
    layers.clear()  # repositories die with the process, so bytes of an earlier one belong to nothing
    actions.install(layers)
    images.install(context)
