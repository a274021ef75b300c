"""The images of a workload: which there are, their address, and how they get there.

A folder that runs something in a container declares its image in the entry-point group `sluice.images`: a function
`spec(workload) -> SnapshotSpec`.
"""

from functools import cache
from importlib import metadata
from typing import Any

from sluice import aws, snapshots
from sluice.errors import SluiceError
from sluice.snapshots import Kind, Snapshot

GROUP = "sluice.images"


def kinds() -> tuple[str, ...]:
    """The kinds of images that folders declare."""
    return tuple(sorted(point.name for point in metadata.entry_points(group=GROUP)))


@cache
def build(kind: str, workload: str) -> Snapshot:
    """The snapshot of this checkout.

    Raises:
        SluiceError: if no folder declares that kind.
    """
    for point in metadata.entry_points(group=GROUP, name=kind):
        return snapshots.build(point.load()(workload))
    raise SluiceError(f"there is no kind of image {kind!r}", f"There are: {', '.join(kinds())}.")


def address(kind: Kind, workload: str, repository: str, url: str) -> str:
    """The digest URI of the image made from this checkout.

    It is found by its tag, which is of the content: on AWS the digest is that of the Docker image with the same
    program.

    Raises:
        SluiceError: if the repository does not hold it.
    """
    snapshot = build(kind, workload)
    ecr = aws.client("ecr")
    try:
        found = ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": snapshot.tag}])
    except ecr.exceptions.ImageNotFoundException:
        raise SluiceError(
            f"the repository {repository} has no image {snapshot.tag}, the {kind} code of this checkout",
            f"Push it: sluice images push {workload}.",
        ) from None
    return f"{url}@{found['imageDetails'][0]['imageDigest']}"


def push(workload: str, repository: str) -> dict[str, str]:
    """Put every image of the workload into the repository; its digest by kind. What is there is not sent again."""
    ecr: Any = aws.client("ecr")
    return {kind: snapshots.push(build(kind, workload), repository, ecr) for kind in kinds()}
