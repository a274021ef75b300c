"""Who is judged: the stage of a release as its file names it. Pure; the program that deploys it and whoever reads the
judge's word work it out the same way."""

from collections.abc import Mapping
from typing import Literal

from endpoints.registry import Package
from endpoints.release.file import Champion, Moment, ReleaseFile
from endpoints.watch.subject import Subject
from sluice.config import Frozen


class Places(Frozen):
    """Where the evidence of a workload lies in an environment.

    Attributes:
        captures: `DestinationS3Uri` of the endpoint's captures.
        labels, audit: `s3://bucket/prefix/`.
    """

    captures: str
    captures_key_arn: str | None = None
    labels: str = ""
    audit: str = ""
    audit_key_arn: str | None = None
    signing_key_arn: str | None = None


def subject_of(
    release: ReleaseFile,
    packages: Mapping[str, Package],
    endpoint: str,
    config: str,
    instance_type: str,
    places: Places,
    expectation: Mapping[str, float] | None = None,
) -> Subject | None:
    """What is to be judged now: a challenger beside its champion, or a champion by what it promised; None where
    nothing is known to compare with.

    Args:
        packages: those that the release names, by ARN.
        config: the endpoint config that the release file asks for.
        expectation: of what is live, by `registry.expectation`.
    """
    found = _compared(release, packages)
    if found is None:
        return None
    stage, champion, challenger, since, expected = found
    package = packages[challenger.package]
    return Subject(
        workload=package.workload,
        endpoint=endpoint,
        stage=stage,
        champion=champion,
        challenger=challenger,
        since=since,
        config=config,
        captures=places.captures,
        kms_key_arn=places.captures_key_arn,
        labels=places.labels,
        image=package.image_digest,
        instance_type=instance_type,
        audit=places.audit,
        audit_key_arn=places.audit_key_arn,
        signing_key_arn=places.signing_key_arn,
        expected=expected,
        expectation=dict(expectation or {}) if stage == "live" else {},
    )


_Compared = tuple[Literal["shadow", "canary", "live"], Champion, Champion, Moment, str | None]


def _compared(release: ReleaseFile, packages: Mapping[str, Package]) -> _Compared | None:
    champion, challenger = release.champion, release.challenger
    if champion is None:
        return None
    now = Champion(package=champion.package, version=champion.version)
    if challenger is not None:
        new = Champion(package=challenger.package, version=challenger.version)
        return challenger.stage, now, new, challenger.since, None
    # The first champion, and one that came back, promised nothing that could be held against them.
    before = packages.get(release.history[0]) if release.history else None
    if champion.since is None or before is None:
        return None
    old = Champion(package=before.arn, version=before.version)
    return "live", old, now, champion.since, champion.evidence
