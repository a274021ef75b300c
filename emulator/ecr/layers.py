"""The bytes of layers, on disk, by repository and digest."""

import hashlib
import os
import re
import shutil
import tempfile
from pathlib import Path

DIGEST = re.compile(r"sha256:[a-f0-9]{64}")


def digest_of(content: bytes) -> str:
    """`sha256:…` of the content."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class Layers:
    """Blobs of repositories. A layer belongs to the repository it was uploaded to, as in ECR."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def clear(self) -> None:
        """Forget everything."""
        shutil.rmtree(self._root, ignore_errors=True)

    def put(self, repository: str, content: bytes) -> str:
        """Keep `content`; returns its digest."""
        digest = digest_of(content)
        path = self._path(repository, digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).replace(path)
        return digest

    def get(self, repository: str, digest: str) -> bytes:
        """The bytes of a layer.

        Raises:
            FileNotFoundError: if the repository does not hold it.
        """
        return self._path(repository, digest).read_bytes()

    def _path(self, repository: str, digest: str) -> Path:
        if not DIGEST.fullmatch(digest):
            raise FileNotFoundError(digest)
        # A repository's name may hold slashes; its hash is one safe folder name.
        folder = hashlib.sha256(repository.encode()).hexdigest()[:16]
        return self._root / folder / digest.removeprefix("sha256:")
