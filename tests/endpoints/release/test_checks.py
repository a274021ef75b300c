"""What is not known is never a pass."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endpoints.release.checks import check, passed
from endpoints.release.evidence import Evidence
from workloads.contract import Release

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
RULES = Release(minimum_pairs=500, minimum_join_rate=0.95, minimum_agreement=0.85, maximum_error_rate=0.01)


def evidence(**changes: Any) -> Evidence:
    good = {
        "endpoint": "flights-local",
        "config": "flights-local-abc",
        "champion": "one",
        "challenger": "two",
        "version": "1.1",
        "since": NOON,
        "until": NOON + timedelta(hours=1),
        "production_rows": 1000,
        "shadow_rows": 1000,
        "pairs": 990,
        "agreed": 900,
        "joined_by_id": 990,
        "joined_by_payload": 0,
        "shadow_answers": 1000,
        "shadow_unreadable": 0,
        "other_versions": 0,
        "mean_score_difference": 0.02,
        "largest_score_difference": 0.4,
        "production_requests": 1000,
        "shadow_requests": 1000,
        "shadow_errors": 2,
    }
    return Evidence.model_validate({**good, **changes})


def verdicts(**changes: Any) -> dict[str, str]:
    return {one.name: one.verdict for one in check(evidence(**changes), RULES, "one", "two")}


def test_good_evidence_passes() -> None:
    assert passed(check(evidence(), RULES, "one", "two"))


@pytest.mark.parametrize(
    ("changes", "name", "verdict"),
    [
        ({"pairs": 499, "agreed": 499, "production_rows": 500}, "pairs", "unknown"),
        ({"pairs": 900, "agreed": 900}, "join", "fail"),
        ({"pairs": 0, "agreed": 0}, "join", "fail"),
        ({"pairs": 0, "agreed": 0, "production_rows": 0}, "join", "unknown"),
        ({"agreed": 800}, "agreement", "fail"),
        ({"pairs": 0, "agreed": 0}, "agreement", "unknown"),
        ({"shadow_errors": 11}, "errors", "fail"),
        ({"shadow_unreadable": 20}, "errors", "fail"),
        ({"shadow_requests": None, "shadow_errors": None}, "errors", "unknown"),
        ({"shadow_requests": 0, "shadow_errors": 0}, "errors", "unknown"),
        ({"challenger": "three"}, "subject", "unknown"),
        ({"champion": "none"}, "subject", "unknown"),
    ],
)
def test_each_rule_by_itself(changes: dict[str, Any], name: str, verdict: str) -> None:
    assert verdicts(**changes)[name] == verdict
    assert not passed(check(evidence(**changes), RULES, "one", "two"))


def test_none_at_all_is_no_pass() -> None:
    assert not passed(())


@given(
    pairs=st.integers(0, 2000),
    production=st.integers(0, 2000),
    agreed=st.integers(0, 2000),
    requests=st.none() | st.integers(0, 2000),
    errors=st.none() | st.integers(0, 2000),
)
def test_a_pass_means_every_number_is_there_and_within_its_threshold(
    pairs: int, production: int, agreed: int, requests: int | None, errors: int | None
) -> None:
    pairs, agreed = min(pairs, production), min(agreed, pairs, production)
    seen = evidence(
        pairs=pairs, production_rows=production, agreed=agreed, shadow_requests=requests, shadow_errors=errors
    )
    if passed(check(seen, RULES, "one", "two")):
        assert pairs >= 500
        assert pairs >= 0.95 * production
        assert agreed >= 0.85 * pairs
        assert requests
        assert errors is not None
        assert errors <= 0.01 * requests
