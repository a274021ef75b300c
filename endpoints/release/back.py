"""The ways back: a rollback through the release file, and break glass past it."""

from collections.abc import Callable
from dataclasses import dataclass

from endpoints import registry
from endpoints.release import operations, transitions
from endpoints.release.file import ReleaseFile, number, short
from endpoints.release.serving import broken_glass, models, refuse_undoing, serving
from endpoints.release.target import Target
from endpoints.rollout import configs, emergency, timing
from endpoints.rollout.configs import Kept
from endpoints.rollout.glass import Glass
from endpoints.rollout.pace import Pace
from endpoints.rollout.timing import Expected
from sluice import naming
from sluice.errors import SluiceError


def takes(target: Target) -> Expected:
    """How long a new deployment takes here, by how long the last ones took."""
    return _expected(configs.kept(target.cloud, target.endpoint))


def rollback(target: Target, why: str, to: str | None = None) -> ReleaseFile:
    """A champion of the history comes back, and the one that answers now is never deployed again.

    Args:
        to: a version, a number in the registry, or an ARN; None is the champion before this one.

    Raises:
        SluiceError: if there is none, or the registry does not know it any more, or has taken its approval back.
    """
    release, sagemaker = target.read(), target.clients["sagemaker"]
    if not release.history:
        return target.change(
            lambda before: transitions.rollback(before, ""), "back", why
        )  # which says why not
    known = {arn: registry.describe(arn, sagemaker) for arn in release.history}
    found = [package for package in known.values() if package is not None]
    if to is None:
        back = known[release.history[0]]
        if back is None:
            raise SluiceError(
                f"{short(release.history[0])} is not in the registry any more",
                f"Go back further by --to, or propose another package. The way back: {_names(found)}.",
            )
    else:
        back = registry.find(target.workload.name, to, found)
    # Before the file says so: it would ask for what is never deployed, and the way to another one would be gone.
    operations.refuse_unapproved(target, back)
    refuse_undoing(target.cloud, target.endpoint, target.workload.name, back.arn)
    return operations.step(
        target,
        lambda before: transitions.rollback(before, back.version, back.arn, why),
        f"back to {back.version}",
        why,
    )


def adopt(target: Target, why: str) -> ReleaseFile:
    """The release file says what is live, after somebody put it there past the file.

    Raises:
        SluiceError: if nothing is, or it cannot be told which package it is, or it never was champion.
    """
    now = serving(target.cloud, target.endpoint)
    if now.status is None:
        raise SluiceError(f"there is no endpoint {target.endpoint}", "`sluice up` makes it.")
    if now.pending is not None or now.status != "InService":
        raise SluiceError(
            f"{target.endpoint} is {now.status}, and what will be live is not decided yet",
            "Run this again when it is InService.",
        )
    package = (
        None if now.production is None else registry.describe(now.production, target.clients["sagemaker"])
    )
    if package is None:
        raise SluiceError(
            f"it cannot be told which model package {target.endpoint} serves",
            "Put one of the history live by `sluice release break-glass`.",
        )
    glass = broken_glass(target.cloud, target.endpoint)
    told = why if glass is None else f"{why}\n\n{glass.says}"
    release = operations.step(
        target,
        lambda before: transitions.adopt(before, package.arn, package.version, why),
        f"{package.version} is live and adopted",
        told,
    )
    # Where there was nothing to deploy nobody has taken the marks away.
    refuse_undoing(target.cloud, target.endpoint, target.workload.name, package.arn)
    return release


@dataclass(frozen=True)
class Choice:
    """What break glass is about to do."""

    package: registry.Package
    model: str
    base: Kept
    expected: Expected


def choose(target: Target, to: str) -> Choice:
    """The version to put live: one that answered here before, whose model is still kept.

    Args:
        to: a version, a number in the registry, or an ARN.

    Raises:
        SluiceError: naming what stands against it.
    """
    cloud, endpoint = target.cloud, target.endpoint
    kept = configs.kept(cloud, endpoint)
    prefix = f"{naming.name(target.workload.name, target.environment)}-v"
    known = models(cloud, prefix, kept)
    described = (registry.describe(arn, cloud.sagemaker) for arn in known)
    candidates = sorted(
        (package for package in described if package is not None),
        key=lambda package: number(package.arn),
        reverse=True,
    )
    package = registry.find(target.workload.name, to, candidates)
    model = known[package.arn]
    release = _readable(target)
    served = any(each.served and each.model == model for each in kept) or (
        release is not None and package.arn in release.history
    )
    refusals = []
    if package.approval != "Approved":
        refusals.append(f"it is not approved, it is {package.approval}")
    if release is not None and package.arn in release.rejected:
        refusals.append("it was rejected")
    if not served:
        refusals.append("it never answered on this endpoint, so it is not known to work")
    if refusals:
        raise SluiceError(
            f"{short(package.arn)} (version {package.version}) cannot be put live: {'; '.join(refusals)}",
            f"There are: {_names([each for each in candidates if each.arn != package.arn])}.",
        )
    seen = cloud.endpoint(endpoint)
    base = emergency.base_of(kept, seen.config, model)
    if base is None:
        raise SluiceError(f"no config of {endpoint} is left", "Only `pulumi up` can make one.")
    return Choice(package, model, base, _expected(kept))


def break_glass(target: Target, choice: Choice, why: str, progress: Callable[[str], None]) -> Glass:
    """Put it live by SageMaker's own calls: neither Pulumi nor git takes part. Who, why and when are in the endpoint's
    tags, and `pulumi up` refuses until the release file agrees.

    Raises:
        SluiceError: if it serves already, an update has to be turned back first, or SageMaker did not do it.
    """
    cloud, endpoint = target.cloud, target.endpoint
    now = serving(cloud, endpoint)
    if now.production == choice.package.arn and now.pending is None and now.shadow is None:
        raise SluiceError(
            f"{choice.package.version} is live on {endpoint} already",
            f"`sluice release adopt {target.workload.name}` makes the release file say so.",
        )
    glass = Glass("", target.clock.now(), target.who, why)
    pace = Pace(target.clock, progress, progress)
    live = emergency.put_live(cloud, pace, endpoint, choice.base.described, choice.model, glass)
    return Glass(live.config, glass.at, glass.who, glass.why)


def remember(target: Target, glass: Glass, version: str) -> str | None:
    """Write it into the releases' own history too; why that was not possible, or None. The endpoint's tags have it in
    any case."""
    try:
        target.store.note(
            target.workload.name, f"glass broken, {version} is live as {glass.config}", glass.who, glass.why
        )
    except (SluiceError, OSError) as error:
        return str(error)
    return None


def _expected(kept: list[Kept]) -> Expected:
    return timing.expected([each.took for each in kept if each.took is not None])


def _readable(target: Target) -> ReleaseFile | None:
    try:
        return target.read()
    except (SluiceError, OSError):
        return None


def _names(packages: list[registry.Package]) -> str:
    return ", ".join(f"{short(each.arn)} (version {each.version})" for each in packages) or "none"
