"""The automatic flow of a release, pure: the release file and what is seen in, the next step out.

Whoever is killed between two steps finds the same next step again: nothing is remembered but the file, the registry
and the endpoint.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from endpoints.plan import plan
from endpoints.release.file import ReleaseFile, number, short
from endpoints.release.opinion import Opinion
from endpoints.release.serving import Serving
from endpoints.release.transitions import expired
from sluice.config import Frozen
from workloads.contract import Release


class Candidate(Frozen):
    """A package that may be tried."""

    package: str
    version: str
    approved: bool


class Facts(Frozen):
    """What is seen beside the file.

    Attributes:
        packages: models of the registry that are not rejected there.
        serving: the endpoint; None where it was not looked at.
        patched: what the champion patches, where it is a patched image of another package.
        opinion: of the challenger in shadow, or without one of what is live; None where it was not asked for.
    """

    packages: tuple[Candidate, ...]
    serving: Serving
    opinion: Opinion | None = None
    patched: str | None = None


class Rules(Frozen):
    """What the workload says."""

    release: Release
    approval: Literal["automatic", "manual"]


@dataclass(frozen=True)
class Approve:
    """The workload approves what passes the gate."""

    package: str
    version: str
    why: str = "the workload approves what passes the gate"


@dataclass(frozen=True)
class Propose:
    """The package starts its trial."""

    package: str
    version: str
    why: str = "the newest approved version that was not tried"


@dataclass(frozen=True)
class Deploy:
    """The endpoint does not serve what the file says."""

    why: str


@dataclass(frozen=True)
class Advance:
    """The challenger goes on: out of shadow, or, once its canary is deployed, to champion.

    Attributes:
        force: though the evidence does not say pass; the workload's rule says so.
    """

    why: str
    force: bool = False


@dataclass(frozen=True)
class Reject:
    """The challenger leaves for ever."""

    why: str


@dataclass(frozen=True)
class Wait:
    """Nothing is to be done now.

    Attributes:
        idle: not until a new package comes.
    """

    why: str
    idle: bool = False


@dataclass(frozen=True)
class Ask:
    """A person has to decide."""

    why: str


Step = Approve | Propose | Deploy | Advance | Reject | Wait | Ask


def next_step(release: ReleaseFile, facts: Facts, rules: Rules, now: datetime) -> Step:
    """The one step that is next. What is not known is never a reason to go forward."""
    wanted, seen = plan(release), facts.serving
    if release.champion is None or wanted is None:
        return Ask("there is no champion: sluice release init")
    challenger = release.challenger
    # Going back is never held up.
    if challenger is not None and seen.refused == wanted.release:
        return Reject(f"SageMaker turned {challenger.version} back in {challenger.stage}")
    if seen.glass is not None and seen.production != wanted.production.package:
        return Ask(f"{seen.glass}; the release file does not say so: sluice release adopt")
    if release.hold is not None:
        return Wait(f"held by {release.hold.by}: {release.hold.why}")
    if challenger is not None and challenger.stage == "canary":
        return Advance("its canary")
    if not deployed(release, seen):
        return Deploy(_difference(release, seen))
    if challenger is None:
        step = _first_of(waiting(release, facts.packages, facts.patched), rules)
        # What is newer may be the cure, so it is not held up.
        return _late(release, facts.opinion) or step if isinstance(step, Wait) else step
    return _shadow(release, facts.opinion, rules, now)


def deployed(release: ReleaseFile, seen: Serving) -> bool:
    """Whether the endpoint serves what the file says."""
    wanted = plan(release)
    if wanted is None:
        return seen.status is None
    shadow = None if wanted.shadow is None else wanted.shadow.package
    # `Updating` without another config is the autoscaler at work.
    well = seen.status in ("InService", "Updating") and seen.pending is None
    return well and (seen.production, seen.shadow) == (wanted.production.package, shadow)


def waiting(
    release: ReleaseFile, packages: tuple[Candidate, ...], patched: str | None = None
) -> list[Candidate]:
    """The packages that were not tried yet, newer than the champion's model, the newest first.

    Args:
        patched: the package that the champion's model comes from, where only its image is newer.
    """
    tried = {*release.history, *release.rejected, *release.withdrawn}
    tried |= {entry.package for entry in (release.champion, release.challenger) if entry is not None}
    floor = 0 if release.champion is None else number(patched or release.champion.package)
    new = [each for each in packages if each.package not in tried and number(each.package) > floor]
    return sorted(new, key=lambda each: number(each.package), reverse=True)


def _first_of(candidates: list[Candidate], rules: Rules) -> Step:
    if not candidates:
        return Wait("nothing is on trial, and there is no new version", idle=True)
    newest = candidates[0]
    if not newest.approved and rules.approval == "automatic":
        return Approve(newest.package, newest.version)
    for each in candidates:
        # One that waits for a person does not hold up an older one.
        if each.approved:
            return Propose(each.package, each.version)
    return Wait(f"{short(newest.package)} (version {newest.version}) waits for approval", idle=True)


def _late(release: ReleaseFile, opinion: Opinion | None) -> Ask | None:
    """What is live turned out worse than it promised, once its labels had come."""
    if opinion is None or opinion.verdict != "fail" or release.champion is None or not release.history:
        return None
    return Ask(
        f"{release.champion.version} is live and does not keep what it promised: {opinion.reason}. Go back: "
        "`sluice release rollback --why …`; or let a newer version take its place"
    )


def _shadow(release: ReleaseFile, opinion: Opinion | None, rules: Rules, now: datetime) -> Step:
    assert release.challenger is not None
    version = release.challenger.version
    if opinion is not None and opinion.verdict == "pass":
        return Advance(opinion.reason)
    if opinion is not None and opinion.verdict == "fail":
        return Reject(opinion.reason)
    reason = "there is no opinion of it" if opinion is None else opinion.reason
    limit = rules.release.maximum_duration
    if not expired(release, now, limit):
        return Wait(f"{version} is in shadow: {reason}")
    told = f"undecided after {limit}: {reason}"
    match rules.release.on_undecided:
        case "reject":
            return Reject(told)
        case "promote":
            return Advance(told, force=True)
        case "ask":
            return Ask(
                f"{version} is {told}. Decide: `sluice release advance --force --why …`, `reject` or `withdraw`"
            )


def _difference(release: ReleaseFile, seen: Serving) -> str:
    if seen.status is None:
        return "there is no endpoint yet"
    if seen.pending is not None:
        return f"an update to {seen.pending} is under way"
    stage = "live" if release.challenger is None else release.challenger.stage
    return f"the endpoint is {seen.status} on {seen.config}, which is not what the file says ({stage})"
