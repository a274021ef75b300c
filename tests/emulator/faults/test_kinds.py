"""What faults there are, what is refused, and which calls are struck."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.faults.kinds import Fault, Model, Struck, packed, read, strikes, unpacked
from emulator.faults.tally import Tally
from sluice.errors import SluiceError

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PACKAGE = "arn:aws:sagemaker:us-east-1:123456789012:model-package/flights/12"


@given(st.integers(1, 100), st.integers(1, 400))
def test_of_the_first_n_calls_the_share_is_struck_to_the_very_call(percent: int, calls: int) -> None:
    struck = sum(strikes(number, percent / 100) for number in range(1, calls + 1))
    assert struck == percent * calls // 100


def test_strikes_are_spread() -> None:
    assert [number for number in range(1, 13) if strikes(number, 0.25)] == [4, 8, 12]


def test_every_fault_counts_each_call_and_the_first_that_strikes_has_it() -> None:
    one, two = (Fault(name=name, what=Model(endpoint="e", fail=0.5), began=NOW) for name in "ab")
    tally = Tally()
    found = [tally.first([(one, 0.5), (two, 1.0)]) for _ in range(4)]
    assert [each.name for each in found if each is not None] == ["b", "a", "b", "a"]
    assert tally.counts() == {"a": (4, 2), "b": (4, 2)}


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (None, "there is no fault None. There are: instance, zone, model"),
        ({"kind": "flood"}, "there is no fault 'flood'"),
        (
            {"kind": "captures", "endpoint": "e", "lose": 1.5},
            "a share lies above 0 and is at most 1, not 1.5",
        ),
        ({"kind": "captures", "endpoint": "e", "lose": 0}, "a share lies above 0 and is at most 1, not 0"),
        ({"kind": "captures", "endpoint": "e"}, "lose: Field required"),
        (
            {"kind": "captures", "lose": 1, "endpoint": "e", "color": 1},
            "color: Extra inputs are not permitted",
        ),
        ({"kind": "model", "endpoint": "e"}, "exactly one of slow and fail"),
        ({"kind": "model", "endpoint": "e", "slow": 5, "fail": 0.5}, "exactly one of slow and fail"),
        ({"kind": "model", "endpoint": "e", "share": 0.5, "fail": 0.5}, "share belongs to slow"),
        ({"kind": "model", "endpoint": "e", "slow": -1}, "slow: Input should be greater than 0"),
        ({"kind": "api"}, "exactly one of throttle and lose"),
        ({"kind": "api", "throttle": 1, "action": "UpdateEndpoint"}, "an action needs its service"),
        ({"kind": "labels", "workload": "w"}, "exactly one of late and missing"),
        ({"kind": "labels", "workload": "w", "late": 1, "seconds": 0}, "lasts longer than 0 seconds"),
        ({"kind": "labels", "workload": "w", "late": 1, "seconds": "long"}, "are a number, not 'long'"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(body: Any, problem: str) -> None:
    with pytest.raises(SluiceError) as error:
        read(body)
    assert problem in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("about", "concerned"),
    [
        ({}, True),
        ({"endpoint": "other"}, False),
        ({"variant": "AllTraffic"}, True),
        ({"variant": "Shadow"}, False),
        ({"config": "c1"}, True),
        ({"config": "c2"}, False),
        ({"package": "flights/12"}, True),
        ({"package": PACKAGE}, True),
        ({"package": "flights/1"}, False),
        ({"package": "12"}, False),
        ({"variant": "AllTraffic", "package": "flights/13"}, False),
    ],
)
def test_a_fault_of_a_model_is_about_what_it_names(about: dict[str, Any], concerned: bool) -> None:
    fault = Model(**{"endpoint": "e", "fail": 1.0, **about})
    assert fault.concerns("e", "AllTraffic", "c1", PACKAGE) is concerned


def test_a_model_without_a_package_is_of_none() -> None:
    assert Model(endpoint="e", fail=1.0).concerns("e", "v", "c", None)
    assert not Model(endpoint="e", fail=1.0, package="flights/1").concerns("e", "v", "c", None)


def test_a_fault_goes_to_another_process_whole() -> None:
    fault = Fault(
        name="model-1",
        what=Model(endpoint="e", slow=5, share=0.1),
        began=NOW,
        ends=NOW + timedelta(seconds=1.5),
        instances=(Struck(id="i", endpoint="e", variant="v", config="c", zone="z"),),
    )
    assert unpacked(packed(fault)) == fault
