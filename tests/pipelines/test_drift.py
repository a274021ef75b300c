import json

import numpy as np
import pytest

from pipelines.steps import drift
from workloads.contract import InputField

FIELDS = (InputField(name="x", type="float", nullable=True), InputField(name="c", type="string"))


def columns(rng, shift=0.0, null=0.1, share=0.5, rows=20_000):
    x = rng.normal(shift, 1, rows)
    x[rng.random(rows) < null] = np.nan
    return {"x": x, "c": np.array(np.where(rng.random(rows) < share, "a", "b"), dtype=object)}


@pytest.fixture
def profile():
    # What is stored is what travels: through JSON.
    return json.loads(json.dumps(drift.profile(FIELDS, columns(np.random.default_rng(1)))))


def test_the_same_distribution_has_not_drifted(profile):
    found = drift.compare(profile, columns(np.random.default_rng(2)))
    assert found["x"]["psi"] < 0.01 and found["x"]["ks"] < 0.02 and found["c"]["psi"] < 0.01


def test_a_shift_grows_with_its_size(profile):
    sizes = [drift.compare(profile, columns(np.random.default_rng(2), shift=s))["x"] for s in (0, 0.3, 1, 3)]
    assert [s["psi"] for s in sizes] == sorted(s["psi"] for s in sizes)
    assert sizes[-1]["psi"] > 2


def test_ks_is_that_of_the_two_samples(profile):
    scipy_stats = pytest.importorskip("scipy.stats")
    then, now = columns(np.random.default_rng(1))["x"], columns(np.random.default_rng(2), shift=0.3)["x"]
    exact = scipy_stats.ks_2samp(then[~np.isnan(then)], now[~np.isnan(now)]).statistic
    assert drift.compare(profile, {"x": now})["x"]["ks"] == pytest.approx(exact, abs=2 / drift.QUANTILES)


def test_nulls_and_categories_drift_too(profile):
    found = drift.compare(profile, columns(np.random.default_rng(2), null=0.9, share=0.95))
    assert found["x"]["psi"] > 1 and found["c"]["psi"] > 0.5
    gone = drift.compare(profile, {"x": np.full(100, np.nan), "c": np.array(["new"] * 100, dtype=object)})
    assert gone["x"]["psi"] > 1 and gone["c"]["psi"] > 1


def test_half_a_million_steps_of_one_value_make_no_division_by_zero():
    stored = drift.profile(FIELDS[:1], {"x": np.zeros(1000)})
    assert drift.compare(stored, {"x": np.zeros(500)})["x"]["psi"] == pytest.approx(0, abs=1e-9)
    assert drift.compare(stored, {"x": np.ones(500)})["x"]["psi"] > 1
