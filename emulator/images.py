"""Images as the emulator runs them: a snapshot unpacked on this machine, with the Python that its lock asks for."""

import io
import json
import os
import re
import shutil
import stat
import tarfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from moto.ecr.models import ecr_backends

from emulator.context import Context
from emulator.ecr import actions
from emulator.ecr.manifest import Manifest, parse
from sluice.errors import SluiceError

PROGRAM = PurePosixPath("opt/program")
LOCK = PROGRAM / "requirements.lock"

_URI = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com/(?P<repository>[^@:]+)"
    r"(?:@(?P<digest>sha256:[a-f0-9]{64})|:(?P<tag>[\w.-]{1,128}))?"
)


class ImageNotFoundError(SluiceError):
    """The URI names no image of this registry."""


class ImageBrokenError(SluiceError):
    """The image is no snapshot that can be run here."""


@dataclass(frozen=True)
class Image:
    """An unpacked image. `root` stands for the container's `/`; `python` is that of its environment."""

    root: Path
    python: Path
    entrypoint: tuple[str, ...]
    environment: Mapping[str, str]
    digest: str
    workdir: PurePosixPath = PROGRAM
    """Relative to `root`."""


class Images:
    """The images of one emulator, unpacked under `<root>/images/<digest>/`."""

    def __init__(self, context: Context, environment: Callable[[Path], Path]) -> None:
        """
        Args:
            environment: makes the Python environment of a lock and returns its interpreter.
        """
        self._context = context
        self._environment = environment
        self._lock = threading.Lock()
        self._busy: dict[str, threading.Lock] = {}

    def find(self, uri: str) -> tuple[str, str, Manifest]:
        """The repository, digest and manifest of the image that `uri` names.

        Raises:
            ImageNotFoundError: if there is none.
        """
        parts = _URI.fullmatch(uri)
        if parts is None:
            raise ImageNotFoundError(f"Requested image {uri} not found")
        registry = ecr_backends[parts["account"]][parts["region"]]
        repository = registry.repositories.get(parts["repository"])
        for image in repository.images if repository else ():
            digest = image.get_image_digest()
            if digest == parts["digest"] or (
                parts["digest"] is None and (parts["tag"] or "latest") in image.image_tags
            ):
                return (
                    parts["repository"],
                    digest,
                    parse(image.image_manifest, image.image_manifest_media_type),
                )
        raise ImageNotFoundError(f"Requested image {uri} not found")

    def ensure(self, uri: str) -> Image:
        """The image, unpacked and with its environment; safe to call at the same time for the same image.

        Raises:
            ImageNotFoundError: if the registry does not have it.
            ImageBrokenError: if it is no snapshot, or its environment cannot be made.
        """
        repository, digest, manifest = self.find(uri)
        layers = actions.layers()
        config: Mapping[str, Any] = json.loads(layers.get(repository, manifest.config)).get("config") or {}
        root = self._context.root / "images" / digest.removeprefix("sha256:")
        with self._lock:
            busy = self._busy.setdefault(digest, threading.Lock())
        with busy:
            if not root.exists():
                _unpack_all([layers.get(repository, layer) for layer in manifest.layers], root)
        lock = root / LOCK
        if not lock.is_file():
            raise ImageBrokenError(
                f"the image {uri} holds no {LOCK}: this machine runs snapshots of code, no container images"
            )
        return Image(
            root=root,
            python=self._environment(lock),
            entrypoint=tuple(config.get("Entrypoint") or ()) + tuple(config.get("Cmd") or ()),
            environment=dict(pair.partition("=")[::2] for pair in config.get("Env") or ()),
            digest=digest,
            workdir=PurePosixPath((config.get("WorkingDir") or f"/{PROGRAM}").lstrip("/")),
        )


def _unpack_all(layers: list[bytes], root: Path) -> None:
    """Unpack into a folder beside and rename, so that `root` is there complete or not at all."""
    temporary = root.with_name(f".{root.name}.{os.getpid()}.{threading.get_ident()}")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        for layer in layers:
            unpack(layer, temporary)
        for path in temporary.rglob("*"):
            if path.is_file():
                # No job writes into what other jobs run from. (Root may all the same: jobs get a copy.)
                path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
        temporary.rename(root)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def unpack(layer: bytes, root: Path) -> None:
    """Unpack a tar, compressed or not, below `root`.

    Raises:
        ImageBrokenError: if it is no tar, or a member is a device or would land or point outside of `root`.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
            # The standard library's filter refuses absolute names, names that climb, links out and devices.
            tar.extractall(root, filter="data")
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ImageBrokenError(f"a layer cannot be unpacked: {error}") from error


_images: Images | None = None


def install(context: Context, environment: Callable[[Path], Path] | None = None) -> None:
    """Let `ensure` serve `context`."""
    global _images
    _images = Images(context, environment or _environment)


def _environment(lock: Path) -> Path:
    from sluice.environments import ensure as ensure_environment

    return ensure_environment(lock)


def find(image_uri: str) -> str:
    """The digest of the image that the URI names.

    Raises:
        ImageNotFoundError: if there is none.
    """
    return _installed().find(image_uri)[1]


def ensure(image_uri: str) -> Image:
    """The image that the URI names by digest or tag, ready to run.

    Raises:
        ImageNotFoundError: if the registry does not have it.
        ImageBrokenError: if it is no snapshot.
        SluiceError: if its environment cannot be made.
    """
    return _installed().ensure(image_uri)


def _installed() -> Images:
    if _images is None:
        raise RuntimeError("images are not installed")
    return _images
