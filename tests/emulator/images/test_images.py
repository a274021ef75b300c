"""Images unpacked from the registry's tables, in this process."""

import gzip
import hashlib
import io
import json
import sys
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from moto.ecr.models import Image as RegistryImage
from moto.ecr.models import ecr_backends

from emulator import images
from emulator.context import Context
from emulator.ecr import actions
from emulator.ecr.layers import Layers
from sluice import snapshots
from tests.emulator import tiny_image

REPOSITORY = "unpacked"


@pytest.fixture
def context(tmp_path: Path) -> Iterator[Context]:
    context = Context(root=tmp_path / "emulator", control_url="", endpoint_url="", boot_id="test")
    actions.install(Layers(context.root / "ecr"))
    images.install(context, environment=lambda lock: Path(sys.executable))
    registry = ecr_backends[context.account][context.region]
    registry.create_repository(REPOSITORY, None, {}, None, "IMMUTABLE", [])
    yield context
    registry.repositories.pop(REPOSITORY)


def register(context: Context, snapshot: snapshots.Snapshot) -> str:
    for blob in (snapshot.config, snapshot.layer):
        actions.layers().put(REPOSITORY, blob)
    image = RegistryImage(
        context.account, snapshot.tag, snapshot.manifest.decode(), REPOSITORY, snapshots.MANIFEST_TYPE
    )
    ecr_backends[context.account][context.region].repositories[REPOSITORY].images.append(image)
    return f"{tiny_image.ACCOUNT}/{REPOSITORY}@{snapshot.digest}"


def snapshot_of(layer: bytes) -> snapshots.Snapshot:
    spec = snapshots.SnapshotSpec("steps", "tiny", (), Path("requirements.lock"), ("python",))
    config = b'{"config":{}}'

    def descriptor(blob: bytes) -> dict[str, object]:
        return {"digest": f"sha256:{hashlib.sha256(blob).hexdigest()}", "size": len(blob)}

    manifest = {
        "mediaType": snapshots.MANIFEST_TYPE,
        "config": descriptor(config),
        "layers": [descriptor(layer)],
    }
    return snapshots.Snapshot(spec, layer, config, json.dumps(manifest).encode())


def test_an_image_is_unpacked_with_what_its_config_says(context: Context, tmp_path: Path) -> None:
    snapshot = tiny_image.build(tmp_path / "code", {"a.py": "a = 1"}, ("python", "-m", "a"))
    uri = register(context, snapshot)
    by_digest, by_tag = images.ensure(uri), images.ensure(f"{uri.partition('@')[0]}:{snapshot.tag}")
    assert by_digest == by_tag
    assert by_digest.digest == snapshot.digest
    assert by_digest.root == context.root / "images" / snapshot.digest.removeprefix("sha256:")
    assert (by_digest.root / "opt/program/a.py").read_text() == "a = 1"
    assert by_digest.entrypoint == ("python", "-m", "a")
    assert by_digest.environment == {"FROM_IMAGE": "yes"}
    assert by_digest.root.joinpath("opt/program/a.py").stat().st_mode & 0o222 == 0


def test_many_may_ask_at_the_same_time(context: Context, tmp_path: Path) -> None:
    uri = register(context, tiny_image.build(tmp_path / "code", {"b.py": "b = 1"}, ("python",)))
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: images.ensure(uri).root, range(32)))
    assert len(found) == 1
    assert [path.name for path in (context.root / "images").iterdir()] == [found.pop().name]


@pytest.mark.parametrize(
    "uri",
    [
        f"{tiny_image.ACCOUNT}/{REPOSITORY}@sha256:{'0' * 64}",
        f"{tiny_image.ACCOUNT}/{REPOSITORY}:none",
        f"{tiny_image.ACCOUNT}/nobody:none",
        "docker.io/library/python:3.11",
    ],
)
def test_an_unknown_image_is_said_so(context: Context, uri: str) -> None:
    with pytest.raises(images.ImageNotFoundError, match="not found"):
        images.ensure(uri)


@pytest.mark.parametrize("name", ["../outside", "a/../../outside"])
def test_no_member_leaves_the_image(context: Context, name: str) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.size = 1
        tar.addfile(member, io.BytesIO(b"x"))
    uri = register(context, snapshot_of(gzip.compress(buffer.getvalue())))
    with pytest.raises(images.ImageBrokenError):
        images.ensure(uri)
    assert not list(context.root.parent.rglob("outside"))


def test_an_absolute_member_lands_in_the_image(context: Context) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in ("/etc/sluice-test", "opt/program/requirements.lock"):
            tar.addfile(tarfile.TarInfo(name), io.BytesIO())
    uri = register(context, snapshot_of(gzip.compress(buffer.getvalue())))
    assert (images.ensure(uri).root / "etc/sluice-test").is_file()
    assert not Path("/etc/sluice-test").exists()


def test_no_link_points_out_of_the_image(context: Context) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        member = tarfile.TarInfo("opt/program/link")
        member.type, member.linkname = tarfile.SYMTYPE, "../../../../secret"
        tar.addfile(member)
    uri = register(context, snapshot_of(gzip.compress(buffer.getvalue())))
    with pytest.raises(images.ImageBrokenError):
        images.ensure(uri)


def test_what_is_no_snapshot_is_refused(context: Context) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("bin/sh"), io.BytesIO())
    uri = register(context, snapshot_of(gzip.compress(buffer.getvalue())))
    with pytest.raises(images.ImageBrokenError, match=r"holds no opt/program/requirements\.lock"):
        images.ensure(uri)
