"""What is read from the engine's event log."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sluice.engine.events import Tally, changed, counted, error_lines, plain, short

BUCKET = "urn:pulumi:local::sluice-platform::sluice:Store$aws:s3/bucket:Bucket::data"


def fed(*events: dict[str, Any]) -> Tally:
    tally = Tally()
    for event in events:
        tally.feed(json.dumps(event))
    return tally


def before(operation: str, urn: str = BUCKET) -> dict[str, Any]:
    return {"resourcePreEvent": {"metadata": {"op": operation, "urn": urn}}}


def after(operation: str, urn: str = BUCKET) -> dict[str, Any]:
    return {"resOutputsEvent": {"metadata": {"op": operation, "urn": urn}}}


def said(text: str, severity: str, **more: Any) -> dict[str, Any]:
    return {"diagnosticEvent": {"message": text, "severity": severity, **more}}


def test_progress_names_what_is_under_way() -> None:
    tally = fed(before("create"), said("canary takes 20 %", "info", ephemeral=True))
    assert tally.progress() == "creating Bucket data (canary takes 20 %)"
    tally.feed(json.dumps(after("create")))
    assert tally.progress() == "1 created"


def test_the_stack_itself_is_no_progress() -> None:
    event = before("create", "urn:pulumi:local::p::pulumi:pulumi:Stack::p-local")
    event["resourcePreEvent"]["metadata"]["type"] = "pulumi:pulumi:Stack"
    assert fed(event).progress() == ""


def test_engines_counts_win_over_ours() -> None:
    tally = fed(after("create"))
    assert tally.result() == {"create": 1}
    tally.feed(json.dumps({"summaryEvent": {"resourceChanges": {"create": 3, "same": 2}}}))
    assert tally.result() == {"create": 3, "same": 2}
    assert counted(tally.result()) == "3 created, 2 unchanged"


def test_error_of_a_resource_names_it() -> None:
    tally = fed(
        said("<{%fg 1%}>alarm x rang<{%reset%}>\n", "error", urn=BUCKET), said("update failed", "error")
    )
    assert error_lines(tally.errors) == ["Bucket data: alarm x rang"]


def test_update_failed_is_said_where_nothing_else_is() -> None:
    assert error_lines(["update failed"]) == ["update failed"]


def test_failed_resource_is_no_longer_under_way() -> None:
    tally = fed(before("create"), {"resOpFailedEvent": {"metadata": {"op": "create", "urn": BUCKET}}})
    assert tally.progress() == ""


def test_the_emulators_provider_on_path_is_no_warning() -> None:
    tally = fed(
        said("using pulumi-resource-aws from $PATH at /x/pulumi-resource-aws", "warning"),
        said("this one counts", "warning"),
        said("this one counts", "warning"),
    )
    assert tally.warnings == ["this one counts"]


def test_policy_violation_is_an_error_only_if_mandatory() -> None:
    violation = {"policyName": "tls-only", "message": "no TLS", "resourceUrn": BUCKET}
    tally = fed(
        {"policyEvent": {**violation, "enforcementLevel": "mandatory"}},
        {"policyEvent": {**violation, "enforcementLevel": "advisory"}},
    )
    assert tally.errors == ["Bucket data: policy tls-only: no TLS"]
    assert tally.warnings == ["Bucket data: policy tls-only: no TLS"]


@given(st.text())
def test_no_line_breaks_it(line: str) -> None:
    tally = Tally()
    tally.feed(line)
    assert tally.result() == {}


@given(st.text())
def test_any_urn_has_a_short_form(urn: str) -> None:
    assert isinstance(short(urn), str)


def test_reading_is_no_change() -> None:
    assert not changed({"same": 3, "read": 1, "refresh": 2})
    assert changed({"same": 3, "delete": 1})
    assert not changed({})


def test_colour_tags_go() -> None:
    assert plain("<{%bold%}>a<{%reset%}> b\n") == "a b"


def test_long_error_is_cut_to_its_end() -> None:
    lines = error_lines(["\n".join(f"line {number}" for number in range(100))], limit=30)
    assert lines[0] == "…"
    assert lines[-1] == "line 99"
    assert len(lines) == 16
