from hypothesis import given
from hypothesis import strategies as st

from pipelines.steps.gating import decide
from workloads.contract import ChampionRule, Gate

GATE = Gate(
    bounds={"auc": 0.8, "log_loss": 0.4},
    champion=ChampionRule(metric="auc", margin=0.01, slice_margin=0.05, slice_minimum_rows=100),
)
METRIC = st.one_of(st.none(), st.floats(0, 1))


def metrics(auc, log_loss=0.3):
    return {"metrics": {"auc": auc, "log_loss": log_loss}}


def evaluation(candidate, champion=None, slices=(), baseline=0.5, log_loss=0.3):
    models = {"candidate": metrics(candidate, log_loss), "baseline": metrics(baseline)}
    if champion is not None:
        models["champion"] = metrics(champion)
    parts = [
        {"slice": name, "rows": rows, "metrics": {"candidate": {"auc": ours}, "champion": {"auc": theirs}}}
        for name, rows, ours, theirs in slices
    ]
    return {"rows": 1000, "models": models, "slices": parts}


def test_a_good_first_model_passes_and_says_it_had_no_rival():
    assert decide(GATE, evaluation(0.85)) == ([], ["there is no champion to compare with"])


def test_floors_and_ceilings_are_named():
    reasons, _ = decide(GATE, evaluation(0.75, log_loss=0.5))
    assert reasons == [
        "auc is 0.7500, below the floor of 0.8",
        "log_loss is 0.5000, above the ceiling of 0.4",
    ]


def test_worse_than_the_champion_is_refused_beyond_the_margin_only():
    assert decide(GATE, evaluation(0.895, 0.9))[0] == []
    assert "is worse than the champion's 0.9000" in decide(GATE, evaluation(0.88, 0.9))[0][0]


def test_a_baseline_must_be_beaten_not_met():
    assert "does not beat the baseline" in decide(GATE, evaluation(0.85, baseline=0.85))[0][0]


def test_one_bad_slice_refuses_a_model_that_is_better_overall():
    reasons, notes = decide(
        GATE, evaluation(0.95, 0.9, [("origin=EWR", 500, 0.7, 0.9), ("carrier=HA", 9, 0.1, 0.9)])
    )
    assert len(reasons) == 1 and "the champion on origin=EWR" in reasons[0]
    assert notes == ["carrier=HA has 9 rows, fewer than 100"]


def test_a_slice_that_only_the_candidate_cannot_be_judged_on_is_no_pass():
    assert decide(GATE, evaluation(0.95, 0.9, [("origin=EWR", 500, None, 0.9)]))[0]


@given(METRIC, METRIC, METRIC, METRIC, METRIC)
def test_what_passes_is_defined_and_good_everywhere(ours, theirs, loss, ours_slice, theirs_slice):
    found = evaluation(ours, log_loss=loss, slices=[("s", 100, ours_slice, theirs_slice)])
    found["models"]["champion"] = metrics(theirs)
    reasons, _ = decide(GATE, found)
    good = ours is not None and loss is not None and theirs is not None
    good = good and ours >= 0.8 and loss <= 0.4 and ours - theirs >= -0.01 and ours > 0.5
    if theirs_slice is not None:
        good = good and ours_slice is not None and ours_slice - theirs_slice >= -0.05
    assert (not reasons) == good


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_better_candidate_is_never_refused_where_a_worse_one_passes(a, b, champion):
    low, high = sorted([a, b])
    if not decide(GATE, evaluation(low, champion))[0]:
        assert not decide(GATE, evaluation(high, champion))[0]
