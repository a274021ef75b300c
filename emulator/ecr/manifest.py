"""What an image manifest says, without touching anything."""

import json
from dataclasses import dataclass
from typing import Any

IMAGE_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)


@dataclass(frozen=True)
class Manifest:
    """An image of one platform: the digests of its parts, and their sizes in bytes."""

    media_type: str
    config: str
    layers: tuple[str, ...]
    size: int


def parse(text: str, media_type: str | None = None) -> Manifest:
    """The manifest in `text`.

    Args:
        media_type: PutImage's imageManifestMediaType; the manifest's own where it is not given.

    Raises:
        ValueError: if it is no JSON object, or no manifest of one image.
    """
    try:
        value: Any = json.loads(text)
    except ValueError:
        raise ValueError("Invalid JSON syntax") from None
    if not isinstance(value, dict):
        raise ValueError("Invalid JSON syntax")
    kind = media_type or value.get("mediaType")
    if kind not in IMAGE_TYPES:
        raise ValueError(f"the media type {kind!r} is not one of {', '.join(IMAGE_TYPES)}")
    try:
        config, layers = value["config"], value["layers"]
        size = int(config["size"]) + sum(int(layer["size"]) for layer in layers)
        return Manifest(kind, config["digest"], tuple(layer["digest"] for layer in layers), size)
    except (KeyError, TypeError, ValueError):
        raise ValueError("a descriptor of the config or of a layer is missing or not complete") from None
