"""Metrics against definitions written out row by row."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.steps.metrics import Scored, bootstrap, calibration, metrics
from workloads.contract import Costs

COSTS = Costs(miss=3, false_alarm=2)
ROWS = st.lists(
    st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.5, 0.75, 0.9, 1.0]), st.booleans(), st.integers(1, 3)),
    min_size=1,
    max_size=40,
)


def of(rows):
    scores, labels, weights = (np.array(column) for column in zip(*rows, strict=True))
    scored = Scored(scores.astype(float), labels.astype(bool))
    return metrics(scored, 0.5, COSTS, weights.astype(float))


def repeated(rows):
    return [(score, label) for score, label, weight in rows for _ in range(weight)]


@given(ROWS)
def test_auc_is_the_share_of_pairs_in_order(rows):
    flat = repeated(rows)
    ups, downs = [s for s, y in flat if y], [s for s, y in flat if not y]
    found = of(rows)["auc"]
    if not ups or not downs:
        assert found is None
        return
    won = sum((u > d) + (u == d) / 2 for u in ups for d in downs)
    assert found == pytest.approx(won / (len(ups) * len(downs)))


@given(ROWS)
def test_average_precision_is_precision_at_each_hit(rows):
    flat = repeated(rows)
    ups = [s for s, y in flat if y]
    found = of(rows)["average_precision"]
    if not ups:
        assert found is None
        return
    precisions = [sum(y for s, y in flat if s >= u) / sum(1 for s, _ in flat if s >= u) for u in ups]
    assert found == pytest.approx(sum(precisions) / len(ups))


@given(ROWS)
def test_the_rest_is_counting(rows):
    flat, found = repeated(rows), of(rows)
    n = len(flat)
    hits = sum(1 for s, y in flat if y and s >= 0.5)
    called = sum(1 for s, _ in flat if s >= 0.5)
    yes = sum(y for _, y in flat)
    assert found["precision"] == (pytest.approx(hits / called) if called else None)
    assert found["recall"] == (pytest.approx(hits / yes) if yes else None)
    assert found["decision_rate"] == pytest.approx(called / n)
    assert found["cost_per_row"] == pytest.approx((3 * (yes - hits) + 2 * (called - hits)) / n)
    assert found["brier"] == pytest.approx(sum((s - y) ** 2 for s, y in flat) / n)
    clipped = [(min(max(s, 1e-7), 1 - 1e-7), y) for s, y in flat]
    assert found["log_loss"] == pytest.approx(-sum(math.log(s if y else 1 - s) for s, y in clipped) / n)
    bins = {}
    for s, y in flat:
        bins.setdefault(min(int(s * 10), 9), []).append((s, y))
    ece = sum(abs(sum(s for s, _ in b) - sum(y for _, y in b)) for b in bins.values()) / n
    assert found["ece"] == pytest.approx(ece)


def test_known_values():
    scored = Scored(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True]))
    found = metrics(scored, 0.5, COSTS)
    assert found["auc"] == pytest.approx(0.75)
    assert found["average_precision"] == pytest.approx(0.8333333)


def test_intervals_cover_repeat_and_know_pairs():
    rng = np.random.default_rng(3)
    labels = rng.random(3000) < 0.3
    good = np.clip(labels * 0.4 + rng.random(3000) * 0.6, 0, 1)
    models = {"candidate": Scored(good, labels), "champion": Scored(rng.random(3000), labels)}
    first, again = (bootstrap(models, 0.5, COSTS, seed=5, rounds=60) for _ in range(2))
    assert first == again
    low, high = first["candidate"]["auc"]
    assert low < metrics(models["candidate"], 0.5, COSTS)["auc"] < high
    assert first["candidate-minus-champion"]["auc"][0] > 0
    assert sum(bin["rows"] for bin in calibration(models["champion"])) == 3000
