"""What a release file asks to be deployed, as plain data."""

from dataclasses import dataclass
from typing import Literal

from endpoints.release.file import ReleaseFile
from sluice.naming import content_hash


@dataclass(frozen=True)
class Version:
    """A model package with the version it carries."""

    package: str
    version: str


@dataclass(frozen=True)
class Plan:
    """
    Attributes:
        production: what answers.
        shadow: what gets a copy of each request, or none.
        stage: how SageMaker carries a change out.
        release: a fingerprint of what the file says of champion and challenger. A deployment that was rolled back is
            not tried again until it changes.
    """

    production: Version
    shadow: Version | None
    stage: Literal["live", "shadow", "canary"]
    release: str


def plan(release: ReleaseFile) -> Plan | None:
    """The plan of a release file; none while there is no champion."""
    if release.champion is None:
        return None
    champion = Version(release.champion.package, release.champion.version)
    said = release.model_dump(mode="json", include={"champion", "challenger"})
    fingerprint = content_hash(said, 16)
    if release.challenger is None:
        return Plan(champion, None, "live", fingerprint)
    challenger = Version(release.challenger.package, release.challenger.version)
    if release.challenger.stage == "shadow":
        return Plan(champion, challenger, "shadow", fingerprint)
    return Plan(challenger, None, "canary", fingerprint)
