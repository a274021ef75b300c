"""What the commands do to a release: change its file, deploy it, and write down what came of it."""

from endpoints import registry
from endpoints.plan import plan
from endpoints.release import transitions
from endpoints.release.file import ReleaseFile, short
from endpoints.release.opinion import look
from endpoints.release.serving import refuse_undoing
from endpoints.release.store import Step
from endpoints.release.target import Target
from endpoints.rollout.marks import REFUSED
from sluice.errors import SluiceError


def initialise(target: Target, wanted: str | None, why: str) -> ReleaseFile:
    """The incumbent, or the package that is named, becomes the first champion.

    Raises:
        SluiceError: if there is a champion, or no such package.
    """
    known = registry.packages(target.workload.name, target.clients["sagemaker"])
    choice = known if wanted else [package for package in known if package.kind == "incumbent"]
    package = registry.find(target.workload.name, wanted, choice)
    refuse_unapproved(target, package)
    return step(
        target,
        lambda release: transitions.initialise(release, package.arn, package.version),
        f"{package.version} is the first champion",
        why,
    )


def propose(target: Target, wanted: str | None, why: str) -> ReleaseFile:
    """A package becomes challenger, in shadow; by default the newest that is approved and new to the release.

    Raises:
        SluiceError: if it may not, or its deployment fails.
    """
    release = target.read()
    _whole_glass(target, release)
    known = registry.packages(target.workload.name, target.clients["sagemaker"])
    if wanted is None:
        seen = {*release.rejected, *release.history, *(e.package for e in (release.champion,) if e)}
        known = [package for package in known if package.arn not in seen]
        # One that waits for a person does not hold up an older one; alone, it says what it waits for.
        known = [package for package in known if package.approval == "Approved"] or known
    package = registry.find(target.workload.name, wanted, known)
    refuse_unapproved(target, package)
    return step(
        target,
        lambda release: transitions.propose(release, package.arn, package.version, target.clock.now()),
        f"{package.version} in shadow",
        why,
    )


def approve(target: Target, wanted: str | None, why: str) -> registry.Package:
    """Approve a package for release. On AWS only the promotion role may.

    Raises:
        SluiceError: if there is none.
    """
    sagemaker = target.clients["sagemaker"]
    known = registry.packages(target.workload.name, sagemaker)
    package = registry.find(target.workload.name, wanted, known)
    if package.approval != "Approved":
        sagemaker.update_model_package(
            ModelPackageArn=package.arn,
            ModelApprovalStatus="Approved",
            ApprovalDescription=f"{target.who}: {why}"[:1024],
        )
    return package.model_copy(update={"approval": "Approved"})


def advance(
    target: Target, why: str, force: bool = False, expected: ReleaseFile | None = None
) -> ReleaseFile:
    """From shadow to canary after the checks; from canary to champion once the canary is deployed. Where this
    deploys, one call goes all the way.

    Args:
        force: go on from shadow though the opinion is not pass; `why` is in the history for ever.
        expected: what the caller decided on; another release in the file is refused.

    Raises:
        SluiceError: if the opinion is not pass, or SageMaker turned the canary back; then it is rejected.
    """
    release = target.read()
    _unchanged(release, expected)
    transitions.refuse_held(release)
    if release.challenger is None or release.challenger.stage == "shadow":
        _whole_glass(target, release)
        release = _to_canary(target, release, why, force)
        if target.deploy is None:
            return release
    deploy(target)
    version = _challenger(target)
    return step(
        target, lambda before: transitions.advance(before, target.clock.now()), f"{version} is champion", why
    )


def _to_canary(target: Target, release: ReleaseFile, why: str, force: bool) -> ReleaseFile:
    uri: str | None = None
    forced: str | None = None
    if release.challenger is not None:
        seen = look(target, release)
        if seen.opinion.verdict != "pass":
            if not force:
                raise SluiceError(
                    f"{release.challenger.version} may not leave the shadow stage: {seen.opinion.reason}",
                    "Let more requests come, or end it: sluice release reject. --force goes on all the same.",
                )
            forced = why
        uri = seen.evidence(target, exact=not force)

    def to_canary(now: ReleaseFile) -> ReleaseFile:
        _unchanged(now, release)
        return transitions.advance(now, target.clock.now(), uri, forced)

    return target.change(to_canary, f"{_challenger(target)} in canary", why)


def step(target: Target, step: Step, summary: str, why: str) -> ReleaseFile:
    """Change the file and bring the endpoint to it."""
    release = target.change(step, summary, why)
    deploy(target)
    return release


def deploy(target: Target) -> None:
    """Bring the endpoint to what the file says. If SageMaker turned the challenger back, it is rejected, so that
    nothing tries it again, and the endpoint is brought to what the file says then.

    Raises:
        SluiceError: if the endpoint did not end on what the file said.
    """
    if target.deploy is None:
        return
    try:
        target.deploy(target)
    except SluiceError as error:
        release = target.read()
        challenger = release.challenger
        if challenger is None or not turned_back(target, release):
            raise
        target.change(
            transitions.reject, f"{challenger.version} was turned back and is rejected", error.problem
        )
        problem = (
            f"SageMaker turned {challenger.version} back in {challenger.stage}; "
            "it is rejected, and the champion answers"
        )
        try:
            target.deploy(target)
        except SluiceError as second:
            raise SluiceError(
                f"{problem}. {error.problem}", f"Removing what is left of it failed: {second}"
            ) from error
        raise SluiceError(f"{problem}. {error.problem}", "The next version may be proposed.") from error


def turned_back(target: Target, release: ReleaseFile) -> bool:
    """Whether the deployment left the mark of a release that SageMaker turned back, and it is this one."""
    wanted = plan(release)
    sagemaker = target.clients["sagemaker"]
    arn = sagemaker.describe_endpoint(EndpointName=target.endpoint)["EndpointArn"]
    pages = sagemaker.get_paginator("list_tags").paginate(ResourceArn=arn)
    tags = {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}
    return wanted is not None and tags.get(REFUSED, "").rpartition(" ")[2] == wanted.release


def reject(target: Target, why: str, expected: ReleaseFile | None = None) -> ReleaseFile:
    """The challenger leaves and is never deployed again.

    Args:
        expected: what the caller decided on; another release in the file is refused.
    """

    def rejected(now: ReleaseFile) -> ReleaseFile:
        _unchanged(now, expected)
        return transitions.reject(now)

    return step(target, rejected, f"{_challenger(target)} rejected", why)


def withdraw(target: Target, why: str) -> ReleaseFile:
    """The challenger leaves without a verdict."""
    return step(target, transitions.withdraw, f"{_challenger(target)} withdrawn", why)


def hold(target: Target, why: str) -> ReleaseFile:
    """Nothing goes forward from here, by hand or by itself."""
    now = target.clock.now()
    return target.change(
        lambda before: transitions.hold(before, target.who, why, now), "held, nothing goes forward", why
    )


def resume(target: Target, why: str) -> ReleaseFile:
    """What was held goes on."""
    return target.change(transitions.resume, "goes on", why)


def _unchanged(release: ReleaseFile, expected: ReleaseFile | None) -> None:
    if expected is not None and release != expected:
        raise SluiceError("the release file was changed in the meantime", "Look at it and run this again.")


def _whole_glass(target: Target, release: ReleaseFile) -> None:
    if release.champion is not None:
        refuse_undoing(target.cloud, target.endpoint, target.workload.name, release.champion.package)


def refuse_unapproved(target: Target, package: registry.Package) -> None:
    """
    Raises:
        SluiceError: unless the registry has approved the package.
    """
    if package.approval != "Approved":
        raise SluiceError(
            f"{short(package.arn)} (version {package.version}) is not approved, it is {package.approval}",
            f"Approve it: sluice release approve {target.workload.name} {package.version}",
        )


def _challenger(target: Target) -> str:
    challenger = target.read().challenger
    return challenger.version if challenger else "the challenger"
