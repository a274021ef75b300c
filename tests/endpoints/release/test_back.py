"""The ways back: rollback through the file, and break glass past it."""

import re
from pathlib import Path

import pytest

from endpoints.release import back, operations, serving
from endpoints.release.transitions import IllegalTransitionError
from endpoints.rollout import glass
from sluice.errors import SluiceError
from tests.endpoints.release.simulation import ALARMS, ENDPOINT, NOON, Simulation, arn, model_of


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Simulation:
    """Versions 0, 1.0 and 1.1 were champion in this order; 1.1 is live."""
    monkeypatch.setenv("SLUICE_LOCAL", str(tmp_path / "local"))
    made = Simulation()
    for number, version in enumerate(("0", "1.0", "1.1"), start=1):
        made.package(number, version)
    operations.initialise(made.target, None, "start")
    for number in (2, 3):
        promote(made, number)
    return made


def promote(world: Simulation, number: int) -> None:
    operations.propose(world.target, str(number), "new")
    world.target.change(
        lambda release: operations.transitions.advance(release, world.clock.now()), "canary", "good"
    )
    operations.advance(world.target, "good")


def smash(world: Simulation, to: str, why: str = "1.1 answers nonsense") -> glass.Glass:
    choice = back.choose(world.target, to)
    return back.break_glass(world.target, choice, why, lambda _: None)


def test_the_glass_is_broken_and_adopted(world: Simulation) -> None:
    kept = world.aws.endpoints[ENDPOINT]["EndpointConfigName"]
    # What watches the bad one must not turn the good one back.
    world.aws.alarms[ALARMS[0]] = "ALARM"
    broken = smash(world, "1.0")
    assert world.live() == model_of(arn(2))
    update = world.aws.named("UpdateEndpoint")[-1]
    assert "AutoRollbackConfiguration" not in update["DeploymentConfig"]
    assert update["RetainAllVariantProperties"] is True
    # It is the config of then, by its own name: nothing was made.
    names = [call["EndpointConfigName"] for call in world.aws.named("CreateEndpointConfig")]
    assert names.count(broken.config) == 1
    assert world.tags()[glass.WHO] == "ada" and world.tags()[glass.WHY] == "1.1 answers nonsense"
    world.aws.alarms[ALARMS[0]] = "OK"

    with pytest.raises(
        SluiceError, match=r"ada broke the glass .* 1.1 answers nonsense\..*sluice release adopt"
    ):
        world.deploy(world.target)
    assert world.live() == model_of(arn(2))

    updates = len(world.aws.named("UpdateEndpoint"))
    release = back.adopt(world.target, "seen")
    assert release.champion is not None
    assert (release.champion.version, release.history, release.rejected) == ("1.0", (arn(1),), (arn(3),))
    # The program makes the very config that was put live, so there is nothing to deploy.
    assert len(world.aws.named("UpdateEndpoint")) == updates
    assert not set(glass.KEYS) & set(world.tags())
    assert world.aws.endpoints[ENDPOINT]["EndpointConfigName"] != kept


def test_a_rollback_agrees_with_it_too(world: Simulation) -> None:
    smash(world, "2")
    release = back.rollback(world.target, "it was nonsense")
    assert release.champion is not None and release.champion.version == "1.0"
    assert glass.WHAT not in world.tags()


def test_a_file_that_names_another_version_does_not_agree(world: Simulation) -> None:
    smash(world, "0")
    before = world.target.read()
    for step in (
        lambda: back.rollback(world.target, "to 1.0, which is not live"),
        lambda: operations.propose(world.target, None, "new"),
    ):
        with pytest.raises(SluiceError, match=r"ada broke the glass.*sluice release adopt flights"):
            step()
    assert world.target.read() == before
    release = back.adopt(world.target, "0 it is")
    assert release.champion is not None
    assert (release.champion.version, release.rejected) == ("0", (arn(3),))


@pytest.mark.parametrize(
    ("to", "arrange", "says"),
    [
        ("1.1", lambda world: None, "is live on flights-local already"),
        ("7.0", lambda world: None, r"has no model package 7.0.*flights/3 \(version 1.1\)"),
        ("1.0", lambda world: world.aws.approvals.update({2: "Rejected"}), "not approved, it is Rejected"),
        (
            "1.2",
            lambda world: (
                world.package(4, "1.2"),
                operations.propose(world.target, "1.2", "new"),
            ),
            "never answered on this endpoint",
        ),
        (
            "1.1",
            lambda world: back.rollback(world.target, "bad"),
            "it was rejected",
        ),
    ],
)
def test_what_is_not_put_live(world: Simulation, to: str, arrange: object, says: str) -> None:
    assert callable(arrange)
    arrange(world)
    before = world.live()
    with pytest.raises(SluiceError, match=says):
        smash(world, to)
    assert world.live() == before
    assert glass.WHAT not in world.tags()


def test_an_update_under_way_is_turned_back_first(world: Simulation) -> None:
    world.package(4, "1.2")
    endpoint = world.aws.endpoints[ENDPOINT]
    endpoint.update(EndpointStatus="Updating", pending="flights-local-0123456789ab")
    with pytest.raises(SluiceError, match="sluice release abort"):
        smash(world, "1.0")
    assert glass.WHAT not in world.tags()


def test_broken_twice_and_back_where_it_was_it_is_whole_again(world: Simulation) -> None:
    smash(world, "1.0")
    smash(world, "1.1", "1.0 is worse")
    assert world.tags()[glass.WHY] == "1.0 is worse"
    before = world.target.read()
    assert back.adopt(world.target, "seen") == before
    assert glass.WHAT not in world.tags()
    world.package(4, "1.2")
    promote(world, 4)
    assert world.live() == model_of(arn(4))


def test_what_sagemaker_did_not_do_leaves_no_mark(world: Simulation) -> None:
    world.aws.ends.append("alarm")
    with pytest.raises(SluiceError, match="rolled back"):
        smash(world, "1.0")
    assert not set(glass.KEYS) & set(world.tags())
    # Nothing was refused for it, and the same works when SageMaker does.
    smash(world, "1.0")
    assert world.live() == model_of(arn(2))


def test_it_needs_no_release_file_and_starts_no_program(
    world: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.target.store.path("flights").write_text("champion: [", encoding="utf-8")

    def start(*_: object, **__: object) -> None:
        raise FileNotFoundError("no program can be started")

    monkeypatch.setattr("subprocess.run", start)
    monkeypatch.setattr("subprocess.Popen", start)
    broken = smash(world, "1.0")
    assert world.live() == model_of(arn(2))
    assert back.remember(world.target, broken, "1.0") is not None


def test_a_model_whose_config_is_gone_comes_back_by_a_config_made_anew(world: Simulation) -> None:
    live = world.aws.endpoints[ENDPOINT]["EndpointConfigName"]
    for name in [name for name in world.aws.configs if name != live]:
        del world.aws.configs[name]
    broken = smash(world, "1.0")
    assert world.live() == model_of(arn(2))
    back.adopt(world.target, "seen")
    assert world.aws.endpoints[ENDPOINT]["EndpointConfigName"] == broken.config


def test_a_fleet_that_scaled_out_stays_so(world: Simulation) -> None:
    for variant in world.aws.endpoints[ENDPOINT]["ProductionVariants"]:
        variant["DesiredInstanceCount"] = 12
    smash(world, "1.0")
    (variant,) = world.aws.endpoints[ENDPOINT]["ProductionVariants"]
    assert variant["DesiredInstanceCount"] == 12


def test_adopt_leaves_a_file_that_agrees_as_it_is(world: Simulation) -> None:
    before = world.target.read()
    assert back.adopt(world.target, "seen") == before


def test_adopt_takes_nothing_that_never_was_champion(world: Simulation) -> None:
    world.aws.models[model_of(arn(3))] = world.package(9, "9.0")
    with pytest.raises(IllegalTransitionError, match="never was champion"):
        back.adopt(world.target, "seen")


def test_rollback_to_any_of_the_history(world: Simulation) -> None:
    with pytest.raises(SluiceError, match=r"no model package 1\.1"):
        back.rollback(world.target, "it is live", "1.1")
    release = back.rollback(world.target, "further back", "0")
    assert release.champion is not None
    assert (release.champion.version, release.history, world.live()) == ("0", (), model_of(arn(1)))


@pytest.mark.parametrize(
    ("provisioning", "says"),
    [
        (
            0.0,
            r"after about [1-5]( to [1-5])? s, as long as the new fleet took to start in each of the last 3 dep",
        ),
        (600.0, r"after about 10 min, as long as the new fleet took"),
    ],
)
def test_it_says_how_long_it_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provisioning: float, says: str
) -> None:
    monkeypatch.setenv("SLUICE_LOCAL", str(tmp_path / "local"))
    world = Simulation()
    world.aws.provisioning = provisioning
    for number, version in enumerate(("0", "1.0"), start=1):
        world.package(number, version)
    before = back.takes(world.target)
    assert before.measured == 0 and "after about 5 to 10 min (no deployment was measured" in before.says
    operations.initialise(world.target, None, "start")
    promote(world, 2)
    expected = back.takes(world.target)
    assert re.search(says, expected.says)
    assert "stays another 20 s" in expected.baking
    # What was said is what it takes: up to one look more, whose distance grows with the wait.
    began = world.clock.now()
    back.rollback(world.target, "bad")
    took = (world.clock.now() - began).total_seconds()
    assert provisioning + 20 <= took <= expected.longest + expected.bake + 20


def test_the_history_says_it_where_git_works_and_the_command_goes_on_where_it_does_not(
    world: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = glass.Glass("flights-local-0123456789ab", NOON, "ada", "nonsense")
    assert back.remember(world.target, broken, "1.0") is None
    monkeypatch.setenv("PATH", "/nonexistent")
    problem = back.remember(world.target, broken, "1.0")
    assert problem is not None and "git cannot be run" in problem


def test_no_rollback_to_what_the_registry_approves_no_more(world: Simulation) -> None:
    world.package(2, "1.0", "Rejected")
    before = world.target.read()
    with pytest.raises(SluiceError, match=r"flights/2 \(version 1\.0\) is not approved, it is Rejected"):
        back.rollback(world.target, "it is bad")
    # Else the file would ask for what is never deployed.
    assert world.target.read() == before
    release = back.rollback(world.target, "it is bad", "0")
    assert release.champion is not None and release.champion.version == "0"


def test_what_answered_is_known_by_sagemaker_alone(world: Simulation) -> None:
    cloud = world.target.cloud
    assert serving.answered(cloud, ENDPOINT) == {arn(1), arn(2), arn(3)}
    world.package(4, "1.2")
    operations.propose(world.target, "1.2", "new")
    assert serving.answered(cloud, ENDPOINT) == {arn(1), arn(2), arn(3)}, "a shadow answers nobody"
    assert serving.answered(cloud, "another-local") is None


def test_who_comes_back_does_so_for_a_reason(world: Simulation) -> None:
    release = back.rollback(world.target, "it was nonsense")
    assert release.champion is not None and release.champion.forced == "it was nonsense"
