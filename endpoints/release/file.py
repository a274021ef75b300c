"""The release file: the desired state of one endpoint, and nothing else holds it."""

import re
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import AfterValidator, AwareDatetime, PlainSerializer, model_validator

from sluice.clock import iso
from sluice.config import Frozen, load_yaml

HISTORY_LENGTH = 10
"""Champions kept as the way back, the newest first."""

Stage = Literal["shadow", "canary"]

_PACKAGE = re.compile(r"^arn:aws[a-z-]*:sagemaker:[a-z0-9-]+:\d{12}:model-package/[A-Za-z0-9-]+/[1-9]\d*$")


def _package(arn: str) -> str:
    if not _PACKAGE.match(arn):
        raise ValueError(
            f"{arn!r} is no ARN of a model package version (arn:…:model-package/<group>/<number>)"
        )
    return arn


PackageArn = Annotated[str, AfterValidator(_package)]
Moment = Annotated[AwareDatetime, PlainSerializer(iso, return_type=str)]


class Champion(Frozen):
    """What answers. `since` is its promotion, `evidence` the S3 URI of what it was promoted on; neither is known of the
    first champion, or of one that came back. `forced` is the reason for which it answers all the same: it was promoted
    without a pass, or brought back."""

    package: PackageArn
    version: str
    since: Moment | None = None
    evidence: str | None = None
    forced: str | None = None


class Challenger(Frozen):
    """What wants to be champion. `evidence` is the S3 URI of what the shadow stage showed, once there is one; `forced`
    the reason for which it went on without a pass."""

    package: PackageArn
    version: str
    stage: Stage
    since: Moment
    evidence: str | None = None
    forced: str | None = None


class Hold(Frozen):
    """Nothing goes forward: no proposal and no promotion, by hand or by itself. The way back stays open."""

    by: str
    why: str
    since: Moment


class ReleaseFile(Frozen):
    """What is live, what is tried, the way back, and what is never deployed again.

    `history` are the champions before this one, the newest first: known to work. `rejected` only grows. `withdrawn`
    are the last packages whose trial ended without a verdict: only a person proposes them again.
    """

    champion: Champion | None = None
    challenger: Challenger | None = None
    history: tuple[PackageArn, ...] = ()
    rejected: tuple[PackageArn, ...] = ()
    withdrawn: tuple[PackageArn, ...] = ()
    hold: Hold | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = []
        if self.challenger is not None and self.champion is None:
            problems.append("there is a challenger and no champion to compare it with")
        if self.champion and self.challenger and self.champion.package == self.challenger.package:
            problems.append("champion and challenger are the same package")
        for role, entry in (("champion", self.champion), ("challenger", self.challenger)):
            if entry is not None and entry.package in self.rejected:
                problems.append(f"the {role} {entry.package} is rejected")
        if self.champion is not None and self.champion.package in self.history:
            problems.append("the champion is in its own history")
        for name, packages in (
            ("history", self.history),
            ("rejected", self.rejected),
            ("withdrawn", self.withdrawn),
        ):
            if len(set(packages)) != len(packages):
                problems.append(f"{name} names a package twice")
        both = sorted(set(self.history) & set(self.rejected))
        problems += [f"{package} is in history and in rejected" for package in both]
        for name, packages in (("history", self.history), ("withdrawn", self.withdrawn)):
            if len(packages) > HISTORY_LENGTH:
                problems.append(f"{name} is longer than {HISTORY_LENGTH}")
        if problems:
            raise ValueError("; ".join(problems))
        return self


def load(path: Path) -> ReleaseFile:
    """The release file at `path`; an empty one if there is none yet.

    Raises:
        SluiceError: with everything that is wrong in it.
    """
    if not path.exists():
        return ReleaseFile()
    return load_yaml(ReleaseFile, path)


def dump(release: ReleaseFile) -> str:
    """The file's text: the same bytes for the same release, so that a commit shows what changed and no more."""
    # What is the exception is in the file only where it is the case.
    absent = {name for name in ("withdrawn", "hold") if not getattr(release, name)}
    said = release.model_dump(mode="json", exclude=absent)
    for role, exceptions in (("champion", ("since", "evidence", "forced")), ("challenger", ("forced",))):
        for name in exceptions:
            if said[role] is not None and said[role][name] is None:
                del said[role][name]
    return yaml.safe_dump(
        said,
        sort_keys=False,
        default_flow_style=False,
        width=1000,
        allow_unicode=True,
    )


def save(release: ReleaseFile, path: Path) -> None:
    """Write the file in one step, so that a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(dump(release), encoding="utf-8")
    draft.replace(path)


def number(package: str) -> int:
    """12 of `arn:…:model-package/flights/12`."""
    return int(package.rpartition("/")[2])


def short(package: str) -> str:
    """`flights/12`."""
    return package.partition(":model-package/")[2]
