"""Alarm states, against the tables of the CloudWatch User Guide."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.cloudwatch import composite
from emulator.cloudwatch.evaluation import OPERATORS, Rule, TreatMissing, Verdict, evaluate, last_complete

PERIOD = 60
END = 600 * PERIOD
TREATMENTS: tuple[TreatMissing, ...] = ("missing", "ignore", "breaching", "notBreaching")


def rule(periods: int, datapoints: int, treat: TreatMissing = "missing") -> Rule:
    return Rule(PERIOD, periods, datapoints, 0.5, "GreaterThanThreshold", treat)


def points(text: str) -> dict[int, float]:
    """`0 - X`: good, missing, breaching, the latest last."""
    cells = text.split()
    return {
        END - PERIOD * (len(cells) - place): {"0": 0.0, "X": 1.0}[cell]
        for place, cell in enumerate(cells)
        if cell != "-"
    }


def states(text: str, periods: int, datapoints: int) -> list[str | None]:
    return [evaluate(rule(periods, datapoints, treat), points(text), END).state for treat in TREATMENTS]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 - X - X", ["OK", "OK", "OK", "OK"]),
        ("- - - - 0", ["OK", "OK", "OK", "OK"]),
        ("- - - - -", ["INSUFFICIENT_DATA", None, "ALARM", "OK"]),
        ("0 X X - X", ["ALARM", "ALARM", "ALARM", "ALARM"]),
        ("- - X - -", ["ALARM", None, "ALARM", "OK"]),
        # Premature: the next point may still be good, so `missing` waits.
        ("- - - - X", [None, None, "ALARM", "OK"]),
        ("- - - X -", [None, None, "ALARM", "OK"]),
    ],
)
def test_three_of_three(text: str, expected: list[str | None]) -> None:
    assert states(text, 3, 3) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 - X - X", ["ALARM", "ALARM", "ALARM", "ALARM"]),
        ("0 0 X 0 X", ["ALARM", "ALARM", "ALARM", "ALARM"]),
        ("0 - X - -", ["OK", "OK", "ALARM", "OK"]),
        ("- - - - 0", ["OK", "OK", "ALARM", "OK"]),
        ("- - - X -", ["ALARM", None, "ALARM", "OK"]),
    ],
)
def test_two_of_three(text: str, expected: list[str | None]) -> None:
    assert states(text, 3, 2) == expected


@pytest.mark.parametrize("comparison", OPERATORS)
def test_the_threshold_itself(comparison: str) -> None:
    found = evaluate(Rule(PERIOD, 1, 1, 0.5, comparison), {END - PERIOD: 0.5}, END).state
    assert found == ("ALARM" if "OrEqual" in comparison else "OK")


CELLS = st.lists(st.sampled_from(["0", "X", "-"]), min_size=8, max_size=8)
SIZES = st.integers(1, 5).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n)))


@given(CELLS, SIZES)
def test_without_missing_data_the_treatment_does_not_matter(cells: list[str], size: tuple[int, int]) -> None:
    text = " ".join("0" if cell == "-" else cell for cell in cells)
    found = states(text, *size)
    latest = text.split()[-size[0] :]
    assert found == [("ALARM" if latest.count("X") >= size[1] else "OK")] * 4


@given(CELLS, SIZES)
def test_breaching_alarms_whenever_not_breaching_does(cells: list[str], size: tuple[int, int]) -> None:
    _, _, breaching, good = states(" ".join(cells), *size)
    assert breaching in ("OK", "ALARM") and good in ("OK", "ALARM")
    assert not (good == "ALARM" and breaching == "OK")


@given(CELLS, SIZES, st.integers(0, 7))
def test_a_worse_point_never_clears_an_alarm(cells: list[str], size: tuple[int, int], place: int) -> None:
    before = evaluate(rule(*size, "breaching"), points(" ".join(cells)), END).state
    if cells[place] == "0":
        cells[place] = "X"
    after = evaluate(rule(*size, "breaching"), points(" ".join(cells)), END).state
    assert not (before == "ALARM" and after == "OK")


def test_points_outside_the_evaluation_range_are_not_looked_at() -> None:
    old = {END - PERIOD * 10: 1.0, END: 1.0}
    assert evaluate(rule(1, 1), old, END) == Verdict("INSUFFICIENT_DATA", (), 1)


def test_a_period_waits_for_late_points() -> None:
    assert last_complete(130.0, 10, grace=2.0) == 120
    assert last_complete(131.9, 10, grace=2.0) == 120
    assert last_complete(132.0, 10, grace=2.0) == 130


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ALARM(a)", True),
        ('ALARM("b") OR ALARM(a)', True),
        ("ALARM(a) AND NOT ALARM(b)", True),
        ("NOT (ALARM(a) OR OK(b))", False),
        ("INSUFFICIENT_DATA(c) AND FALSE", False),
        ("ALARM(arn:aws:cloudwatch:us-east-1:123456789012:alarm:a)", True),
    ],
)
def test_composite_rules(text: str, expected: bool) -> None:
    assert composite.holds(text, {"a": "ALARM", "b": "OK", "c": "INSUFFICIENT_DATA"}) is expected


@pytest.mark.parametrize("text", ["", "ALARM(a) ALARM(b)", "ALARM(a) AND", "(ALARM(a)", "a > 1"])
def test_a_wrong_composite_rule_is_refused(text: str) -> None:
    with pytest.raises(Exception, match="AlarmRule"):
        composite.holds(text, {})
