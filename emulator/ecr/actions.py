"""ECR's image actions on moto's tables of repositories and images."""

from typing import Any, cast

from moto.core.responses import ActionResult
from moto.ecr.exceptions import ImageAlreadyExistsException, UploadNotFoundException
from moto.ecr.models import ECRBackend, Image
from moto.ecr.responses import ECRResponse

from emulator.ecr.layers import DIGEST, Layers, digest_of
from emulator.ecr.manifest import Manifest, parse
from emulator.refusals import RefusalError

_layers: Layers | None = None


def install(layers: Layers) -> None:
    """Replace moto's actions that forget the bytes."""
    global _layers
    _layers = layers
    Image._create_digest = _create_digest  # type: ignore[method-assign]
    Image.get_image_size_in_bytes = _image_size  # type: ignore[method-assign]
    ECRBackend.complete_layer_upload = _complete_layer_upload  # type: ignore[method-assign]
    ECRResponse.put_image = _put_image  # type: ignore[method-assign]


def layers() -> Layers:
    """The layers of the running emulator.

    Raises:
        RuntimeError: before ECR is installed.
    """
    if _layers is None:
        raise RuntimeError("ECR is not installed")
    return _layers


def _create_digest(self: Any) -> None:
    # moto hashes the layers' digests, so two images of the same layers and another config would be one.
    self._image_digest = digest_of(self.image_manifest.encode())


def _image_size(self: Any) -> int | None:
    try:
        return parse(self.image_manifest, self.image_manifest_media_type).size
    except ValueError:
        return None


def _where(repository: Any) -> str:
    return f"the repository with name '{repository.name}' in the registry with id '{repository.registry_id}'"


def _complete_layer_upload(
    self: Any, repository_name: str, upload_id: str, layer_digests: list[str], registry_id: str | None = None
) -> dict[str, Any]:
    repository = self._get_repository(repository_name, registry_id)
    upload = repository.uploads.get(upload_id)
    if upload is None:
        raise UploadNotFoundException(upload_id, repository_name, repository.registry_id)
    content = bytes(upload.layer_parts)
    if not content:
        raise RefusalError(
            "EmptyUploadException", f"The upload with id '{upload_id}' to {_where(repository)} has no parts"
        )
    digest = digest_of(content)
    if not layer_digests or any(not DIGEST.fullmatch(given) or given != digest for given in layer_digests):
        raise RefusalError(
            "InvalidLayerException",
            f"The layer digest calculated by ECR, '{digest}', does not match the digests given, {layer_digests}",
        )
    if digest in repository.layers:
        raise RefusalError(
            "LayerAlreadyExistsException",
            f"Layer with digest '{digest}' already exists in {_where(repository)}",
        )
    layers().put(repository_name, content)
    repository.layers[digest] = len(content)
    del repository.uploads[upload_id]
    return {
        "registryId": repository.registry_id,
        "repositoryName": repository_name,
        "uploadId": upload_id,
        "layerDigest": digest,
    }


def _put_image(self: Any) -> ActionResult:
    backend: ECRBackend = self.ecr_backend
    repository = backend._get_repository(self._get_param("repositoryName"), self._get_param("registryId"))
    text, tag = self._get_param("imageManifest"), self._get_param("imageTag")
    try:
        manifest = parse(text, self._get_param("imageManifestMediaType"))
    except ValueError as problem:
        raise RefusalError(
            "InvalidParameterException",
            f"Invalid parameter at 'ImageManifest' failed to satisfy constraint: '{problem}'",
        ) from None
    digest = digest_of(text.encode())
    given = self._get_param("imageDigest")
    if given and given != digest:
        raise RefusalError(
            "ImageDigestDoesNotMatchException",
            f"The digest given, '{given}', does not match that of the manifest, '{digest}'",
        )
    _check_layers(repository, manifest)
    return ActionResult({"image": _tag_image(backend, repository, text, manifest, digest, tag)})


def _check_layers(repository: Any, manifest: Manifest) -> None:
    missing = [part for part in (manifest.config, *manifest.layers) if part not in repository.layers]
    if missing:
        raise RefusalError(
            "LayersNotFoundException",
            f"Layers with digests '{', '.join(missing)}' could not be found in {_where(repository)}",
        )


def _tag_image(
    backend: Any, repository: Any, text: str, manifest: Manifest, digest: str, tag: str | None
) -> Any:
    found = next((image for image in repository.images if image.get_image_digest() == digest), None)
    if found is not None and (tag is None or tag in found.image_tags):
        raise ImageAlreadyExistsException(repository.name, repository.registry_id, digest, str(tag))
    if tag is not None:
        # Raises if the tag is immutable and taken. moto then deletes the image that had the tag; in ECR it stays,
        # without it.
        for other in backend._resolve_image_tag_mutability(repository, tag):
            other.remove_tag(tag)
    if found is not None:
        found.update_tag(tag)
        return found
    # moto says that a tag is a str, and handles None.
    image = Image(backend.account_id, cast(str, tag), text, repository.name, manifest.media_type, digest)
    repository.images.append(image)
    return image
