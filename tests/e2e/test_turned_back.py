"""What must not reach anybody: a model that is no good, and one whose server fails under real requests. Meanwhile
another workload deploys, and the next good version is released as if nothing had been."""

import shutil

import pytest

from tests.e2e.reading import version
from tests.e2e.world import ENDPOINT, World

pytestmark = pytest.mark.e2e

SECOND = "departures"
DEFINITION = "pipelines/definitions/flights-training.json"
MOMENTS = ("--train-until", "2013-04-01", "--evaluate-until", "2013-04-15")


@pytest.fixture(scope="module")
def platform(world: World) -> World:
    """Up, with today's rule as champion, and data to train on. A second workload is in the checkout."""
    _second_workload(world)
    world.sluice("up", "--no-tour", "--workload", "flights").ok()
    world.sluice("packages", "flights", "--register-incumbent").ok()
    world.sluice("release", "approve", "flights", "0").ok()
    world.sluice("release", "init", "flights").ok()
    world.sluice("data", "arrive", "flights", "--until", "2013-04-15").ok()
    return world


def test_the_gate_refuses_a_model_that_is_no_good(platform: World) -> None:
    world = platform
    world.edit(DEFINITION, ('"trees": "200"', '"trees": "1"'), ('"depth": "6"', '"depth": "1"'))
    world.sluice("stack", "up", "pipelines", "--workload", "flights").ok()
    done = world.sluice("train", "flights", *MOMENTS)
    assert done.code == 1
    assert "GateFailed" in done.json["error"]
    assert "the gate refused the model" in done.json["error"]
    assert "below the floor" in done.json["error"]
    assert [version(package) for package in world.packages()] == ["0"]
    world.restore(DEFINITION)
    world.sluice("stack", "up", "pipelines", "--workload", "flights").ok()


def test_a_version_that_fails_in_canary_is_turned_back_while_another_workload_deploys(
    platform: World,
) -> None:
    world = platform
    _register_a_version_that_fails_on_early_departures(world, "0.1")
    second = world.start("up", "--no-tour", "--workload", SECOND, name="second")
    traffic = world.start(
        "replay", "flights", "--from", "2013-04-15", "--rate", "20", "--no-land", name="replay"
    )
    try:
        world.sluice("release", "propose", "flights", "0.1").ok()
        world.await_opinion("fail", "errors")
        refused = world.sluice("release", "advance", "flights")
        assert refused.code == 1
        assert "0.1 may not leave the shadow stage" in refused.json["error"]
        assert "errors (fail)" in refused.json["error"]

        second.wait().ok()
        world.sluice("packages", SECOND, "--register-incumbent").ok()
        world.sluice("release", "approve", SECOND, "0").ok()
        forced = world.start("release", "advance", "flights", "--force", "--why", "a test", name="forced")
        forced.until(lambda: world.live()["EndpointStatus"] == "Updating", "the canary")
        second = world.start("release", "init", SECOND, name="second")
        forced.until(lambda: world.live()["EndpointStatus"] == "RollingBack", "the roll-back")
        assert second.process.poll() is None, "the second workload was deployed before the first rolled back"
        turned_back = forced.wait()
        second.wait().ok()
    finally:
        done = traffic.stop()

    assert turned_back.code == 1
    assert "SageMaker turned 0.1 back in canary" in turned_back.json["error"]
    assert f"{ENDPOINT}-rollback-5xx" in turned_back.json["error"]
    assert world.live()["EndpointStatus"] == "InService"
    assert world.live(f"{SECOND}-local")["EndpointStatus"] == "InService"

    # Nobody but the canary's share saw an error, and each error is one of the canary's answers.
    summary = done.json
    failures = {config: count for config, count in world.counted("Invocation5XXErrors").items() if count}
    assert len(failures) == 1 and world.live()["EndpointConfigName"] not in failures
    assert summary["failed"] == sum(failures.values()) > 0
    assert set(summary["codes"]) == {"200", "424"}
    assert summary["failed"] < 0.1 * summary["sent"], "the champion did not answer all through it"
    world.sent += summary["sent"]
    world.assert_every_request_was_counted()


def test_what_was_turned_back_is_rejected_and_not_tried_again(platform: World) -> None:
    world = platform
    release = world.release()
    assert release["champion"]["version"] == "0" and release["challenger"] is None
    assert release["rejected"] == [world.packages()[-1]["ModelPackageArn"]]
    log = world.git("log", "-1", "--format=%s", folder=world.local / "releases")
    assert log.strip() == "flights: 0.1 was turned back and is rejected"
    before = world.live()
    assert world.sluice("stack", "up", "endpoints", "--workload", "flights").ok()["changed"] is False

    # Somebody who asks for it again by hand, as if it had never been rejected, is refused before anything moves.
    file = world.release_file()
    asked = world.git("show", "HEAD~1:local/flights.yaml", folder=world.local / "releases")
    assert "canary" in asked
    file.write_text(asked, encoding="utf-8")
    done = world.shell("pulumi up --yes --non-interactive --stack local-flights", world.root / "endpoints")
    assert done.code != 0
    assert "refused" in done.out + done.err
    assert world.live()["LastModifiedTime"] == before["LastModifiedTime"]
    world.git("checkout", "--", "local/flights.yaml", folder=world.local / "releases")
    assert world.sluice("stack", "up", "endpoints", "--workload", "flights").ok()["changed"] is False


def test_the_next_good_version_is_not_poisoned_by_the_old_alarm(platform: World) -> None:
    world = platform
    trained = world.sluice("train", "flights", *MOMENTS).ok()
    made = trained["version"]
    assert made == "1.0"
    world.sluice("release", "approve", "flights", made).ok()
    traffic = world.start(
        "replay", "flights", "--from", "2013-04-15", "--rate", "20", "--no-land", name="replay"
    )
    try:
        world.sluice("release", "propose", "flights", made).ok()
        world.await_opinion("pass")
        assert world.sluice("release", "advance", "flights").ok()["release"]["champion"]["version"] == made
    finally:
        summary = traffic.stop().ok()
    assert summary["failed"] == 0
    world.sent += summary["sent"]
    world.assert_every_request_was_counted()


def _register_a_version_that_fails_on_early_departures(world: World, version: str) -> None:
    """The champion's model in a server that raises for what warm-up does not hold."""
    server = "endpoints/serving/model.py"
    world.edit(
        server,
        (
            "        scores = np.asarray(",
            '        if (columns["dep_delay"] < -4).any():\n'
            '            raise ValueError("made to fail")\n'
            "        scores = np.asarray(",
        ),
    )
    digest = world.sluice("images", "push", "flights").ok()["serving"]
    world.restore(server)
    sagemaker = world.client("sagemaker")
    [champion] = world.packages()
    specification = champion["InferenceSpecification"]
    [container] = specification["Containers"]
    image = f"{container['Image'].partition('@')[0]}@{digest}"
    assert image != container["Image"]
    properties = {**champion["CustomerMetadataProperties"], "version": version, "image_digest": digest}
    sagemaker.create_model_package(
        ModelPackageGroupName="flights",
        ModelApprovalStatus="Approved",
        CustomerMetadataProperties=properties,
        InferenceSpecification={
            "Containers": [
                {key: container[key] for key in ("ModelDataUrl", "Environment")} | {"Image": image}
            ],
            **{key: value for key, value in specification.items() if key != "Containers"},
        },
    )


def _second_workload(world: World) -> None:
    """The first one under another name, as a department would add its own folder."""
    shutil.copytree(world.root / "workloads/flights", world.root / "workloads" / SECOND)
    world.edit(
        f"workloads/{SECOND}/workload.yaml", ("name: flights\n", f"name: {SECOND}\n"), ("\ntour:", "\n#tour:")
    )
    file = world.root / f"workloads/{SECOND}/workload.yaml"
    file.write_text(file.read_text(encoding="utf-8").partition("#tour:")[0], encoding="utf-8")
    world.edit(f"workloads/{SECOND}/source.py", ('WORKLOAD = "flights"', f'WORKLOAD = "{SECOND}"'))
    definition = (world.root / DEFINITION).read_text(encoding="utf-8").replace("flights", SECOND)
    (world.root / f"pipelines/definitions/{SECOND}-training.json").write_text(definition, encoding="utf-8")
    for program in ("pipelines", "endpoints"):
        stack = (world.root / program / "Pulumi.local-flights.yaml").read_text(encoding="utf-8")
        (world.root / program / f"Pulumi.local-{SECOND}.yaml").write_text(
            stack.replace("sluice:workload: flights", f"sluice:workload: {SECOND}"), encoding="utf-8"
        )
