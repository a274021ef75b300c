"""A canary is judged by the metrics of both configs, period by period, and by the answers of each version."""

from datetime import timedelta

import numpy as np
import pytest

from endpoints.watch.look import Result
from tests.endpoints.watch.conftest import NOON, SHORT, SUBJECT, Endpoint, World, many

OLD, NEW = "flights-local-old", SUBJECT.config


@pytest.fixture
def canary(world: World) -> World:
    """A canary under way, with enhanced metrics each ten seconds."""
    world.subject = SUBJECT.model_copy(update={"stage": "canary"})
    world.limits = SHORT.model_copy(update={"period_seconds": 10})
    world.endpoint = Endpoint(config=OLD, pending=NEW)
    return world


def period(
    world: World,
    second: float,
    old: tuple[int, int] = (100, 0),
    new: tuple[int, int] = (100, 0),
    slow: tuple[float, float] = (1.0, 1.0),
) -> None:
    """Requests and errors of both configs in ten seconds, with latencies around 5 ms times `slow`."""
    draw = np.random.default_rng(int(second) + 10_000)
    for config, (requests, errors), times in ((OLD, old, slow[0]), (NEW, new, slow[1])):
        world.metric("Invocations", "AllTraffic", second, [1.0] * requests, config)
        world.metric("Invocation5XXErrors", "AllTraffic", second, [1.0] * errors, config)
        world.metric(
            "ModelLatency", "AllTraffic", second, list(draw.lognormal(8.5, 0.4, requests) * times), config
        )


def check(result: Result, name: str) -> float:
    return next(each.log10_e for each in result.verdict.checks if each.name == name)


def test_errors_of_the_canary_alone_fail_it_within_thirty_seconds_of_metrics(canary: World) -> None:
    """20 requests a second, half of them to the canary, 5 % of which fail there."""
    for place in range(3):
        period(canary, 10 * place + 5, old=(100, 0), new=(100, 5))
    # Metrics are ten seconds late here.
    outcomes = [canary.look(second) for second in (20, 30, 40)]
    said = outcomes[-1].verdict
    assert (said.outcome, said.decided_by) == ("fail", "errors")
    state = outcomes[-1].memory.judge
    assert (state.challenger.requests, state.challenger.errors, state.champion.errors) == (300, 15, 0)
    # Once failed it stays so, whatever follows, and SageMaker was asked once.
    for place in range(3, 30):
        period(canary, 10 * place + 5)
    canary.endpoint.pending = None
    assert canary.look(310).verdict.outcome == "fail"
    assert canary.endpoint.asked == 1


def test_an_incident_behind_both_moves_nothing(canary: World) -> None:
    """Whatever the split of the traffic is while it lasts, and though the champion was alone before."""
    highest = 0.0
    for place in range(40):
        alone, split = place < 6, 0.5 if place < 20 else 0.9
        new = 0 if alone else int(200 * split)
        rate = 0.3 if place in (2, 3, 4, 21, 22, 23, 24) else 0.0
        period(
            canary,
            10 * place + 5,
            old=(200 - new, round((200 - new) * rate)),
            new=(new, round(new * rate)),
        )
        result = canary.look(10 * place + 25)
        highest = max(highest, result.verdict.highest)
        assert result.verdict.outcome == "undecided"
    assert check(result, "errors") < 0
    assert highest < 0.2
    assert result.memory.judge.challenger.errors > 200


def test_looks_of_any_length_weigh_the_same(canary: World) -> None:
    for place in range(20):
        period(canary, -10 * place - 5, old=(50, 0), new=(0, 0))
    for place in range(12):
        new = 20 if place % 2 else 150
        period(canary, 10 * place + 5, old=(200 - new, place % 3), new=(new, 2 if place % 2 else 1))
    canary.look(0)
    whole = canary.look(200)
    canary.memory = None
    canary.look(0)
    for second in (25, 40, 95, 101, 200):
        cut = canary.look(second)
    assert cut.memory.judge.ledgers["errors"].worse == pytest.approx(
        whole.memory.judge.ledgers["errors"].worse
    )
    assert cut.verdict.highest == pytest.approx(whole.verdict.highest)


def test_latency_is_measured_by_what_the_champion_was_before(canary: World) -> None:
    canary.no_slack()
    for place in range(20):
        period(canary, -10 * place - 5, old=(50, 0), new=(0, 0))
    for place in range(6):
        period(canary, 10 * place + 5, slow=(1.0, 2.0))
    result = canary.look(70)
    low, _, high = result.memory.reference.latencies
    assert low == pytest.approx(np.exp(8.5), rel=0.05)
    assert high < 1.5 * np.exp(8.5 + 0.4 * 2.33)
    # From the very first period on.
    assert result.memory.judge.challenger.timed == 600
    assert (result.verdict.outcome, result.verdict.decided_by) == ("fail", "latency")


def test_without_a_history_the_first_period_makes_the_reference(canary: World) -> None:
    period(canary, 5)
    assert canary.look(20).memory.judge.challenger.timed == 0
    period(canary, 15)
    assert canary.look(30).memory.judge.challenger.timed == 100


def test_while_the_config_beside_it_is_not_known_nothing_is_compared(canary: World) -> None:
    canary.endpoint.pending = None
    for place in range(3):
        period(canary, 10 * place + 5, new=(100, 20))
    said = canary.look(20).verdict
    assert said.outcome == "undecided"
    assert "SageMaker has not named the config" in said.needs[0]
    # Another deployment is not this one.
    canary.endpoint.pending = "flights-local-other"
    assert canary.look(30).memory.previous == ""
    canary.endpoint.pending = NEW
    result = canary.look(40)
    assert (result.memory.previous, canary.endpoint.asked) == (OLD, 3)
    # What was measured meanwhile is not lost.
    assert result.memory.judge.challenger.requests == 300
    assert result.verdict.outcome == "fail"


def test_a_canary_that_was_over_before_a_look_never_passes(canary: World) -> None:
    """Answers alone are no metrics."""
    canary.endpoint = Endpoint(config=NEW)
    asked = many(600, 0, 0.5)
    canary.write("AllTraffic", [each.exchange("1.1", each.scores, each.id) for each in asked[::2]])
    canary.write("AllTraffic", [each.exchange("1.0", each.scores, each.id) for each in asked[1::2]], second=1)
    said = canary.look(400).verdict
    assert said.outcome == "undecided"
    assert any("SageMaker has not named" in need for need in said.needs)
    assert canary.results[-1].memory.changes[-1].why.startswith("errors and latency are not compared")


def test_answers_of_the_champion_before_the_canary_are_left_out_across_looks(canary: World) -> None:
    early = many(50, 0, 0.2)
    canary.write("AllTraffic", [each.exchange("1.0", each.scores, each.id) for each in early])
    assert canary.look(30).memory.judge.champion.answered == 0
    both = many(60, 20, 0.5)
    canary.write("AllTraffic", [each.exchange("1.1", each.scores, each.id) for each in both[::2]], second=20)
    canary.write("AllTraffic", [each.exchange("1.0", each.scores, each.id) for each in both[1::2]], second=21)
    memory = canary.look(90).memory
    assert (memory.judge.champion.answered, memory.judge.challenger.answered) == (30, 30)
    assert memory.began == NOON + timedelta(seconds=20)
