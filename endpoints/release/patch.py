"""The urgent update: the champion's model in a patched serving image, proved to answer the same on what production was
asked, and then in canary at once. Nothing else passes by the shadow stage."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from endpoints import registry
from endpoints.registry import Package
from endpoints.release import operations, transitions
from endpoints.release.comparison import Compared, Comparisons, Subject, Workshop
from endpoints.release.file import Champion, ReleaseFile, short
from endpoints.release.serving import refuse_undoing
from endpoints.release.target import Target
from endpoints.release.transitions import IllegalTransitionError
from sluice import progress
from sluice.errors import SluiceError
from sluice.naming import content_hash, model_package_group_name
from workloads.contract import version_key

VERSION = "SLUICE_VERSION"
"""What a container says in its answers instead of its model's own version; `endpoints.serving.settings` reads it."""
KEPT = ("ModelMetrics", "DriftCheckBaselines")
"""Of a package: what is as true of the same model in another image."""
OF_THE_IMAGE = ("ImageDigest", "ModelDataETag")
"""Of a container: what SageMaker adds by itself."""


def patch(target: Target, image: str, workshop: Callable[[], Workshop], why: str) -> ReleaseFile:
    """Bring the champion's model in another image to production. Killed and run again it goes on from where it was: it
    finds its comparison, its package, and its canary.

    Args:
        image: the patched serving image, by digest.
        workshop: where the comparison runs; asked only if there is one.

    Raises:
        SluiceError: if there is nothing to patch, another challenger is on trial, the release is held, an answer
            differs or too few could be compared, the package waits for its approval, or SageMaker turned the canary
            back.
    """
    release, name = target.read(), target.workload.name
    sagemaker = target.clients["sagemaker"]
    champion = _champion(release)
    transitions.refuse_held(release)
    known = registry.packages(name, sagemaker)
    made = find(known, champion.package, image)
    if release.challenger is not None:
        if made is None or release.challenger.stage != "canary" or release.challenger.package != made.arn:
            raise _on_trial(release, name)
        return release if target.deploy is None else operations.advance(target, why)
    refuse_undoing(target.cloud, target.endpoint, name, champion.package)
    described = sagemaker.describe_model_package(ModelPackageName=champion.package)
    container = _container(described)
    _refuse_pointless(release, champion, container, made, image)
    if made is not None:
        _refuse_another_model(sagemaker, made, container)

    comparisons = Comparisons(target)
    kind = target.workload.serving.instance_type
    with progress.step(f"{name}: comparing {image.rpartition('@')[2][:19]} with {champion.version}") as step:
        compared = comparisons.compare(Subject(champion, container, image, kind), workshop(), step.update)
        step.done(f"{compared.verdict} on {compared.seen.rows} captured rows")
    _refuse_unproved(compared, target)
    if made is None:
        made = _make(target, described, image, known)
    approved = _approved(target, made, why)
    evidence = comparisons.keep(
        approved.version,
        {
            "kind": "replayed",
            "champion": champion.package,
            "challenger": approved.arn,
            "image": approved.image_digest,
            "instance_type": kind,
            "verdict": compared.verdict,
            "minimum": target.workload.release.minimum_pairs,
            "job": compared.job,
            "replayed": compared.uri,
            **compared.seen.model_dump(mode="json"),
        },
    )

    def to_canary(now: ReleaseFile) -> ReleaseFile:
        if now.champion != release.champion:
            raise SluiceError("the champion was replaced in the meantime", "Look at it and run this again.")
        return transitions.patch(now, approved.arn, approved.version, target.clock.now(), evidence)

    after = target.change(to_canary, f"{approved.version} in canary, a patched image", why)
    return after if target.deploy is None else operations.advance(target, why)


def next_version(version: str, known: Iterable[str]) -> str:
    """The version of the patched package: the next minor one of the champion's method that is not taken. Pure.

    Args:
        known: every version in the registry.
    """
    major, minor = version_key(version)
    taken = [key[1] for key in map(version_key, known) if key[0] == major]
    return f"{major}.{max([minor, *taken]) + 1}"


def find(known: Iterable[Package], champion: str, image: str) -> Package | None:
    """The package that was made of the champion and this image before, or None. Pure."""
    return next(
        (each for each in known if each.properties.get("patches") == champion and each.image == image), None
    )


def _champion(release: ReleaseFile) -> Champion:
    if release.champion is None:
        raise IllegalTransitionError(
            "there is no champion whose image could be patched",
            "Make the incumbent the first one by `sluice release init`.",
        )
    return release.champion


def _on_trial(release: ReleaseFile, workload: str) -> SluiceError:
    assert release.challenger is not None
    way_out = {
        "shadow": f"End its trial by `sluice release withdraw {workload}`, then patch; it may be proposed again.",
        "canary": f"Wait until it is live, or turn it back by `sluice release abort {workload}`, then patch.",
    }
    return IllegalTransitionError(
        f"{release.challenger.version} is in {release.challenger.stage}; one challenger is tried at a time",
        way_out[release.challenger.stage],
    )


def _container(described: Mapping[str, Any]) -> Mapping[str, Any]:
    containers = described.get("InferenceSpecification", {}).get("Containers", [])
    if len(containers) != 1 or not containers[0].get("ModelDataUrl"):
        raise SluiceError(
            f"{short(described['ModelPackageArn'])} is not one container with one model",
            "Only such a package can be patched: train a version and propose it.",
        )
    found: Mapping[str, Any] = containers[0]
    return found


def _refuse_pointless(
    release: ReleaseFile, champion: Champion, container: Mapping[str, Any], made: Package | None, image: str
) -> None:
    if container["Image"] == image:
        raise SluiceError(
            f"{champion.version} runs in {image.rpartition('@')[2]} already, so there is nothing to patch",
            "Change what is served in, then `sluice images push`.",
        )
    if made is not None and made.arn in release.rejected:
        raise IllegalTransitionError(
            f"{short(made.arn)}, the champion in this image, was rejected and is never deployed again",
            "Mend the image, `sluice images push` it, and patch with that.",
        )


def _refuse_unproved(compared: Compared, target: Target) -> None:
    seen, name = compared.seen, target.workload.name
    if compared.verdict == "different":
        raise SluiceError(
            f"the patched image answers otherwise: {seen.different} of {seen.rows} rows differ, scores by up to "
            f"{seen.largest_difference:.3g}; {compared.uri} has examples",
            "It is another model then: train a version and let it run in shadow.",
        )
    if compared.verdict == "unknown":
        left_out = f"; {seen.unreadable} lines could not be read, {seen.others} are another version's"
        raise SluiceError(
            f"{seen.equal} captured rows were answered the same, {target.workload.release.minimum_pairs} have to be"
            f"{left_out if seen.unreadable or seen.others else ''}",
            f"Wait for traffic, or send some by `sluice replay {name}`, and run this again.",
        )


def _make(target: Target, described: Mapping[str, Any], image: str, known: Iterable[Package]) -> Package:
    """Register the champion's model in the image, waiting for a decision."""
    sagemaker, name = target.clients["sagemaker"], target.workload.name
    champion, container = described["ModelPackageArn"], _container(described)
    properties = described["CustomerMetadataProperties"]
    version = next_version(properties["version"], (each.version for each in known if each.version))
    digest, group = image.rpartition("@")[2], model_package_group_name(name)
    patched = {
        **{key: value for key, value in container.items() if key not in OF_THE_IMAGE},
        "Image": image,
        # The archive still says the model's own version, and the answers have to tell the two apart.
        "Environment": {**container.get("Environment", {}), VERSION: version},
    }
    request = {key: described[key] for key in KEPT if described.get(key)}
    request["InferenceSpecification"] = {**described["InferenceSpecification"], "Containers": [patched]}
    request["CustomerMetadataProperties"] = {
        **properties,
        "version": version,
        "change": "image",
        "patches": champion,
        "image_digest": digest,
    }
    arn = sagemaker.create_model_package(
        ModelPackageGroupName=group,
        ModelPackageDescription=f"{name} {version}: {properties['version']} in a patched image",
        ModelApprovalStatus="PendingManualApproval",
        ClientToken=content_hash([group, champion, image], 32),
        **request,
    )["ModelPackageArn"]
    package = registry.describe(arn, sagemaker)
    assert package is not None  # it was made just now
    return package


def _refuse_another_model(sagemaker: Any, made: Package, container: Mapping[str, Any]) -> None:
    """Whoever registered it: what is compared is what is deployed."""
    theirs = _container(sagemaker.describe_model_package(ModelPackageName=made.arn))
    if _model(theirs) != _model(container):
        raise SluiceError(
            f"{short(made.arn)} says that it patches the champion and has another model or environment",
            "Set its approval to Rejected, change the image, and patch with that.",
        )


def _model(container: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """What a container serves, apart from the image: its data and environment."""
    environment = {key: value for key, value in container.get("Environment", {}).items() if key != VERSION}
    return container["ModelDataUrl"], environment


def _approved(target: Target, package: Package, why: str) -> Package:
    if package.approval == "PendingManualApproval" and target.workload.approval == "automatic":
        return operations.approve(target, package.arn, why)
    if package.approval != "Approved":
        name = target.workload.name
        raise SluiceError(
            f"{short(package.arn)} (version {package.version}) answers as the champion and is not approved, it is "
            f"{package.approval}",
            f"Approve it by `sluice release approve {name} {package.version}`, then run this again.",
        )
    return package
