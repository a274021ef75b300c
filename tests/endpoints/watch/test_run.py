"""A look that is kept, and the report that a person asks for."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from endpoints.watch import memory, run
from endpoints.watch.commands import decisions, write
from endpoints.watch.report import Report
from sluice.errors import SluiceError
from tests.endpoints.watch.conftest import NOON, SHORT, SUBJECT, World, many


def clients(world: World) -> dict[str, Any]:
    return {"s3": world.s3, "cloudwatch": world.cloudwatch}


class Endpoint:
    """SageMaker, as far as it is asked."""

    def __init__(self, shadow: bool = True, **capture: str) -> None:
        self.shadow, self.capture = shadow, capture

    def describe_endpoint(self, EndpointName: str) -> dict[str, Any]:
        return {
            "EndpointStatus": "InService" if self.shadow else "Updating",
            "EndpointConfigName": f"{EndpointName}-new",
            "DataCaptureConfig": self.capture,
            "ShadowProductionVariants": [{"VariantName": "Shadow"}] if self.shadow else [],
        }


def test_a_look_is_kept_and_reported_and_found_again(world: World, tmp_path: Path) -> None:
    world.put(many(60))
    now = NOON + timedelta(seconds=100)
    before, result = run.look(SUBJECT, world.workload, clients(world), now, SHORT)
    assert before.looks == 0
    assert result.verdict.pairs == 60
    world.put(many(40, 100))
    now += timedelta(seconds=100)
    before, result = run.look(SUBJECT, world.workload, clients(world), now, SHORT)
    assert (before.looks, result.memory.looks, result.verdict.pairs) == (1, 2, 100)
    found = run.last(world.s3, "s3://captures/flights", "flights-local")
    assert found == result.memory
    said = run.report(found, clients(world), now)
    uri = run.keep(said, clients(world), now)
    assert uri == f"s3://captures/flights/judge/flights-local/{SUBJECT.id}/report.json"
    body = world.s3.get_object(Bucket="captures", Key=uri.removeprefix("s3://captures/"))["Body"].read()
    assert Report.model_validate_json(body) == said
    document, html = write(said, tmp_path / "reports")
    assert json.loads(document.read_text())["verdict"]["pairs"] == 100
    assert "<h1>flights 1.1 against 1.0" in html.read_text()


def test_a_look_that_another_overtook_is_done_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.put(many(60))
    now, saved = NOON + timedelta(seconds=100), []
    by_hand = memory.Keeper.save

    def save(self: memory.Keeper, value: memory.Memory) -> None:
        if not saved:
            saved.append(value)
            other = memory.Keeper(world.s3, SUBJECT)
            other.load(value.rules)
            by_hand(other, value)
        by_hand(self, value)

    monkeypatch.setattr(memory.Keeper, "save", save)
    before, result = run.look(SUBJECT, world.workload, clients(world), now, SHORT)
    assert (before.looks, result.memory.looks) == (1, 2)
    assert result.verdict.pairs == 60


def test_other_rules_are_not_continued(world: World) -> None:
    run.look(SUBJECT, world.workload, clients(world), NOON + timedelta(seconds=60), SHORT)
    other = world.workload.model_copy(
        update={"release": world.workload.release.model_copy(update={"minimum_agreement": 0.1})}
    )
    with pytest.raises(SluiceError, match="rules"):
        run.look(SUBJECT, other, clients(world), NOON + timedelta(seconds=90), SHORT)


def test_the_changes_of_the_file_are_the_decisions() -> None:
    log = ["2026-01-02T13:00:00+00:00 canary of 1.1", "2026-01-02T12:00:00+00:00 shadow of 1.1", "x"]
    others = ["2026-01-02T14:00:00+00:00 shadow of 1.10", "2026-01-02T14:00:00+00:00 shadow of 1.2"]
    found = decisions([*others, *log, "2026-01-01T12:00:00+00:00 1.1 is approved"], SUBJECT)
    assert [each.what for each in found] == ["shadow of 1.1", "canary of 1.1"]


def test_nothing_was_looked_at_yet(world: World) -> None:
    assert run.last(world.s3, "s3://captures/flights", "flights-local") is None
