"""Bets on bounded means: fair at the bound, never richer for being counted on a grid, blind to order."""

from math import exp

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from endpoints.release.judge import betting
from endpoints.release.judge.batch import GRID
from endpoints.release.judge.collect import on_grid

VALUES = st.lists(st.floats(-1, 1), min_size=1, max_size=30)


def one(value: int) -> tuple[float, ...]:
    return tuple(float(place == value) for place in range(len(GRID)))


@given(
    raw=st.lists(st.floats(0, 1), min_size=41, max_size=41).filter(lambda w: sum(w) > 0.1),
    bound=st.floats(-0.5, 0.9),
    parts=st.sampled_from([betting.SIGNS, betting.SCORES]),
)
def test_a_bet_pays_nothing_on_average_under_its_null(
    raw: list[float], bound: float, parts: tuple[float, ...]
) -> None:
    chances = np.array(raw) / sum(raw)
    mean = float(chances @ np.array(GRID))
    pays = np.array([exp(betting.log_e(one(k), bound, -1.0, "above", parts)) for k in range(41)])
    if mean <= bound:
        assert chances @ pays <= 1 + 1e-9
    pays = np.array([exp(betting.log_e(one(k), bound, -1.0, "below", parts)) for k in range(41)])
    if mean >= bound:
        assert chances @ pays <= 1 + 1e-9


@given(bound=st.floats(0.0, 0.6), low=st.sampled_from([0.0, -1.0]))
def test_no_single_value_loses_everything(bound: float, low: float) -> None:
    for place, value in enumerate(GRID):
        if value >= low:
            assert betting.log_e(one(place), bound, low, "above") > -3
            assert betting.log_e(one(place), bound, low, "below") > -12


@given(values=VALUES, bound=st.floats(-0.5, 0.5), side=st.sampled_from(["above", "below"]))
def test_counting_on_the_grid_never_adds_evidence(
    values: list[float], bound: float, side: betting.Side
) -> None:
    exact = 0.0
    room = 1 / (bound + 1) if side == "above" else 1 / (1 - bound)
    sign = 1 if side == "above" else -1
    per_bet = [
        sum(np.log1p(sign * part * room * (value - bound)) for value in values) for part in betting.SIGNS
    ]
    exact = float(np.logaddexp.reduce(per_bet) - np.log(len(per_bet)))
    # Values are rounded to a millionth of a step when they are split.
    assert betting.log_e(on_grid(np.array(values)), bound, -1.0, side) <= exact + 1e-4


@given(values=VALUES)
def test_the_grid_keeps_number_and_mean(values: list[float]) -> None:
    weights = on_grid(np.array(values))
    assert sum(weights) == len(values)
    assert betting.mean(weights) == pytest.approx(np.mean(values), abs=1e-6)


@given(one_part=VALUES, other=VALUES)
def test_parts_add_up_exactly(one_part: list[float], other: list[float]) -> None:
    whole = on_grid(np.array(one_part + other))
    parts = zip(on_grid(np.array(one_part)), on_grid(np.array(other)), strict=True)
    assert whole == tuple(a + b for a, b in parts)


def test_no_evidence_is_no_evidence() -> None:
    assert betting.log_e((), 0.1, 0.0, "above") == 0.0
    assert betting.mean(()) is None
