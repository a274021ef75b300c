"""The isolated steps, each a process, on a small slice of the real flights."""

from datetime import UTC, datetime

import polars as pl
import pytest

from pipelines.steps.job import read_json
from tests.pipelines.chain import Chain, between
from workloads.flights import source
from workloads.modules import Description

PERIOD = (datetime(2013, 1, 1, tzinfo=UTC), datetime(2013, 1, 19, tzinfo=UTC))
TRAIN, EVALUATE = "2013-01-15T00:00:00Z", "2013-01-19T00:00:00Z"


def data():
    observations = between(source.load_observations(), "departed_at", *PERIOD)
    return observations, between(source.load_labels(), "known_at", *PERIOD)


def test_a_first_and_a_second_model(tmp_path):
    chain = Chain(tmp_path, *data())
    chain.run(TRAIN, EVALUATE)
    model = chain.outputs / "model-folder"
    first = Description.read(model)
    assert (first.version, first.change) == ("1.0", "method")
    assert first.train_until == TRAIN and first.rows > 8000
    evaluation = chain.read("evaluation", "evaluation.json")
    assert set(evaluation["models"]) == {"candidate", "incumbent", "baseline"}
    auc = {name: m["metrics"]["auc"] for name, m in evaluation["models"].items()}
    assert auc["candidate"] > auc["incumbent"] > auc["baseline"] == 0.5
    assert "origin=EWR" in {part["slice"] for part in evaluation["slices"]}
    assert chain.read("gate", "gate.json")["notes"] == ["there is no champion to compare with"]

    # The second sees the first as champion, in a process with the first's own code, which says so by breaking.
    known = {"package": "arn/1", "version": "1.0", "code_hash": first.code_hash, "data_hash": "other"}
    chain.champion(model, [known], "arn/1")
    chain.step(
        "validate", ["observations", "labels", "champion"], {"TRAIN_UNTIL": TRAIN, "EVALUATE_UNTIL": EVALUATE}
    )
    assert chain.read("report", "report.json")["drift"]["fields"]["dep_delay"]["psi"] < 0.5
    chain.train({"trees": "20", "learning_rate": "0.3"})
    second = Description.read(chain.outputs / "model-folder")
    assert (second.version, second.change) == ("1.1", "data")
    assert second.hyperparameters["trees"] == 20
    own = chain.outputs / "champion" / "model" / "code" / "workloads" / "flights" / "features.py"
    own.write_text(own.read_text().replace("x[:, position] = columns[name]", "x[:, position] = 0"))
    chain.step("evaluate", ["model", "evaluation_rows", "champion"], {}, {"evaluation_rows": "evaluation"})
    models = chain.read("evaluation", "evaluation.json")["models"]
    assert models["champion"]["metrics"]["auc"] < models["candidate"]["metrics"]["auc"] - 0.1


def test_bad_rows_are_put_aside_and_a_bad_batch_stops(tmp_path):
    observations, labels = data()
    # Nine of 14,000 rows: fewer than the share that refuses a batch.
    few = observations.with_row_index("n").with_columns(
        dep_delay=pl.when(pl.col("n") < 9).then(1e6).otherwise(pl.col("dep_delay"))
    )
    (tmp_path / "few").mkdir()
    chain = Chain(tmp_path / "few", few.drop("n"), labels)
    moments = {"TRAIN_UNTIL": TRAIN, "EVALUATE_UNTIL": EVALUATE}
    chain.step("validate", ["observations", "labels", "champion"], moments)
    assert chain.read("report", "validation.json")["passed"]
    assert chain.read("report", "report.json")["bad"] == 9
    aside = pl.read_parquet(chain.outputs / "quarantine" / "rows.parquet")
    assert aside["problem"].to_list() == ["dep_delay: 1e+06 is above 2880"] * 9

    (tmp_path / "many").mkdir()
    broken = observations.with_columns(carrier=pl.lit("ZZ"))
    chain = Chain(tmp_path / "many", broken, labels)
    chain.run(TRAIN, EVALUATE)
    verdict = chain.read("report", "validation.json")
    assert not verdict["passed"] and "category of carrier" in verdict["reason"]
    assert not (chain.outputs / "train").exists()


def test_a_step_without_its_input_says_so_in_one_sentence(tmp_path):
    chain = Chain(tmp_path, *data())
    with pytest.raises(Exception, match="non-zero exit status 1"):
        chain.step("gate", [])
    assert chain.message("gate").startswith("the step needs evaluation.json in ")
    with pytest.raises(FileNotFoundError):
        chain.read("gate", "gate.json")
    assert read_json(chain.outputs / "champion" / "champion.json")["package"] == ""
