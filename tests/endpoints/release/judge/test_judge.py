"""What the judge says of good and bad challengers, of missing data, and that its state is exact."""

from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from endpoints.release.judge import (
    Arm,
    Paired,
    Rows,
    Rules,
    State,
    Verdict,
    collect,
    empty,
    start,
    update,
    verdict,
)
from endpoints.release.judge.rules import WEIGHTS, Stage
from sluice.errors import SluiceError
from tests.endpoints.release.judge.worlds import BEGIN, REFERENCE, RULES, look
from workloads.contract import Margin, Workload


def judge(looks: int, rules: Rules = RULES, seed: int = 1, **world: Any) -> tuple[State, Verdict]:
    rng = np.random.default_rng(seed)
    state = start(rules)
    for place in range(looks):
        state = update(state, look(place, rng, rules=rules, **world), rules)
    return state, verdict(state, rules)


def test_a_good_challenger_passes_and_every_required_check_says_so() -> None:
    _, said = judge(20)
    assert said.outcome == "pass", said.needs
    assert said.needs == ()
    assert {c.name for c in said.checks if c.role == "required" and c.outcome == "pass"} == {
        "errors", "latency", "agreement", "decision",
    }  # fmt: skip
    assert (said.pairs, said.labels, said.looks, said.join_rate) == (2000, 2000, 20, 1.0)


@pytest.mark.parametrize(
    ("world", "looks", "check"),
    [
        ({"errors": 0.08}, 20, "errors"),
        # Slow answers come in bursts, so it takes more looks and not more answers.
        ({"slow": 2.5}, 40, "latency"),
        ({"shift": 0.15}, 20, "shift"),
    ],
)
def test_a_bad_challenger_fails_by_the_check_that_is_about_it(
    world: dict[str, float], looks: int, check: str
) -> None:
    _, said = judge(looks, **world)
    assert (said.outcome, said.decided_by) == ("fail", check)
    assert said.highest >= said.threshold
    assert said.decided_at is not None


def test_a_stall_of_one_version_is_one_bad_look() -> None:
    """A second in which everything waits makes forty slow answers, and they are not forty pieces of evidence."""
    state, before = judge(5)
    stalled = look(5, np.random.default_rng(9))
    slow = stalled.challenger.model_copy(update={"exceeded": (90.0, 60.0, 45.0), "slow": 45.0})
    said = verdict(update(state, stalled.model_copy(update={"challenger": slow}), RULES), RULES)
    assert said.outcome != "fail"
    [latency] = [check for check in said.checks if check.name == "latency"]
    [calm] = [check for check in before.checks if check.name == "latency"]
    assert calm.log10_e < latency.log10_e < 2


def test_a_slice_that_moved_is_named() -> None:
    _, said = judge(40, south=0.3)
    assert said.outcome == "fail"
    assert said.decided_by is not None
    assert "region=south" in said.decided_by
    assert said.suspects[0] == "shift of region=south"
    assert [c.slice for c in said.slices if c.outcome == "fail" and c.name == "shift"] == ["region=south"]


def test_a_slice_may_be_held_to_less_than_the_whole() -> None:
    """Where versions differ as a whole from one day to the next, one slice alone still must not."""
    settings = RULES.settings.model_copy(
        update={"shift": Margin(tolerated=0.2, accepted=0.3, role="watched", in_slice=0.1)}
    )
    rules = RULES.model_copy(update={"settings": settings})
    assert rules.margin("shift").tolerated == 0.2
    assert (rules.margin("shift", sliced=True).tolerated, rules.margin("loss", sliced=True).tolerated) == (
        0.1,
        min(1.0, settings.loss.tolerated * settings.slice_factor),
    )
    _, said = judge(40, rules, south=0.25)
    assert said.decided_by == "shift of region=south"
    with pytest.raises(ValueError, match="in_slice is above accepted"):
        Margin(tolerated=0.1, accepted=0.2, in_slice=0.3)


def test_suspicion_of_a_slice_holds_a_pass_back_until_more_is_known() -> None:
    """What is not proved yet, but points that way, does not slip through at the minimum of pairs."""
    outcomes = []
    rng = np.random.default_rng(3)
    state = start(RULES)
    for place in range(12):
        state = update(state, look(place, rng, south=0.25, labels=False), RULES)
        said = verdict(state, RULES)
        outcomes.append(said.outcome)
        if said.outcome == "undecided" and place > 6:
            assert any("region=south" in need and "against it" in need for need in said.needs)
    assert "pass" not in outcomes[5:]
    assert outcomes[-1] == "fail"


def test_a_fail_is_for_ever() -> None:
    state, said = judge(3, shift=0.15)
    rng = np.random.default_rng(2)
    for place in range(3, 60):
        state = update(state, look(place, rng), RULES)
    after = verdict(state, RULES)
    assert after.log10_e < said.highest
    assert (after.outcome, after.decided_by) == ("fail", "shift")


def test_nothing_seen_is_undecided_and_says_what_is_needed() -> None:
    said = verdict(start(RULES), RULES)
    assert (said.outcome, said.seconds, said.join_rate) == ("undecided", None, None)
    assert any("300 more pairs" in need for need in said.needs)
    assert any(need.startswith("errors: no requests yet") for need in said.needs)


MISSING: dict[str, dict[str, Any]] = {
    "requests": {"champion": Arm(), "challenger": Arm()},
    "latency": {
        side: Arm(requests=100, answered=100, scores=(20.0,) * 5, yes=50)
        for side in ("champion", "challenger")
    },
    "pairs": {"paired": Paired()},
    "join": {"joined_rows": 50},
    "join unknown": {"production_rows": 0, "joined_rows": 0},
}


@pytest.mark.parametrize("what", MISSING)
def test_missing_data_is_never_a_pass(what: str) -> None:
    rng = np.random.default_rng(1)
    state = start(RULES)
    for place in range(40):
        state = update(state, look(place, rng).model_copy(update=MISSING[what]), RULES)
    said = verdict(state, RULES)
    assert said.outcome == "undecided"
    assert said.needs


@pytest.mark.parametrize(("slow", "outcome"), [(0.0, "pass"), (None, "undecided"), (30.0, "undecided")])
def test_slowness_that_nobody_measured_is_not_speed(slow: float | None, outcome: str) -> None:
    """Without the quantiles of the champion, the absolute bound decides, if it is known."""
    arm = Arm(requests=600, timed=600, slow=slow)
    batch = empty(BEGIN, BEGIN).model_copy(update={"champion": arm, "challenger": arm})
    state = update(start(RULES), batch, RULES)
    latency = next(c for c in verdict(state, RULES).checks if c.name == "latency")
    assert latency.outcome == outcome
    assert update(state, batch, RULES).challenger.slow == (None if slow is None else 2 * slow)


def test_the_estimate_of_what_is_missing_holds() -> None:
    state, said = judge(4)
    assert said.outcome == "undecided"
    pairs = next(need for need in said.needs if "requests" in need)
    assert said.seconds is not None, pairs
    rng = np.random.default_rng(3)
    more = 2 * int(np.ceil(said.seconds / 60))
    for place in range(4, 4 + more):
        state = update(state, look(place, rng), RULES)
    assert verdict(state, RULES).outcome == "pass"


def test_labels_that_come_late_count_once_and_alone() -> None:
    rng = np.random.default_rng(1)
    state = update(start(RULES), look(0, rng, labels=False), RULES)
    assert (state.paired.units, state.paired.labelled) == (100, 0)
    rows = Rows(np.full(50, 0.6), np.full(50, 0.4), np.arange(50), np.ones(50))
    late = collect(rows, RULES, REFERENCE, BEGIN, BEGIN + timedelta(hours=1), labels_only=True)
    state = update(state, late, RULES)
    assert (state.paired.units, state.paired.labelled, state.challenger.answered) == (100, 50, 100)
    checks = {c.name: c for c in verdict(state, RULES).checks}
    assert checks["loss"].observed == checks["flips"].observed == checks["money"].observed == 1.0
    assert verdict(state, RULES).decided_by in ("loss", "brier", "flips")


def test_money_weighs_a_miss_and_a_false_alarm_as_they_cost() -> None:
    """A false alarm costs a tenth of a miss: one miss more is not made good by nine fewer false alarms, but by ten."""
    label = np.array([1.0] + [0.0] * 10)
    champion = np.array([0.9] + [0.9] * 10)
    rows = Rows(champion, np.array([0.1] + [0.1] * 10), np.arange(11), label)
    batch = collect(rows, RULES, REFERENCE, BEGIN, BEGIN)
    state = update(start(RULES), batch, RULES)
    checks = {c.name: c.observed for c in verdict(state, RULES).checks}
    assert checks["money"] == pytest.approx(0.0, abs=1e-6)
    assert checks["loss"] == pytest.approx(-9 / 11, abs=1e-6)


def test_rows_of_one_unit_count_as_one() -> None:
    """Ten rows of each request say no more than one."""
    rng = np.random.default_rng(1)
    one, two = rng.random(50), rng.random(50)
    single = collect(Rows(one, two, np.arange(50)), RULES, REFERENCE, BEGIN, BEGIN)
    often = collect(
        Rows(np.repeat(one, 10), np.repeat(two, 10), np.repeat(np.arange(50), 10)),
        RULES,
        REFERENCE,
        BEGIN,
        BEGIN,
    )
    assert often.paired.units == 50
    assert often.challenger.answered == 50
    for check, weights in single.paired.values.items():
        assert often.paired.values[check] == pytest.approx(weights, abs=1e-4)
    assert often.challenger.scores == pytest.approx(single.challenger.scores, abs=1e-3)


def test_the_state_is_the_same_after_a_round_trip() -> None:
    state, said = judge(7, errors=0.01, shift=0.01)
    again = State.model_validate_json(state.model_dump_json())
    assert again == state
    assert verdict(again, RULES) == said
    rng, other = np.random.default_rng(5), np.random.default_rng(5)
    assert update(again, look(7, rng), RULES) == update(state, look(7, other), RULES)
    assert Verdict.model_validate_json(said.model_dump_json()) == said


def test_the_order_of_looks_changes_the_path_and_not_the_end() -> None:
    rng = np.random.default_rng(4)
    batches = [look(place, rng) for place in range(6)]
    ends = []
    for order in (batches, batches[::-1]):
        state = start(RULES).model_copy(update={"first": BEGIN})
        for batch in order:
            state = update(state, batch, RULES)
        ends.append(state)
    one, two = ends
    assert (one.paired, one.slices, one.champion, one.challenger) == (
        two.paired, two.slices, two.champion, two.challenger,
    )  # fmt: skip
    for name, ledger in one.ledgers.items():
        assert two.ledgers[name].worse == pytest.approx(ledger.worse, abs=1e-9)
    assert verdict(one, RULES).log10_e == pytest.approx(verdict(two, RULES).log10_e, abs=1e-9)


def test_two_looks_in_one_weigh_the_same_on_pairs() -> None:
    rng = np.random.default_rng(4)
    one, two = look(0, rng), look(1, rng)
    apart = update(update(start(RULES), one, RULES), two, RULES)
    together = update(start(RULES), one + two, RULES)
    assert together.paired == apart.paired
    assert together.challenger == apart.challenger
    # Both arms had as much traffic in both looks, so even the counts weigh the same.
    assert together.ledgers["errors"].worse == pytest.approx(apart.ledgers["errors"].worse, abs=1e-9)
    # Of slow answers a look counts only so many.
    assert together.ledgers["latency:0"].hits == apart.ledgers["latency:0"].hits
    assert max(together.ledgers["latency:0"].acceptable) < max(apart.ledgers["latency:0"].acceptable)


def test_rules_are_not_changed_on_the_way() -> None:
    state, _ = judge(2)
    other = RULES.model_copy(update={"minimum_pairs": 1})
    with pytest.raises(SluiceError, match="rules"):
        update(state, empty(BEGIN, BEGIN), other)


def test_what_happens_while_warming_up_is_not_counted() -> None:
    settings = RULES.settings.model_copy(update={"warm_up": timedelta(minutes=5)})
    rules = RULES.model_copy(update={"settings": settings})
    state, said = judge(5, rules, errors=0.9)
    assert (said.outcome, said.looks, said.pairs) == ("undecided", 0, 0)
    rng = np.random.default_rng(1)
    for place in range(5, 25):
        state = update(state, look(place, rng, rules=rules), rules)
    assert verdict(state, rules).outcome == "pass"


def test_a_short_shadow_waits_for_its_peak() -> None:
    settings = RULES.settings.model_copy(update={"minimum_duration": timedelta(hours=1)})
    rules = RULES.model_copy(update={"settings": settings})
    _, said = judge(20, rules)
    assert said.outcome == "undecided"
    assert said.needs == ("more time, in about 0:40:00",)
    assert said.seconds == pytest.approx(2400)


def test_a_slice_with_too_little_is_unknown_and_holds_only_where_slices_are_required() -> None:
    settings = RULES.settings.model_copy(update={"slices": "required"})
    rules = RULES.model_copy(update={"settings": settings, "slices": (*RULES.slices, "region=west")})
    _, said = judge(30, rules)
    assert said.outcome == "undecided"
    assert any("region=west" in need for need in said.needs)
    assert {c.outcome for c in said.slices if c.slice == "region=west"} == {"undecided"}


def test_alpha_is_split_whole() -> None:
    for stage, weights in WEIGHTS.items():
        assert sum(weights.values()) == pytest.approx(1)
        for comparable in (True, False):
            rules = Rules(stage=stage, weights=weights, comparable=comparable)
            assert sum(rules.weight_of(check) for check in weights) == pytest.approx(1)


@pytest.mark.parametrize("stage", WEIGHTS)
def test_a_workload_without_slices_is_judged_as_a_whole(stage: Stage) -> None:
    rules = Rules(stage=stage, weights=dict(WEIGHTS[stage]))
    state = update(start(rules), look(0, np.random.default_rng(1), rules=rules), rules)
    assert verdict(state, rules).slices == ()


def test_the_rules_of_a_workload() -> None:
    workload = Workload.load("flights")
    rules = Rules.of(workload, champion="0")
    assert not rules.comparable
    assert rules.margin("shift").role == "reported"
    assert {"origin=EWR", "dep_delay=<0", "dep_delay=[0,15)", "dep_delay=>=60"} <= set(rules.slices)
    assert rules.margin("agreement").tolerated == pytest.approx(1 - workload.release.minimum_agreement)
    assert Rules.of(workload, "canary").weight_of("loss") == 0


def test_a_canary_is_judged_on_counts_alone() -> None:
    rules = Rules(stage="canary", weights=dict(WEIGHTS["canary"]))
    rng = np.random.default_rng(1)
    state = start(rules)
    for place in range(30):
        batch = look(place, rng, errors=0.05, rules=rules)
        # Of the traffic, a tenth goes to the challenger.
        one = batch.champion.model_copy(update={"requests": 900.0, "errors": float(rng.binomial(900, 0.01))})
        state = update(state, batch.model_copy(update={"champion": one, "paired": Paired()}), rules)
    said = verdict(state, rules)
    assert (said.outcome, said.decided_by) == ("fail", "errors")
    assert {c.name for c in said.checks} == {"errors", "latency", "score", "decision"}
