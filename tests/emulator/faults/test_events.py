"""Each event and each firing of a schedule reaches its targets twice."""

import json
import time
from typing import Any

from emulator.services.clocked_rules import Schedules
from tests.emulator.faults.conftest import InProcess

ACCOUNT = "123456789012"


def rule(here: InProcess, name: str, **given: Any) -> str:
    """A rule with a queue for its target; gives the queue."""
    url = here.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    here.client("events").put_rule(Name=name, **given)
    here.client("events").put_targets(
        Rule=name, Targets=[{"Id": "1", "Arn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"}]
    )
    return str(url)


def received(here: InProcess, url: str, wanted: int) -> list[Any]:
    """At least so many events; targets are called in threads, so this waits."""
    found: list[Any] = []
    for _ in range(200):
        found += here.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        if len(found) >= wanted:
            break
        time.sleep(0.02)
    return [json.loads(each["Body"]) for each in found]


def put(here: InProcess, number: int) -> None:
    entry = {"Source": "sluice.test", "DetailType": "Test", "Detail": json.dumps({"n": number})}
    assert here.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0


def test_an_event_comes_twice_under_one_id_and_then_once_again(here: InProcess) -> None:
    pattern = json.dumps({"source": ["sluice.test"]})
    both, other = (rule(here, name, EventPattern=pattern) for name in ("both", "other"))
    fault = here.inject("events", rule="both")
    put(here, 1)
    twice = received(here, both, 2)
    assert [event["detail"] for event in twice] == [{"n": 1}, {"n": 1}]
    assert len({event["id"] for event in twice}) == 1
    assert len(received(here, other, 1)) == 1
    assert (ended := here.end(fault))["struck"] == ended["seen"] == 1
    put(here, 2)
    assert [event["detail"] for event in received(here, both, 1)] == [{"n": 2}]
    assert [event["detail"] for event in received(here, other, 1)] == [{"n": 2}]


def test_a_schedule_fires_twice(here: InProcess) -> None:
    url = rule(here, "clocked", ScheduleExpression="rate(1 minute)")
    here.inject("events")
    clocked = Schedules(here.world.context)
    for _ in range(70):
        clocked.tick()
        here.world.clock.sleep(1)
    found = received(here, url, 2)
    assert [event["time"] for event in found] == ["2026-01-01T10:01:00Z"] * 2
