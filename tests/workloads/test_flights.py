"""The flights: nothing in an observation was unknown at push-back."""

from datetime import UTC, date, datetime, timedelta

import boto3
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moto import mock_aws

from pipelines.steps.tables import typed
from workloads import modules
from workloads.contract import Workload
from workloads.flights import features, source

MIDDAY = datetime(2013, 1, 15, 17, tzinfo=UTC)


@pytest.fixture(scope="module")
def week():
    raw = source._flights()
    return raw.filter((pl.col("month") == 1) & pl.col("day").is_between(10, 16))


@pytest.fixture(scope="module")
def tables(week):
    return week, source._weather(), source._planes()


def test_what_had_not_happened_changes_no_observation(tables):
    week, weather, planes = tables
    full = source.observations(week, weather, planes)
    left = source._departed(week).filter(pl.col("departed_at") < MIDDAY)
    then = source.observations(
        left.drop("flight_id", "departed_at"), weather.filter(pl.col("observed_at") < MIDDAY), planes
    )
    before = full.filter(pl.col("departed_at") < MIDDAY)
    assert before.height > 3000
    assert then.drop("origin_delay_1h").equals(before.drop("origin_delay_1h"))
    np.testing.assert_allclose(
        then["origin_delay_1h"].to_numpy(), before["origin_delay_1h"].to_numpy(), atol=1e-9
    )


@settings(max_examples=30)
@given(st.data())
def test_recent_delays_are_those_of_flights_that_had_left(tables, data):
    full = source.observations(*tables)
    row = full.row(data.draw(st.integers(0, full.height - 1)), named=True)
    window = full.filter(
        (pl.col("origin") == row["origin"])
        & (pl.col("departed_at") < row["departed_at"])
        & (pl.col("departed_at") >= row["departed_at"] - timedelta(hours=1))
    )
    assert row["origin_departures_1h"] == window.height
    if window.height:
        assert row["origin_delay_1h"] == pytest.approx(window["dep_delay"].mean())
    else:
        assert row["origin_delay_1h"] is None


def test_labels_come_on_landing_and_never_for_flights_that_did_not():
    labels, observations = source.load_labels(), source.load_observations()
    joined = observations.join(labels, on="flight_id", how="left")
    assert joined.filter(pl.col("known_at") <= pl.col("departed_at")).is_empty()
    assert joined["late"].null_count() == 1175
    assert observations.height == 328_521
    assert observations["flight_id"].n_unique() == observations.height
    assert observations["departed_at"].is_sorted()
    flight_time = joined.select((pl.col("known_at") - pl.col("departed_at")).max()).item()
    assert flight_time < Workload.load("flights").label.delay


def test_real_rows_keep_the_declared_schema():
    workload = Workload.load("flights")
    columns, violations = typed(workload, source.load_observations())
    assert violations == []
    x = features.features(columns)
    assert x.shape == (328_521, len(features.FEATURES))
    assert not np.isinf(x).any()
    assert not np.isnan(x[:, features.FEATURES.index("dest")]).any()


def test_one_row_has_the_features_it_has_in_a_batch():
    workload = Workload.load("flights")
    frame = source.load_observations().head(200)
    columns, _ = typed(workload, frame)
    batch = features.features(columns)
    for row in (0, 77, 199):
        one = features.features({name: column[row : row + 1] for name, column in columns.items()})
        np.testing.assert_array_equal(one[0], batch[row])


def test_an_unseen_destination_is_missing_not_wrong():
    columns, _ = typed(
        Workload.load("flights"), source.load_observations().head(1).with_columns(dest=pl.lit("XXX"))
    )
    assert np.isnan(features.features(columns)[0, features.FEATURES.index("dest")])


def test_the_same_rows_and_seed_train_the_same_bytes(tmp_path):
    workload = Workload.load("flights")
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2000, 5)).astype(np.float32)
    y = x[:, 0] + rng.normal(size=2000) > 0
    parameters = {**workload.hyperparameters, "trees": 5}
    method = modules.method("flights")
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        method.train(x, y, parameters, 7).save(tmp_path / name)
    assert (tmp_path / "a/model.ubj").read_bytes() == (tmp_path / "b/model.ubj").read_bytes()
    scores = method.load(tmp_path / "a").predict(x)
    assert scores.dtype == np.float64 and ((scores > 0) & (scores < 1)).all()


@mock_aws
def test_data_arrives_once_and_only_what_was_known(monkeypatch):
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(key, "test")
    s3 = boto3.client("s3", region_name="us-east-1")
    s3.create_bucket(Bucket="data")
    until = datetime(2013, 1, 3, 18, tzinfo=UTC)
    first = source.arrive(until, "data")
    assert first["uploaded"] == 6
    assert source.arrive(until, "data") == {**first, "uploaded": 0}
    source._seen.clear()  # as another process finds it: by the content that lies there
    assert source.arrive(until, "data") == {**first, "uploaded": 0}
    s3.delete_object(Bucket="data", Key="flights/labels/dt=2013-01-03/part.parquet")
    assert source.arrive(until, "data") == {**first, "uploaded": 1}
    part = pl.read_parquet(
        s3.get_object(Bucket="data", Key="flights/labels/dt=2013-01-03/part.parquet")["Body"].read()
    )
    assert part["known_at"].max() < until
    assert first["labels"] < first["observations"]
    later = source.arrive(until + timedelta(hours=3), "data")
    assert later["uploaded"] == 2
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket="data")["Contents"]]
    assert f"flights/observations/dt={date(2013, 1, 1)}/part.parquet" in keys
