"""What faults do to invocations and captures, as the data plane decides it."""

from datetime import UTC, datetime, timedelta

from emulator.dataplane.faults import DataFaults, Effect
from emulator.dataplane.table import Fleet
from emulator.faults.kinds import Captures, Fault, Model, What, packed


def fleet(variant: str = "AllTraffic", config: str = "c1") -> Fleet:
    return Fleet(variant=variant, config=config, kind="production", weight=1.0, instances=())


def told(*faults: tuple[str, What], seconds: float = 60) -> DataFaults:
    now = datetime.now(UTC)
    made = DataFaults()
    made.set(
        [packed(Fault(name=n, what=w, began=now, ends=now + timedelta(seconds=seconds))) for n, w in faults]
    )
    return made


def test_without_a_fault_nothing_happens() -> None:
    assert DataFaults().invocation("e", fleet()) is None
    assert not DataFaults().loses_capture("e", "AllTraffic")


def test_slow_and_failing_models_have_counters_of_their_own() -> None:
    faults = told(
        ("slow", Model(endpoint="e", slow=250, share=0.5)),
        ("bad", Model(endpoint="e", fail=0.25, config="c1")),
    )
    found = [faults.invocation("e", fleet()) for _ in range(4)]
    assert found == [None, Effect(0.25, None), None, Effect(0.25, "bad")]
    assert faults.invocation("e", fleet(config="c2")) is None
    assert faults.invocation("other", fleet()) is None
    assert faults.counts() == {"slow": (5, 2), "bad": (4, 1)}


def test_a_counter_goes_on_when_another_fault_begins() -> None:
    what = Model(endpoint="e", fail=0.5)
    faults = told(("bad", what))
    assert faults.invocation("e", fleet()) is None
    now = datetime.now(UTC)
    faults.set([packed(Fault(name=name, what=what, began=now)) for name in ("bad", "new")])
    assert faults.invocation("e", fleet()) == Effect(0.0, "bad")


def test_captures_of_one_variant_are_lost() -> None:
    faults = told(("lost", Captures(endpoint="e", variant="Shadow", lose=1.0)))
    assert faults.loses_capture("e", "Shadow")
    assert not faults.loses_capture("e", "AllTraffic")


def test_a_fault_whose_time_is_over_strikes_nothing() -> None:
    faults = told(("bad", Model(endpoint="e", fail=1.0)), seconds=-1)
    assert faults.invocation("e", fleet()) is None
