"""A CVE in the serving image: the same model in a patched image is live within minutes, and no other image is.

It needs a platform with a model as champion and takes a few minutes, so it shares one: a file whose world has got that
far calls `patched_image_goes_live`.
"""

import json
from typing import Any

from endpoints.watch.subject import located
from tests.e2e.reading import answered_by, captured, image, version
from tests.e2e.running import wait
from tests.e2e.world import PRODUCTION, World
from workloads.contract import Workload

SERVED = "endpoints/serving/settings.py"
DECLARED = "workloads/flights/workload.yaml"


def patched_image_goes_live(world: World) -> None:
    """`world` has a model as champion, nothing on trial, and every request so far is in `world.sent`."""
    before = world.release()
    [champion] = [p for p in world.packages() if p["ModelPackageArn"] == before["champion"]["package"]]
    answers, minimum = version(champion), Workload.load("flights").release.minimum_pairs
    traffic = world.start(
        "replay", "flights", "--from", "2013-06-03", "--rate", "25", "--no-land", name="traffic"
    )
    try:
        config = world.live()["EndpointConfigName"]
        wait(lambda: world.counted().get(config, 0) > minimum, "enough answers", every=2)
        wait(
            lambda: sum(answered_by(line) == answers for line in captured(world, PRODUCTION)) > minimum,
            "enough captured answers",
            every=5,
        )
        _another_threshold_is_no_patch(world, answers)
        assert world.release() == before

        world.edit(SERVED, ('"""The serving process', '"""Patched: the serving process'))
        assert "Push it: sluice images push flights" in _refused(world)
        digest = world.sluice("images", "push", "flights").ok()["serving"]
        _kill_it_while_it_compares(world)
        done = world.sluice("release", "patch", "flights", "--why", "CVE-2026-1").ok()
        world.restore(SERVED)
    finally:
        summary = traffic.stop().ok()
    world.sent += summary["sent"]
    assert summary["failed"] == 0, summary

    release = world.release()
    # The file leaves out what is not the case.
    assert {key: said for key, said in done["release"]["champion"].items() if said} == release["champion"]
    assert release["challenger"] is None and release["rejected"] == before["rejected"]
    assert release["history"][0] == before["champion"]["package"]
    made = world.packages()[-1]
    assert made["ModelPackageArn"] == release["champion"]["package"]
    assert image(made).endswith(f"@{digest}") and image(made) != image(champion)
    assert _model(made) == _model(champion)
    assert made["CustomerMetadataProperties"]["patches"] == champion["ModelPackageArn"]
    assert version(made) == release["champion"]["version"] != answers
    # It was never mirrored to: from the champion to the canary in one step, and both answered callers.
    log = world.git(
        "log", "-2", "--format=%s", "--", "local/flights.yaml", folder=world.local / "releases"
    ).splitlines()
    assert log == [
        f"flights: {version(made)} is champion",
        f"flights: {version(made)} in canary, a patched image",
    ]
    assert set(summary["versions"]) == {answers, version(made)}
    [variant] = world.live()["ProductionVariants"]
    assert variant["DeployedImages"][0]["SpecifiedImage"] == image(made)
    world.assert_every_request_was_counted()

    evidence = _object(world, release["champion"]["evidence"])
    assert (evidence["kind"], evidence["verdict"], evidence["image"]) == ("replayed", "equal", digest)
    assert evidence["champion"] == champion["ModelPackageArn"]
    assert evidence["challenger"] == made["ModelPackageArn"]
    assert evidence["rows"] == evidence["equal"] >= minimum and evidence["different"] == 0
    # The comparison that was begun before the kill was taken up.
    sagemaker = world.client("sagemaker")
    jobs = sagemaker.list_processing_jobs(NameContains=evidence["job"].rpartition("-")[0])
    assert [job["ProcessingJobStatus"] for job in jobs["ProcessingJobSummaries"]] == ["Completed"]


def _another_threshold_is_no_patch(world: World, answers: str) -> None:
    world.edit(DECLARED, ("\nthreshold: 0.5\n", "\nthreshold: 0.2\n"))
    packages = len(world.packages())
    world.sluice("images", "push", "flights").ok()
    refused = _refused(world)
    assert "answers otherwise" in refused and "let it run in shadow" in refused
    world.restore(DECLARED)
    assert "already, so there is nothing to patch" in _refused(world)
    assert len(world.packages()) == packages
    assert world.sluice("invoke", "flights").ok()["model"]["version"] == answers
    world.sent += 1


def _kill_it_while_it_compares(world: World) -> None:
    running = world.start("release", "patch", "flights", "--why", "CVE-2026-1", name="patch")
    sagemaker = world.client("sagemaker")
    begun = len(_jobs(sagemaker))
    running.until(lambda: len(_jobs(sagemaker)) > begun, "the comparison")
    world.kill(running, tree=True)
    assert world.release()["challenger"] is None


def _jobs(sagemaker: Any) -> list[Any]:
    listed = sagemaker.list_processing_jobs(NameContains="-patch-", MaxResults=100)
    return list(listed["ProcessingJobSummaries"])


def _refused(world: World) -> str:
    done = world.sluice("release", "patch", "flights", "--why", "CVE-2026-1")
    assert done.code == 1, done.out
    return str(done.out)


def _model(package: Any) -> str:
    return str(package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"])


def _object(world: World, uri: str) -> Any:
    return json.loads(world.client("s3").get_object(**located(uri))["Body"].read())
