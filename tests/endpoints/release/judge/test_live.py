"""A version that is live, held to what it promised: false alarms within alpha, however late the loss comes."""

from datetime import timedelta
from math import exp, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endpoints.release.judge import (
    GRID,
    Rows,
    Rules,
    State,
    Verdict,
    betting,
    collect,
    promises,
    start,
    update,
    verdict,
)
from endpoints.release.judge.batch import STEPS
from endpoints.release.judge.collect import on_grid
from endpoints.release.judge.promise import LEAST
from endpoints.release.judge.rules import WEIGHTS
from endpoints.release.judge.tracking import EPOCH, Track, left
from tests.endpoints.release.judge.worlds import BEGIN, REFERENCE
from workloads.contract import Judge, Margin

RULES = Rules(
    stage="live",
    weights=dict(WEIGHTS["live"]),
    slices=("region=north", "region=south"),
    settings=Judge(
        loss=Margin(tolerated=0.02, accepted=0.04, role="watched"),
        brier=Margin(tolerated=0.02, accepted=0.04, role="watched"),
    ),
)


def signs(hits: float, others: float) -> tuple[float, ...]:
    """Weights of ones and zeros."""
    weights = [0.0] * len(GRID)
    weights[2 * STEPS], weights[STEPS] = hits, others
    return tuple(weights)


def labelled(loss: tuple[float, ...], brier: tuple[float, ...]) -> dict[str, dict[str, tuple[float, ...]]]:
    """As a report of a shadow stage has it."""
    return {"": {"loss:challenger": loss, "brier:challenger": brier}}


def looks(
    count: int,
    rng: np.random.Generator,
    wrong: float,
    n: int = 50,
    state: State | None = None,
    south: float | None = None,
    expected: dict[str, float] | None = None,
) -> tuple[State, Verdict]:
    """Looks at labelled rows of a version that is wrong with that chance; 0.2 off where it is right, and else 0.8."""
    state = state or start(RULES, expected)
    for place in range(count):
        chance = np.full(n, wrong)
        region = np.where(np.arange(n) % 5 == 0, "region=south", "region=north")
        if south is not None:
            chance[region == "region=south"] = south
        score = rng.choice([0.2, 0.8], n)
        label = np.where(rng.random(n) < chance, score < 0.5, score >= 0.5).astype(float)
        rows = Rows(score, score, np.arange(n), label, {"region": region})
        since = BEGIN + timedelta(minutes=state.looks + place)
        batch = collect(rows, RULES, REFERENCE, since, since + timedelta(minutes=1), labels_only=True)
        state = update(state, batch, RULES)
    return state, verdict(state, RULES)


@given(
    raw=st.lists(st.floats(0, 1), min_size=21, max_size=21).filter(lambda w: sum(w) > 0.1),
    bound=st.floats(0.01, 0.95),
)
def test_no_bet_against_the_bound_pays_while_it_holds(raw: list[float], bound: float) -> None:
    """The exact expectation of one more unit, of whatever distribution, on whatever came before."""
    chances = np.array(raw) / sum(raw)
    values = np.array(GRID[STEPS:])
    mean = float(chances @ values)
    if mean > bound:
        chances, mean = chances * bound / mean, bound
        chances[0] += 1 - chances.sum()
    for before in (Track(), Track().grown(signs(30, 170), bound)):
        after = [
            before.grown(tuple(float(k == place) for k in range(len(GRID))), bound).log_e
            for place in range(STEPS, len(GRID))
        ]
        assert float(chances @ np.exp(after)) <= exp(before.log_e) * (1 + 1e-9)


@given(st.integers(0, 5000))
def test_no_more_is_laid_out_than_there_is(epochs: int) -> None:
    assert left(0) == 1
    assert 0 < left(epochs + 1) < left(epochs)


@settings(max_examples=30)
@given(
    mean=st.floats(0.02, 0.6),
    tolerated=st.floats(0, 0.1),
    seed=st.integers(0, 10**6),
    n=st.integers(200, 1500),
)
def test_false_alarms_stay_within_alpha_whatever_the_rate(
    mean: float, tolerated: float, seed: int, n: int
) -> None:
    """Shadow and live of the same rate, the margin's edge included: bound and test together, 80 times over. Alpha is
    0.05; more than 12 of 80 would have a chance of one in a thousand."""
    rng = np.random.default_rng(seed)
    alarms = 0
    for _ in range(80):
        hits = rng.binomial(n, mean)
        bound = betting.upper(signs(hits, n - hits), 0.025)
        track, highest = Track(), 0.0
        for _ in range(30):
            more = rng.binomial(100, min(1.0, mean + tolerated))
            if bound + tolerated >= 1:
                break
            track = track.grown(signs(more, 100 - more), bound + tolerated)
            highest = max(highest, track.log_e)
        alarms += highest >= log(1 / 0.025)
    assert alarms <= 12


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.floats(0.001, 0.2))
def test_the_bound_is_above_the_mean_and_falls_with_labels(values: list[float], alpha: float) -> None:
    counts = on_grid(np.array(values))
    bound = betting.upper(counts, alpha)
    assert np.mean(values) - 1e-6 <= bound <= 1
    assert betting.upper(tuple(10 * weight for weight in counts), alpha) <= bound + 1e-5
    assert betting.upper(counts, alpha / 10) >= bound - 1e-5


def test_the_bound_covers_at_whatever_moment_one_stops() -> None:
    """Stopped at the moment that looks best, 300 times."""
    rng = np.random.default_rng(4)
    missed = 0
    for _ in range(300):
        hits = np.cumsum(rng.random(800) < 0.2)
        least = min(betting.upper(signs(hits[n], n + 1 - hits[n]), 0.05) for n in range(99, 800, 100))
        missed += least < 0.2
    assert missed <= 24


def test_more_labels_make_a_tighter_bound() -> None:
    widths = [betting.upper(signs(0.15 * n, 0.85 * n), 0.01) - 0.15 for n in (200, 2_000, 20_000)]
    assert widths[0] > 2.5 * widths[1] > 6 * widths[2]
    assert widths[2] < 0.011


def test_what_the_shadow_showed_is_expected_and_else_what_the_evaluation_says() -> None:
    found = promises(
        labelled(signs(90, 510), signs(60, 540)), {"loss of region=south": 0.3, "loss": 0.01}, RULES
    )
    assert {name: each.source for name, each in found.items()} == {
        "loss": "shadow",
        "brier": "shadow",
        "loss of region=south": "evaluation",
    }
    assert found["loss"].mean == pytest.approx(0.15)
    assert found["loss"].labels == 600
    assert found["loss of region=south"].bound == 0.3
    few = promises(labelled(signs(10, LEAST - 11), signs(10, LEAST - 11)), {"brier": 0.2}, RULES)
    assert list(few) == ["brier"]


def test_a_version_as_good_as_promised_passes() -> None:
    expected = {
        name: each.bound
        for name, each in promises(labelled(signs(90, 510), signs(60, 540)), {}, RULES).items()
    }
    _, said = looks(80, np.random.default_rng(1), 0.15, expected=expected)
    assert said.outcome == "pass", said.needs
    assert {check.name for check in said.checks} == {"loss", "brier"}
    assert said.threshold == pytest.approx(np.log10(2 / RULES.settings.alpha))


@pytest.mark.parametrize("good", [0, 40, 400])
def test_a_loss_is_found_however_late_it_comes(good: int) -> None:
    """Twelve points more wrong, after none, 2,000 and 20,000 labels without fault: a few hundred more each time."""
    expected = {"loss": 0.19, "brier": 0.19}
    rng = np.random.default_rng(2)
    state, said = looks(good, rng, 0.15, expected=expected)
    assert said.outcome in ("undecided", "pass")
    needed = 0
    while said.outcome != "fail":
        state, said = looks(1, rng, 0.33, state=state)
        needed += 50
        assert needed <= 1_500
    assert said.decided_by in ("loss", "brier")
    # What it was before has no say in it: the mean of all is far below what is tolerated.
    if good == 400:
        assert next(check for check in said.checks if check.name == "loss").observed == pytest.approx(
            0.16, abs=0.01
        )


def test_a_slice_is_held_to_its_own_promise() -> None:
    expected = {"loss": 0.25, "brier": 0.25, "loss of region=south": 0.2, "brier of region=south": 0.2}
    _, said = looks(60, np.random.default_rng(3), 0.15, south=0.5, expected=expected)
    assert said.outcome == "fail"
    assert said.decided_by in ("loss of region=south", "brier of region=south")
    assert [each.slice for each in said.slices if each.outcome == "fail"]


def test_without_a_promise_nothing_is_said_for_or_against_it() -> None:
    _, said = looks(20, np.random.default_rng(1), 0.9)
    assert said.outcome == "undecided"
    assert said.log10_e == pytest.approx(0, abs=1e-9)
    assert [need.partition(":")[0] for need in said.needs] == ["loss", "brier"]
    assert all("what to expect is not known" in need for need in said.needs)


def test_the_state_is_exact_and_of_one_size() -> None:
    expected = {"loss": 0.19, "brier": 0.19}
    state, said = looks(60, np.random.default_rng(1), 0.2, expected=expected)
    again = State.model_validate_json(state.model_dump_json())
    assert again == state
    assert verdict(again, RULES) == said
    longer, _ = looks(600, np.random.default_rng(1), 0.2, expected=expected)
    assert len(longer.model_dump_json()) < 1.3 * len(state.model_dump_json())
    assert state.tracks["loss"].epochs == 60 * 50 // EPOCH


def test_the_scores_of_a_rule_promise_nothing() -> None:
    rules = RULES.model_copy(update={"comparable": False})
    found = promises(labelled(signs(90, 510), signs(60, 540)), {}, rules)
    assert list(found) == ["loss"]
    said = verdict(start(rules, {"loss": 0.2}), rules)
    assert {check.name: check.role for check in said.checks} == {"loss": "watched", "brier": "reported"}
