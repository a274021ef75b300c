"""The report says what the evidence says, needs nothing from outside, and cannot be written into."""

import json
import re
from datetime import timedelta
from html.parser import HTMLParser

import numpy as np
import pytest

from endpoints.watch.report import Decision, Report, document, of_memory, page
from endpoints.watch.report.charts import ticks
from endpoints.watch.report.page import _e
from tests.endpoints.watch.conftest import NOON, SHORT, SUBJECT, Asked, Endpoint, World
from tests.endpoints.watch.test_live import live, shadowed


class Checker(HTMLParser):
    """Tags that close, and every address."""

    VOID = frozenset({"meta", "line", "circle", "rect", "polyline", "polygon", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "action")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def filled(world: World, minutes: int = 12, shift: float = 0.2) -> Report:
    """A shadow stage with traffic, labels and metrics; the challenger is off in one slice."""
    draw = np.random.default_rng(7)
    labels: dict[str, bool] = {}
    world.look(0)
    for minute in range(minutes):
        for origin in ("EWR", "JFK", "LGA"):
            asked = []
            for place, score in enumerate(draw.beta(1.2, 3, 25)):
                row = f"{origin}-{minute}-{place}"
                labels[row] = bool(draw.random() < score)
                asked.append(
                    Asked(60 * minute + 2 * place, (row,), (float(score),), origin=origin, id=f"i-{row}")
                )

            def shadow(each: Asked) -> list[float]:
                more = shift if each.origin == "JFK" else 0.0
                return [float(np.clip(each.scores[0] + more + draw.normal(0, 0.02), 0, 1))]

            world.put(asked, shadow)
        for variant, slower in (("AllTraffic", 1.0), ("Shadow", 1.1)):
            second = 60 * minute + 30
            world.metric("Invocations", variant, second, [1.0] * 75)
            world.metric("ModelLatency", variant, second, list(draw.lognormal(8.5, 0.4, 75) * slower))
        if minute > 3:
            world.label("2013-05-01", dict(list(labels.items())[: 60 * (minute - 3)]))
        world.look(60 * minute + 75)
    assert world.memory is not None
    now = NOON + timedelta(seconds=60 * minutes + 75)
    seen = document.latency(world.cloudwatch, world.memory)
    decisions = (
        Decision(moment=NOON + timedelta(seconds=60 * minutes + 70), what="1.1 rejected", who="ops"),
    )
    return of_memory(world.memory, now, seen, decisions)


def test_a_fail_is_told_with_its_slice_and_by_what_rule(world: World) -> None:
    report = filled(world)
    assert report.verdict.outcome == "fail"
    assert Report.model_validate_json(report.model_dump_json()) == report
    text = page(report)
    checker = Checker()
    checker.feed(text)
    assert checker.open == []
    assert checker.addresses == []
    assert not {"script", "link", "img", "iframe"} & set(checker.tags)
    assert "url(" not in text
    assert "@import" not in text
    for wanted in (
        "Turned back",
        "origin=JFK",
        SUBJECT.challenger.package,
        SUBJECT.id,
        report.fingerprint,
        "Ville",
        "1.1 rejected, by ops",
        "slower than",
        "20.0 : 1",
    ):
        assert wanted in text, wanted
    assert 2 <= text.count("<polyline") <= 4
    assert "at 2026-01-02 12:0" in text
    assert report.latency.champion["p50"] == pytest.approx(np.exp(8.5) / 1000, rel=0.15)
    assert report.latency.challenger["p50"] > report.latency.champion["p50"]


def checked(report: Report) -> str:
    """The page, whole and without outside resources."""
    assert Report.model_validate_json(report.model_dump_json()) == report
    text, checker = page(report), Checker()
    checker.feed(text)
    assert (checker.open, checker.addresses) == ([], [])
    return text


def test_a_canary_is_told_by_its_requests(world: World) -> None:
    world.subject = SUBJECT.model_copy(
        update={"stage": "canary", "image": "sha256:0f", "instance_type": "ml.x"}
    )
    world.endpoint = Endpoint(config="flights-local-old", pending=SUBJECT.config)
    for second in (30, 90):
        for config, errors in (("flights-local-old", 0), (SUBJECT.config, 12)):
            world.metric("Invocations", "AllTraffic", second, [1.0] * 100, config)
            world.metric("Invocation5XXErrors", "AllTraffic", second, [1.0] * errors, config)
    result = world.look(140)
    text = checked(of_memory(result.memory, NOON, document.latency(world.cloudwatch, result.memory)))
    for wanted in ("Turned back", "24 to 0", "beside <code>flights-local-old", "sha256:0f", "ml.x", "canary"):
        assert wanted in text, wanted
    assert "Pairs of answers" not in text
    assert "How much oftener it decides yes, or no" in text


def test_what_is_live_is_told_beside_what_was_expected(world: World) -> None:
    shadowed(world)
    result = live(world, 900, 0.45)
    said = of_memory(
        result.memory, NOON, document.latency(world.cloudwatch, result.memory), workload_sha256="5e" * 32
    )
    text = checked(said)
    loss = next(check for check in said.verdict.checks if check.name == "loss")
    assert loss.expected is not None
    for wanted in (
        "Late loss",
        "sluice release rollback",
        f"up to {100 * loss.expected:.2f} %",
        "by its shadow",
        f"{SUBJECT.id}/report.json",
        "E-detectors",
        "40.0 : 1",
        "5e5e",
        said.judge_source[:16],
    ):
        assert wanted in text, wanted
    assert "against 1.0" not in text


def test_the_report_names_all_that_it_is_bound_to(world: World) -> None:
    """Nothing is left to be looked up elsewhere, and a sample can be chosen again."""
    world.limits = SHORT.model_copy(update={"share": 0.5})
    said = json.loads(of_memory(world.look(30).memory, NOON, document.Latency()).model_dump_json())
    assert said["subject"] == SUBJECT.model_dump(mode="json")
    assert said["sampling"]["share"] == 0.5
    assert said["sampling"]["seeds"] == []
    assert said["judge_version"] == 2
    assert len(said["judge_source"]) == 64
    assert said["fingerprint"] == SUBJECT.rules(world.workload).fingerprint


def test_a_release_without_evidence_says_so(world: World) -> None:
    result = world.look(30)
    report = of_memory(result.memory, NOON, document.Latency())
    text = page(report)
    assert "Undecided" in text
    assert "No answers yet" in text
    assert "SageMaker has published none" in text
    assert "That is unknown, not fine" in text
    assert "origin=JFK" in text


def test_what_comes_from_data_is_text(world: World) -> None:
    result = world.look(30)
    evil = "<script>alert(1)</script>"
    decisions = (Decision(moment=NOON, what=evil, who=evil),)
    report = of_memory(result.memory, NOON, document.Latency(), decisions)
    assert "<script" not in page(report)
    assert json.loads(report.model_dump_json())["decisions"][0]["what"] == evil


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-0.3, 0.02), (0, 137), (-2.6, 5.2), (0, 1e-6)])
def test_ticks_are_round_and_inside(low: float, high: float) -> None:
    found = ticks(low, high)
    assert 3 <= len(found) <= 8
    assert all(low - 1e-9 <= tick <= high + 1e-9 for tick in found)
    assert all(len(re.sub(r"[-.]|e.*$", "", f"{tick:g}").strip("0")) <= 3 for tick in found)


@pytest.mark.parametrize(
    ("log10", "said"),
    [
        (1.30103, "20.0 : 1"),
        (3.5, "3,162 : 1"),
        (6.8, "6.31 million : 1"),
        (40, "over 10¹⁸ : 1"),
        (0.0, "1.0 : 1"),
        (-1.0, "1 : 10.0"),
        (-9.0, "under 1 : 1,000"),
    ],
)
def test_odds_can_be_read(log10: float, said: str) -> None:
    assert _e(log10) == said
