"""`/_sluice/faults`: what is not there is refused in one sentence, and changes nothing."""

from typing import Any

import pytest

from tests.emulator.faults.conftest import InProcess


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"kind": "instance", "endpoint": "no"}, "there is no endpoint 'no'"),
        ({"kind": "model", "endpoint": "no", "fail": 1}, "there is no endpoint 'no'"),
        ({"kind": "captures", "endpoint": "no", "lose": 1}, "there is no endpoint 'no'"),
        ({"kind": "zone", "zone": "us-east-1a", "endpoint": "no"}, "there is no endpoint 'no'"),
        (
            {"kind": "zone", "zone": "us-east-1d"},
            "there is no zone 'us-east-1d'. There are: us-east-1a, us-east-1b",
        ),
        ({"kind": "events", "rule": "no"}, "there is no rule 'no'"),
        ({"kind": "function", "function": "no"}, "there is no function 'no'"),
        ({"kind": "api", "throttle": 1, "service": "no"}, "AWS has no service 'no'"),
        (
            {"kind": "api", "throttle": 1, "service": "sagemaker", "action": "Up"},
            "the service sagemaker has no action 'Up'. Write it like UpdateEndpoint.",
        ),
        ({"kind": "api", "throttle": 2}, "a share lies above 0 and is at most 1, not 2"),
        ({"kind": "no"}, "there is no fault 'no'"),
        (["kind"], "there is no fault None"),
    ],
)
def test_what_is_not_there_is_refused(here: InProcess, body: Any, problem: str) -> None:
    status, answer = here.ask("POST", "", body)
    assert status == 400
    assert problem in answer["error"]
    assert here.ask("GET") == (200, {"faults": []})


def test_a_fault_is_seen_until_it_is_over(here: InProcess) -> None:
    fault = here.inject("api", throttle=0.5, service="iam", seconds=30)
    assert fault == {
        "fault": "api-1",
        "kind": "api",
        "what": {"throttle": 0.5, "service": "iam"},
        "active": True,
        "began": "2026-01-01T10:00:00Z",
        "ends": "2026-01-01T10:00:30Z",
        "ended": None,
        "seen": 0,
        "struck": 0,
        "instances": [],
    }
    here.world.clock.sleep(30)
    ((listed,),) = (here.ask("GET")[1]["faults"],)
    assert listed == {**fault, "active": False, "ended": "2026-01-01T10:00:30Z"}
    assert here.ask("DELETE", "/api-1")[0] == 400
    assert here.ask("DELETE", "/api-2") == (
        400,
        {"error": "there is no fault 'api-2'. `sluice fault list` names those there are."},
    )


def test_all_end_at_once(here: InProcess) -> None:
    here.inject("events")
    here.inject("zone", zone="us-east-1a")
    assert here.ask("DELETE") == (200, {"ended": ["events-1", "zone-1"]})
    assert here.ask("DELETE") == (200, {"ended": []})
    assert not here.world.context.faults.closed_zones("any")
