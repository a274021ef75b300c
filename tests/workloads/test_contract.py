import pytest
import yaml

from sluice.config import parse
from sluice.errors import SluiceError
from workloads import contract, modules
from workloads.contract import Workload, version_key


def declared(**changes):
    values = yaml.safe_load((contract.FOLDER / "flights" / "workload.yaml").read_text())
    return {**values, **changes}


def test_every_workload_loads_with_its_modules():
    for name in contract.names():
        workload = Workload.load(name)
        assert workload.name == name
        assert modules.features(name).FEATURES
        assert callable(modules.method(name).train)
        assert callable(modules.incumbent(name).decide)
        assert callable(modules.source(name).arrive)


def test_an_unknown_workload_names_those_there_are():
    with pytest.raises(SluiceError, match=r"There are: .*flights"):
        Workload.load("fligths")


def test_every_problem_is_told_at_once():
    with pytest.raises(SluiceError) as told:
        parse(Workload, declared(id="nothing", time="carrier", slices=[{"field": "moon"}]), "workload.yaml")
    for part in ("id is nothing", "time is carrier", "moon"):
        assert part in str(told.value)


def test_the_label_may_not_be_an_input():
    values = declared()
    values["input"].append({"name": "late", "type": "integer"})
    with pytest.raises(SluiceError, match="give the answer away"):
        parse(Workload, values, "workload.yaml")


def test_versions_need_their_own_fields_only():
    values = declared()
    values["input"].append({"name": "queue", "type": "integer", "since": "2.0"})
    workload = parse(Workload, values, "workload.yaml")
    assert "queue" not in {field.name for field in workload.needed("1.9")}
    assert "queue" not in {field.name for field in workload.needed("0")}
    assert "queue" in {field.name for field in workload.needed("2.0")}
    assert "queue" in workload.fields


def test_versions_order_as_numbers():
    assert sorted(["1.10", "0", "1.9", "10.0", "2.0"], key=version_key) == ["0", "1.9", "1.10", "2.0", "10.0"]
    with pytest.raises(SluiceError):
        version_key("v1")


def test_a_decision_threshold_is_what_its_costs_say():
    workload = Workload.load("flights")
    assert workload.threshold == workload.costs.false_alarm / (
        workload.costs.false_alarm + workload.costs.miss
    )


def test_the_replay_maps_time_by_one_factor():
    workload = Workload.load("flights")
    assert workload.replay is not None
    began = contract.datetime(2026, 1, 1, tzinfo=contract.UTC)
    later = began + contract.timedelta(seconds=24)
    event = workload.replay.event_time(began, later) - workload.replay.start
    assert workload.replay.wall_seconds(event) == pytest.approx(24)
