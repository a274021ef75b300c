"""Each answer counts once, whatever the looks, the objects and the order; and what is missing is missed."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from endpoints.release.captures import Answer
from endpoints.watch import waiting
from endpoints.watch.exchange import Detail
from endpoints.watch.limits import Limits
from endpoints.watch.memory import ConflictError, Keeper, fresh
from endpoints.watch.waiting import Halves, Row, Unlabelled
from tests.endpoints.watch.conftest import NOON, SHORT, SUBJECT, Asked, World, many

FIRST = many(1)
"""The first mirrored request: from then on it is counted."""


def test_pairs_are_joined_counted_and_sliced(world: World) -> None:
    world.put([*FIRST, *many(99, 1)], shadow=lambda each: [score + 0.1 for score in each.scores])
    result = world.look(400)
    state = result.memory.judge
    assert (state.production_rows, state.joined_rows, state.paired.units) == (100, 100, 100)
    assert (state.champion.answered, state.challenger.answered) == (100, 100)
    assert state.slices["origin=EWR"].units == 100
    assert state.slices["dep_delay=[15,60)"].units == 100
    assert result.memory.tally.joined_by_id == 100
    assert result.memory.halves == {"production": [], "shadow": []}
    checks = {check.name: check for check in result.verdict.checks}
    assert checks["shift"].observed == pytest.approx(0.1, abs=1e-6)
    assert sum(result.memory.scores[0]) == 100


def test_rows_of_one_request_are_one_unit(world: World) -> None:
    world.put([*FIRST, *many(9, 1, rows=5)])
    state = world.look(400).memory.judge
    assert (state.production_rows, state.paired.units) == (46, 10)


def test_looking_again_counts_nothing_twice(world: World) -> None:
    world.put([*FIRST, *many(50, 1)])
    first = world.look(100).memory
    for second in (101, 160, 4000, 90_000):
        again = world.look(second).memory
        assert again.judge.paired == first.judge.paired
        assert again.judge.production_rows == first.judge.production_rows
    assert again.tally.objects == 2
    assert len(again.cursors["Shadow"].seen) == 1


def test_an_object_that_comes_late_is_read_once(world: World) -> None:
    world.put([*FIRST, *many(10, 600)])
    assert world.look(700).memory.judge.paired.units == 11
    world.put(many(5, 10))
    assert world.look(760).memory.judge.paired.units == 16
    assert world.look(820).memory.judge.paired.units == 16


def test_halves_in_different_looks_join(world: World) -> None:
    asked = [*FIRST, *many(20, 1)]
    world.put(FIRST)
    world.put(asked[1:], shadow=None)
    assert world.look(60).memory.judge.paired.units == 1
    # Not missing yet: it may still come.
    assert world.memory and world.memory.judge.production_rows == 1
    world.put(asked[1:], production=False)
    state = world.look(120).memory.judge
    assert (state.paired.units, state.production_rows, state.joined_rows) == (21, 21, 21)


def test_what_does_not_come_is_missed_after_the_window(world: World) -> None:
    world.put([*FIRST, *many(20, 1)])
    world.put(many(5, 30), shadow=None)
    world.put(many(3, 40), production=False)
    world.look(100)
    result = world.look(100 + 31 * 60)
    assert result.verdict.join_rate == pytest.approx(21 / 26)
    assert (result.memory.tally.unmatched, result.memory.tally.lost) == (5, 3)


def test_what_came_before_mirroring_is_not_missed(world: World) -> None:
    world.put(many(30, 0), shadow=None)
    world.put(many(10, 60))
    world.look(100)
    result = world.look(100 + 31 * 60)
    assert result.verdict.join_rate == 1
    assert result.memory.tally.unmatched == 0


def test_without_ids_the_bytes_join_across_a_minute(world: World) -> None:
    asked = [Asked(59.0, ("a",), (0.2,), id="a"), Asked(61.0, ("b",), (0.2,), id="b")]
    late = [Asked(60.5, ("a",), (0.2,)), Asked(61.5, ("b",), (0.2,))]
    world.put(asked, shadow=None)
    world.put(late, production=False)
    memory = world.look(120).memory
    assert memory.tally.joined_by_payload == 2
    assert memory.judge.joined_rows == 2


def test_answers_that_cannot_be_read_are_the_versions_errors(world: World) -> None:
    asked = [*FIRST, *many(9, 1)]
    world.put(asked, shadow=None)
    broken = [each.exchange("1.1", each.scores, each.id) for each in asked]
    world.write("Shadow", [broken[0]])
    from dataclasses import replace

    world.write("Shadow", [replace(each, answer=b"<html>") for each in broken[1:]], second=5)
    state = world.look(200).memory.judge
    assert (state.challenger.errors, state.champion.errors) == (9, 0)
    assert (state.production_rows, state.joined_rows) == (10, 1)


def test_answers_of_other_versions_do_not_count(world: World) -> None:
    world.put([*FIRST, *many(9, 1)])
    old = many(4, 20)
    world.write("AllTraffic", [each.exchange("0", each.scores, each.id) for each in old])
    world.write("Shadow", [each.exchange("1.2", each.scores, each.id) for each in old])
    memory = world.look(200).memory
    assert memory.tally.other_versions == 8
    assert memory.judge.production_rows == 10


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parts=st.lists(st.integers(0, 5), min_size=40, max_size=40),
    looks=st.lists(st.integers(0, 5), min_size=1, max_size=4),
)
def test_however_it_is_cut_it_is_the_same(world: World, parts: list[int], looks: list[int]) -> None:
    """Objects of any grouping that arrive in any order between any looks: the same sums as all at once."""
    for bucket in ("captures",):
        for found in world.s3.list_objects_v2(Bucket=bucket).get("Contents", []):
            world.s3.delete_object(Bucket=bucket, Key=found["Key"])
    asked = [*FIRST, *many(39, 1, 2.0)]

    def answers(each: Asked) -> list[float]:
        return [min(1.0, score + len(each.rows[0]) % 3 / 10) for score in each.scores]

    world.memory = None
    world.put(FIRST, shadow=answers)
    for part in range(6):
        mine = [each for each, where in zip(asked[1:], parts, strict=False) if where == part]
        other = [each for each, where in zip(asked[1:], reversed(parts), strict=False) if where == part]
        if mine:
            world.put(mine, shadow=None)
        if other:
            world.put(other, shadow=answers, production=False)
        if part in looks:
            world.look(100 + part)
    cut = world.look(200).memory.judge
    world.memory = None
    whole = world.look(200).memory.judge
    assert cut.paired == whole.paired
    assert cut.slices == whole.slices
    assert (cut.production_rows, cut.joined_rows) == (whole.production_rows, whole.joined_rows) == (40, 40)
    assert cut.challenger.yes == whole.challenger.yes


def test_a_look_takes_on_no_more_than_its_limit_and_the_next_goes_on(world: World) -> None:
    world.limits = SHORT.model_copy(update={"objects": 3})
    world.put(FIRST)
    for minute in range(1, 8):
        world.put(many(5, 60 * minute))
    units = [world.look(3600 + second).memory.judge.paired.units for second in range(4)]
    assert units == [11, 26, 36, 36]
    # With the rest still unread nothing counts as missed.
    assert world.memory and world.memory.tally.unmatched == 0


def test_a_sample_is_the_same_in_both_arms(world: World) -> None:
    world.limits = SHORT.model_copy(update={"share": 0.3})
    world.put([*FIRST, *many(400, 1, 0.1)])
    world.look(400)
    result = world.look(400 + 31 * 60)
    assert 80 < result.verdict.pairs < 160
    assert result.memory.tally.lost == 0
    assert result.memory.tally.unmatched == 0


def test_labels_that_come_late_are_counted_once(world: World) -> None:
    asked = [*FIRST, *many(39, 1)]
    world.put(asked, shadow=lambda each: [1 - score for score in each.scores])
    rows = [row for each in asked for row in each.rows]
    assert world.look(60).verdict.labels == 0
    world.label("2013-05-01", dict.fromkeys(rows[:15], True))
    assert world.look(120).verdict.labels == 15
    assert world.look(180).verdict.labels == 15
    # The partition grew, and the next day has more; one row is in both.
    world.label("2013-05-01", dict.fromkeys(rows[:20], True))
    world.label("2013-05-02", dict.fromkeys(rows[19:30], False))
    world.label("2013-06-01", dict.fromkeys(rows[30:], True))
    result = world.look(240)
    assert result.verdict.labels == 30
    assert result.memory.judge.slices["origin=EWR"].labelled == 30
    # Champion right where it said no and it was not late, and so on: by hand.
    wrong = 0
    for place, each in enumerate(asked[:30]):
        label = place < 20
        wrong += ((1 - each.scores[0]) >= 0.5) != label
        wrong -= (each.scores[0] >= 0.5) != label
    observed = next(check for check in result.verdict.checks if check.name == "loss").observed
    assert observed == pytest.approx(wrong / 30)


def test_a_label_that_is_there_before_the_answer_counts(world: World) -> None:
    world.label("2013-05-01", {"row-EWR-0-0-0": True, "row-EWR-30-0-0": True})
    world.put(FIRST)
    assert world.look(20).verdict.labels == 1
    world.put(many(1, 30))
    assert world.look(60).verdict.labels == 2


def test_labels_that_do_not_come_are_told(world: World) -> None:
    world.put([*FIRST, *many(9, 1)])
    world.look(60)
    memory = world.look(3700).memory
    assert memory.tally.unlabelled == 10
    assert memory.unlabelled["rows"] == []


def test_metrics_count_each_minute_once_and_latency_from_the_reference_on(world: World) -> None:
    world.put(FIRST)
    for minute in range(6):
        for variant, errors, slow in (("AllTraffic", 0, 1_000), ("Shadow", 3, 105_000)):
            second = 60 * minute + 30
            world.metric("Invocations", variant, second, [1.0] * 50)
            world.metric("Invocation5XXErrors", variant, second, [1.0] * errors)
            world.metric("Invocation4XXErrors", variant, second, [1.0] * 2)
            world.metric("ModelLatency", variant, second, [slow + 10.0 * n for n in range(50)])
    looks = [world.look(second).memory for second in (200, 200, 215, 400)]
    # Up to 12:03 at first, where two minutes of latency made the reference, then up to 12:06.
    assert [memory.judge.challenger.requests for memory in looks] == [150, 150, 150, 300]
    assert [memory.judge.challenger.errors for memory in looks] == [9, 9, 9, 18]
    assert looks[-1].judge.champion.errors == 0
    low, middle, high = looks[-1].reference.latencies
    # A tenth of `latency_ms` beyond the champion's quantiles is not slow yet.
    assert 51_000 < low < middle < high < 51_500
    assert looks[0].judge.challenger.timed == 0
    assert looks[-1].judge.challenger.timed == 150
    assert looks[-1].judge.challenger.exceeded == (150, 150, 150)
    assert looks[-1].judge.champion.exceeded == (0, 0, 0)
    assert looks[-1].judge.challenger.slow == 0


def test_short_periods_are_counted_as_soon_as_they_are_whole(world: World) -> None:
    world.limits = SHORT.model_copy(update={"period_seconds": 10})
    world.put(FIRST)
    for step in range(6):
        for variant in ("AllTraffic", "Shadow"):
            world.metric("Invocations", variant, 10 * step + 5, [1.0] * 100)
            world.metric("ModelLatency", variant, 10 * step + 5, [1_000.0 + n for n in range(100)])
    # Everything is ten seconds late. The first period gives the reference, and the next ones count.
    seen = [world.look(second).memory.judge.challenger for second in (15, 20, 35, 70)]
    assert [arm.requests for arm in seen] == [0, 100, 200, 600]
    assert [arm.timed for arm in seen] == [0, 0, 100, 500]


def test_a_canary_counts_each_arm_by_its_version(world: World) -> None:
    world.subject = SUBJECT.model_copy(update={"stage": "canary"})
    before, asked = many(10, 0, 1.0), many(60, 20, 1.0, score=0.3)
    world.write("AllTraffic", [each.exchange("1.0", each.scores, each.id) for each in before])
    world.write("AllTraffic", [each.exchange("1.1", (0.9,), each.id) for each in asked[::3]], second=20)
    rest = [each for place, each in enumerate(asked) if place % 3]
    world.write("AllTraffic", [each.exchange("1.0", each.scores, each.id) for each in rest], second=21)
    state = world.look(200).memory.judge
    # What was answered before the canary's first answer says nothing of the two.
    assert (state.champion.answered, state.challenger.answered) == (40, 20)
    assert state.challenger.yes == 20
    assert state.ledgers["decision:yes"].hits == 20


def test_a_bad_slice_fails_and_is_named(world: World) -> None:
    def shadow(each: Asked) -> list[float]:
        return [score + 0.3 if each.origin == "JFK" else score for score in each.scores]

    world.look(0)
    world.put(FIRST)
    for minute in range(8):
        for origin in ("EWR", "JFK", "LGA"):
            world.put(many(40, 60 * minute + 1, 1.0, 0.1, origin=origin), shadow=shadow)
        world.look(60 * minute + 75)
    said = world.results[-1].verdict
    assert said.outcome == "fail"
    assert said.decided_by in ("shift of origin=JFK", "decision of origin=JFK")
    assert max(said.slices, key=lambda check: check.log10_e).slice == "origin=JFK"
    changes = world.results[-1].memory.changes
    assert [change.outcome for change in changes] == ["undecided", "fail"]
    assert len(world.results[-1].memory.path) == 9


def test_two_looks_at_once_are_one(world: World) -> None:
    rules = SUBJECT.rules(world.workload)
    one, two = Keeper(world.s3, SUBJECT), Keeper(world.s3, SUBJECT)
    assert one.load(rules) == two.load(rules) == fresh(SUBJECT, rules)
    world.put([*FIRST, *many(10, 1)])
    memory = world.look(60).memory
    one.save(memory)
    with pytest.raises(ConflictError):
        two.save(memory)
    assert two.load(rules) == memory
    two.save(world.look(120).memory)
    with pytest.raises(ConflictError):
        one.save(memory)
    keys = [
        each["Key"]
        for each in world.s3.list_objects_v2(Bucket="captures", Prefix="flights/judge")["Contents"]
    ]
    assert keys == [f"flights/judge/flights-local/{SUBJECT.id}/state.json.gz"]


def test_a_challenger_proposed_again_begins_anew() -> None:
    assert SUBJECT.model_copy(update={"since": NOON + timedelta(days=1)}).id != SUBJECT.id


def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "MAX_ROWS", 100)
    monkeypatch.setattr(waiting, "MAX_ANSWERS", 10)
    unlabelled = Unlabelled()
    for n in range(5000):
        answer = Answer(f"r{n}", 0.1, False)
        unlabelled.add(Row(answer.row, "u", 0.0, answer, answer, Detail()))
    assert 20 < len(unlabelled) <= 100
    assert unlabelled.halvings >= 5
    again = Unlabelled(unlabelled.dump())
    assert again.dump() == unlabelled.dump()
    kept = [int(row[0][1:]) for row in again.dump()["rows"]]
    # A hash chose them, so they are of all times.
    assert np.mean(kept) == pytest.approx(2500, abs=900)
    halves = Halves()
    for each in many(30):
        from endpoints.release.captures import Record
        from endpoints.watch.exchange import Exchange

        record = Record(NOON, (each.id or "",), f"{each.id}@", "1.0", ())
        assert halves.offer(True, Exchange(record)) is None
    assert len(list(halves.expire(NOON - timedelta(hours=1)))) == 20
    assert len(halves.dump()["production"]) == 10


def test_limits_have_defaults_of_aws() -> None:
    assert Limits().lag == timedelta(minutes=5)


def test_what_is_lost_shows_in_the_joined_rows_before_its_window_is_over(world: World) -> None:
    """A shadow that loses a part of its captures would else pass as one that loses none."""
    world.put(FIRST)
    lost = many(40, 10)
    world.write("AllTraffic", [each.exchange("1.0", each.scores, each.id) for each in lost])
    world.put(many(60, 60))
    on_their_way = world.look(22).memory
    assert on_their_way.judge.overdue == 0
    memory = world.look(100).memory
    assert (memory.tally.unmatched, memory.judge.overdue) == (0, 40)
    # Of what came only that counts which could be overdue by now: FIRST, and twenty of the sixty.
    assert (memory.judge.joined_rows, memory.judge.recent) == (61, 40)
    assert memory.judge.join_rate == pytest.approx(21 / 61)
    assert any("of production's rows joined" in need for need in memory.says.needs)
    world.write("Shadow", [each.exchange("1.1", each.scores, each.id) for each in lost])
    found = world.look(200).memory
    assert (found.judge.overdue, found.judge.join_rate) == (0, 1.0)


@pytest.mark.parametrize("looks", [(62,), (31, 40, 51, 62)])
def test_a_short_shadow_that_loses_a_part_does_not_look_whole_for_being_young(
    world: World, looks: tuple[int, ...]
) -> None:
    """Of the youngest requests only those can be seen that came: they would hide one in twelve that is lost."""
    asked = many(240, 0, 0.25)
    for begin, second in zip((0, *looks), looks, strict=False):
        new = [each for each in asked if begin <= each.second < second]
        came = [each for place, each in enumerate(asked) if each in new and place % 12 != 5]
        world.put(new, shadow=None)
        world.put(came, production=False)
        memory = world.look(second).memory
    # Of what is older than twice the lag: 168 requests.
    assert memory.judge.overdue == 14
    assert memory.judge.join_rate == pytest.approx(154 / 168)
    assert memory.judge.joined_rows == 220
