"""The count tests: no look pays on average under the null, whatever the traffic, the dependence, or the fractions."""

from itertools import product
from math import comb, exp
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endpoints.release.judge import shares

MARGINS = st.sampled_from([1.0, 1.05, 1.25, 2.0])
SHARES = st.floats(0.02, 0.98)


def binomial(n: int, p: float) -> list[float]:
    return [comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]


@given(margin=MARGINS, share=SHARES, events=st.integers(1, 30), part=st.floats(0, 1))
def test_a_look_pays_nothing_on_average_up_to_the_margin(
    margin: float, share: float, events: int, part: float
) -> None:
    test = shares.worse(margin)
    ratio = margin * part
    chance = share * ratio / (1 - share + share * ratio)
    mean = sum(
        p * exp(shares.log_e(shares.add(test.begin, k, events - k, share, test)))
        for k, p in enumerate(binomial(events, chance))
    )
    assert mean <= 1 + 1e-9


@given(margin=MARGINS, share=SHARES, events=st.integers(1, 30), more=st.floats(1, 20))
def test_the_other_side_pays_nothing_from_the_bound_on(
    margin: float, share: float, events: int, more: float
) -> None:
    test = shares.acceptable(margin)
    ratio = margin * more
    chance = share * ratio / (1 - share + share * ratio)
    mean = sum(
        p * exp(shares.log_e(shares.add(test.begin, k, events - k, share, test)))
        for k, p in enumerate(binomial(events, chance))
    )
    assert mean <= 1 + 1e-9


@given(margin=MARGINS, both=st.floats(0, 0.3), champion=st.floats(0, 0.3), part=st.floats(0, 1))
def test_mirrored_requests_may_fail_together(
    margin: float, both: float, champion: float, part: float
) -> None:
    """`both`: fails in both arms; the challenger's rate is at most the margin times the champion's."""
    most = margin * (both + champion) - both
    mine = part * min(most, 1 - both - champion)
    test = shares.worse(margin)
    cases = ((1, 1, both), (1, 0, mine), (0, 1, champion), (0, 0, 1 - both - champion - mine))
    for place in range(len(test.ratios)):
        mean = sum(p * exp(shares.add(test.begin, k, b, 0.5, test)[place]) for k, b, p in cases)
        assert mean <= 1 + 1e-9


@given(n_two=st.integers(1, 15), n_one=st.integers(1, 15), data=st.data())
def test_frequent_events_are_safe_too(n_two: int, n_one: int, data: st.DataObject) -> None:
    """Given how many of all requests were hit, those of the challenger are hypergeometric."""
    total = n_two + n_one
    hit = data.draw(st.integers(1, total))
    test = shares.worse(1.0)
    mean = sum(
        comb(n_two, k)
        * comb(n_one, hit - k)
        / comb(total, hit)
        * exp(shares.log_e(shares.add(test.begin, k, hit - k, n_two / total, test)))
        for k in range(max(0, hit - n_one), min(hit, n_two) + 1)
    )
    assert mean <= 1 + 1e-9


@given(
    margin=MARGINS,
    weights=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0.01, 1)), min_size=2, max_size=6),
)
def test_units_of_several_rows_count_in_parts(
    margin: float, weights: list[tuple[float, float, float]]
) -> None:
    """Units give fractions of events, and the mean of the challenger's is at most the margin times the champion's."""
    chances = np.array([w for _, _, w in weights]) / sum(w for _, _, w in weights)
    mine, theirs = (np.array([w[side] for w in weights]) for side in (0, 1))
    if chances @ mine > margin * (chances @ theirs):
        mine = mine * margin * (chances @ theirs) / (chances @ mine)
    test = shares.worse(margin)
    for place in range(len(test.ratios)):
        mean = sum(
            p * exp(shares.add(test.begin, k, b, 0.5, test)[place])
            for p, k, b in zip(chances, mine, theirs, strict=True)
        )
        assert mean <= 1 + 1e-9


@given(
    looks=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.floats(0.1, 0.9)), max_size=12),
    random=st.randoms(),
)
def test_the_order_of_looks_makes_no_difference(looks: list[tuple[int, int, float]], random: Random) -> None:
    test = shares.worse(1.1)

    def final(order: list[tuple[int, int, float]]) -> float:
        logs = test.begin
        for look in order:
            logs = shares.add(logs, *look, test)
        return shares.log_e(logs)

    shuffled = list(looks)
    random.shuffle(shuffled)
    assert final(shuffled) == pytest.approx(final(looks), abs=1e-9)


@given(bound=st.floats(0.001, 0.5), more=st.floats(0, 1), n=st.integers(1, 40))
def test_an_absolute_bound_pays_nothing_on_average(bound: float, more: float, n: int) -> None:
    rate = bound + more * (1 - bound)
    mean = sum(p * exp(shares.below(k, n, bound)) for k, p in enumerate(binomial(n, rate)))
    assert mean <= 1 + 1e-9


def test_an_incident_in_both_arms_is_evidence_of_nothing() -> None:
    """A thousand errors that fall as the traffic does leave less evidence than there was."""
    test = shares.worse(1.0)
    before = shares.add(test.begin, 3, 9, 0.1, test)
    after = shares.add(before, 100, 900, 0.1, test)
    assert shares.log_e(after) < shares.log_e(before)


def test_no_traffic_in_an_arm_is_no_evidence() -> None:
    test = shares.worse(1.0)
    assert shares.add(test.begin, 5, 0, 1.0, test) == test.begin
    assert shares.add(test.begin, 0, 0, 0.5, test) == test.begin


@settings(max_examples=30)
@given(look=st.integers(1, 6))
def test_all_patterns_of_a_short_release_average_at_most_one(look: int) -> None:
    """Not look by look but as a whole: the mean over every sequence of events of the final e-value."""
    test = shares.worse(1.0)
    total = 0.0
    for pattern in product((0, 1), repeat=look):
        logs = test.begin
        chance = 1.0
        for place, hit in enumerate(pattern):
            share = 0.1 + 0.05 * place
            logs = shares.add(logs, hit, 1 - hit, share, test)
            chance *= share if hit else 1 - share
        total += chance * exp(shares.log_e(logs))
    assert total == pytest.approx(1.0)
