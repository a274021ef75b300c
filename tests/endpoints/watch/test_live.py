"""After the promotion: the version is held to what its shadow stage showed, by labels as they come."""

import json
from datetime import timedelta

import numpy as np
import pytest

from endpoints.watch import run
from endpoints.watch.look import Result
from endpoints.watch.memory import ANEW, Keeper
from endpoints.watch.subject import Subject
from sluice.errors import SluiceError
from tests.endpoints.watch.conftest import NOON, SUBJECT, Asked, World

PROMOTED = NOON + timedelta(hours=1)
DAY = "2013-05-01"


def traffic(count: int, begin: float, wrong: float, seed: int = 3) -> tuple[list[Asked], dict[str, bool]]:
    """Requests a second apart whose answers are wrong with that chance, and the labels that say so."""
    draw = np.random.default_rng(seed)
    asked, labels = [], {}
    for place in range(count):
        row, score = f"row-{begin:g}-{place}", float(draw.choice([0.2, 0.8]))
        labels[row] = bool((score >= 0.5) != (draw.random() < wrong))
        origin = ("EWR", "JFK", "LGA")[place % 3]
        asked.append(Asked(begin + place, (row,), (score,), origin=origin, id=f"id-{row}", day=DAY))
    return asked, labels


def shadowed(world: World, labels: int = 600, wrong: float = 0.15) -> Subject:
    """A shadow stage that is over, with its report; and the subject that the promotion made of it."""
    asked, truth = traffic(labels, 0, wrong)
    world.put(asked)
    world.label(DAY, truth)
    clients = {"s3": world.s3, "cloudwatch": world.cloudwatch}
    now = NOON + timedelta(seconds=labels + 60)
    _, result = run.look(world.subject, world.workload, clients, now, world.limits)
    uri = run.keep(run.report(result.memory, clients, now), clients, now)
    world.memory = None
    world.subject = world.subject.model_copy(update={"stage": "live", "since": PROMOTED, "expected": uri})
    return world.subject


def live(world: World, count: int, wrong: float, begin: float = 3600, seed: int = 5) -> Result:
    """Production answers of the promoted version, and after them their labels."""
    asked, truth = traffic(count, begin, wrong, seed)
    exchanges = [each.exchange("1.1", each.scores, each.id) for each in asked]
    world.write("AllTraffic", exchanges)
    world.look(begin + count + 30)
    old = world.s3.get_object(Bucket="data", Key=f"flights/labels/dt={DAY}/part.parquet")["Body"].read()
    world.s3.put_object(Bucket="data", Key=f"flights/labels/dt={DAY}/old-{begin:g}.parquet", Body=old)
    world.label(DAY, truth)
    return world.look(begin + count + 90)


def test_a_version_as_good_as_in_shadow_passes_and_one_that_loses_fails(world: World) -> None:
    shadowed(world)
    result = live(world, 900, 0.15)
    assert result.verdict.labels == 900
    loss = next(each for each in result.verdict.checks if each.name == "loss")
    assert loss.expected is not None
    assert 0.15 < loss.expected < 0.27
    assert loss.observed == pytest.approx(0.15, abs=0.04)
    assert result.verdict.outcome in ("pass", "undecided")
    assert result.verdict.highest < 0.5
    late = live(world, 900, 0.45, begin=5400, seed=6)
    assert late.verdict.outcome == "fail"
    assert late.verdict.decided_by in ("loss", "brier")
    assert late.verdict.threshold == pytest.approx(np.log10(2 / 0.05))
    assert [change.outcome for change in late.memory.changes][-1] == "fail"


def test_enough_labels_within_the_promise_are_a_pass(world: World) -> None:
    shadowed(world)
    result = live(world, 2500, 0.15)
    assert result.verdict.outcome == "pass", result.verdict.needs
    assert {each.name for each in result.verdict.checks} == {"loss", "brier"}


def test_each_answer_counts_once_and_those_of_others_never(world: World) -> None:
    shadowed(world)
    first = live(world, 300, 0.15)
    before, _ = traffic(20, 3000, 0.15)
    world.write("AllTraffic", [each.exchange("1.1", each.scores, each.id) for each in before], second=3700)
    other, _ = traffic(20, 3950, 0.15)
    world.write("AllTraffic", [each.exchange("1.0", each.scores, each.id) for each in other])
    again = [world.look(second) for second in (4100, 4200, 9000)][-1]
    assert again.memory.judge.paired == first.memory.judge.paired
    assert again.verdict.labels == 300
    assert again.memory.judge.challenger.answered == 300
    assert again.memory.tally.other_versions == 20
    assert again.memory.judge.slices["origin=JFK"].labelled == 100


def test_a_slice_that_loses_is_found_though_the_whole_does_not(world: World) -> None:
    shadowed(world, labels=1500)
    asked, truth = traffic(1500, 3600, 0.15, 8)
    draw = np.random.default_rng(1)
    for each in asked:
        if each.origin == "JFK" and draw.random() < 0.8:
            truth[each.rows[0]] = not truth[each.rows[0]]
    world.write("AllTraffic", [each.exchange("1.1", each.scores, each.id) for each in asked])
    world.look(5200)
    world.label(DAY, truth)
    said = world.look(5300).verdict
    assert said.outcome == "fail"
    assert any("origin=JFK" in name for name in (said.decided_by or "", *said.suspects))


def test_with_too_few_labels_in_shadow_the_evaluation_speaks(world: World) -> None:
    subject = shadowed(world, labels=150)
    world.subject = subject.model_copy(update={"expectation": {"loss": 0.2, "brier": 0.2}})
    result = live(world, 600, 0.5)
    assert result.memory.expectation is not None
    assert {each.source for each in result.memory.expectation.promises.values()} == {"evaluation"}
    assert result.verdict.outcome == "fail"


def test_where_nothing_is_known_to_expect_it_is_undecided_and_says_so(world: World) -> None:
    world.subject = SUBJECT.model_copy(update={"stage": "live", "since": PROMOTED})
    world.label(DAY, {"x": True})
    result = live(world, 300, 0.5)
    assert result.verdict.outcome == "undecided"
    assert len([need for need in result.verdict.needs if "what to expect is not known" in need]) == 2
    # A report that is gone is none.
    world.subject = world.subject.model_copy(update={"expected": "s3://captures/gone.json"})
    world.memory = None
    assert world.look(5000).verdict.outcome == "undecided"


def test_the_promise_of_another_version_binds_nobody(world: World) -> None:
    subject = shadowed(world, labels=250)
    other = subject.champion.model_copy(update={"package": f"{subject.champion.package}7", "version": "1.7"})
    world.subject = subject.model_copy(update={"challenger": other})
    with pytest.raises(SluiceError, match=r"is the evidence of .*/2, and .*/17 is live"):
        world.look(4000)


def test_evidence_that_is_no_report_of_a_shadow_expects_nothing(world: World) -> None:
    document = {"kind": "replayed", "challenger": SUBJECT.challenger.package, "verdict": "equal"}
    world.s3.put_object(Bucket="captures", Key="replayed.json", Body=json.dumps(document).encode())
    world.subject = SUBJECT.model_copy(
        update={"stage": "live", "since": PROMOTED, "expected": "s3://captures/replayed.json"}
    )
    assert world.look(4000).memory.expectation is not None
    world.s3.put_object(Bucket="captures", Key="replayed.json", Body=b"<html>")
    world.memory = None
    with pytest.raises(SluiceError, match="is no report"):
        world.look(4000)


def test_other_margins_begin_the_evidence_anew_and_the_judge_goes_on(world: World) -> None:
    """A shadow is proposed again; what is live has no end at which margins could change."""
    shadowed(world)
    clients = {"s3": world.s3, "cloudwatch": world.cloudwatch}
    asked, _ = traffic(60, 3600, 0.15)
    world.write("AllTraffic", [each.exchange("1.1", each.scores, each.id) for each in asked])
    now = NOON + timedelta(seconds=3700)
    _, first = run.look(world.subject, world.workload, clients, now, world.limits)
    assert first.memory.judge.challenger.answered == 60
    judge = world.workload.release.judge.model_copy(update={"alpha": 0.01})
    release = world.workload.release.model_copy(update={"judge": judge})
    other = world.workload.model_copy(update={"release": release})
    asked, _ = traffic(40, 3800, 0.15, 9)
    world.write("AllTraffic", [each.exchange("1.1", each.scores, each.id) for each in asked])
    now = NOON + timedelta(seconds=3790)
    _, second = run.look(world.subject, other, clients, now, world.limits)
    assert (second.memory.looks, second.memory.since, second.memory.rules.settings.alpha) == (1, now, 0.01)
    assert second.memory.changes[0].why == ANEW
    _, third = run.look(world.subject, other, clients, NOON + timedelta(seconds=3900), world.limits)
    assert (third.memory.looks, third.memory.judge.challenger.answered) == (2, 40)


def test_memory_is_of_one_size_however_much_comes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from endpoints.watch import waiting

    monkeypatch.setattr(waiting, "MAX_ROWS", 200)
    shadowed(world, labels=250)
    sizes = []
    for part in range(4):
        asked, _ = traffic(400, 3600 + 400 * part, 0.15, part)
        world.write("AllTraffic", [each.exchange("1.1", each.scores, each.id) for each in asked])
        world.label(DAY, {"x": True})
        memory = world.look(3600 + 400 * (part + 1) + 30).memory
        rules = world.subject.rules(world.workload)
        keeper = Keeper(world.s3, world.subject)
        keeper.load(rules)
        keeper.save(memory)
        key = world.subject.key("state.json.gz")
        sizes.append(world.s3.head_object(Bucket="captures", Key=key)["ContentLength"])
        assert len(memory.unlabelled["rows"]) <= 200
    assert max(sizes[1:]) < 1.6 * sizes[0]
    assert memory.tally.halvings >= 2
