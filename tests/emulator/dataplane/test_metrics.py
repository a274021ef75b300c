"""Counts are exact, whenever they are published."""

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from emulator.dataplane.metrics import Key, Metrics

STATUS = st.sampled_from([200, 200, 200, 400, 500, 0])
KEYS = [Key("e", "AllTraffic", "one"), Key("e", "AllTraffic", "two"), Key("f", "Shadow", "one")]
EVENT = st.tuples(st.sampled_from(KEYS), STATUS, st.floats(0, 7), st.sampled_from(["", "due", "flush e"]))


@given(st.lists(EVENT, max_size=200))
def test_every_request_is_published_once(events: list[tuple[Key, int, float, str]]) -> None:
    metrics, now, published = Metrics(), 1000.0, []
    for key, status, passed, then in events:
        now += passed
        metrics.invocation(key, 10 if key.config == "one" else 60, now, status, passed / 1000, passed / 500)
        if then == "due":
            published += metrics.due(now)
        elif then:
            published += metrics.flush("e")
    published += metrics.flush()
    sums: dict[tuple[str, ...], float] = defaultdict(float)
    counts: dict[tuple[str, ...], float] = defaultdict(float)
    for datum in published:
        assert len(datum["Values"]) <= 150
        names = [d["Value"] for d in datum["Dimensions"]]
        for value, count in zip(datum["Values"], datum["Counts"], strict=True):
            sums[(datum["MetricName"], *names)] += value * count
            counts[(datum["MetricName"], *names)] += count
    for key in KEYS:
        mine = [status for k, status, _, _ in events if k == key]
        names = (key.endpoint, key.variant, key.config)
        assert sums[("Invocations", *names)] == len(mine)
        assert sums[("Invocation4XXErrors", *names)] == mine.count(400)
        assert sums[("Invocation5XXErrors", *names)] == mine.count(500) + mine.count(0)
        assert sums[("InvocationModelErrors", *names)] == len(mine) - mine.count(200)
        assert counts[("ModelLatency", *names)] == len(mine)
    assert sums[("Invocations", "e", "AllTraffic")] == sum(k.endpoint == "e" for k, *_ in events)


def test_windows_are_aligned_and_published_when_they_end() -> None:
    metrics = Metrics()
    metrics.invocation(KEYS[0], 10, 1009.9, 200, 0.001, 0.002)
    assert metrics.due(1009.99) == []
    metrics.invocation(KEYS[0], 10, 1010.0, 200, 0.001, 0.002)
    first = [d for d in metrics.due(1010.0) if d["MetricName"] == "Invocations"]
    assert {(d["Timestamp"], d["Counts"][0]) for d in first} == {(1000, 1.0)}
    second = [d for d in metrics.due(1020.0) if d["MetricName"] == "Invocations"]
    assert {(d["Timestamp"], d["Counts"][0]) for d in second} == {(1010, 1.0)}


def test_concurrency_is_sampled_each_ten_seconds_whatever_the_config_says() -> None:
    metrics = Metrics()
    for second, under_way in enumerate([0, 2, 4]):
        metrics.concurrency(KEYS[0], 1000 + second, under_way)
    data = metrics.due(1010)
    assert {d["MetricName"] for d in data} == {"ConcurrentRequestsPerModel"}
    assert all(d["Values"] == [0.0, 2.0, 4.0] for d in data)


def test_what_could_not_be_sent_is_sent_later() -> None:
    metrics = Metrics()
    metrics.invocation(KEYS[0], 10, 1000, 200, 0.001, 0.002)
    data = metrics.flush()
    metrics.give_back(data)
    assert metrics.due(1001) == data
