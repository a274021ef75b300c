import json
from typing import Any

import pytest

from emulator.s3.log_delivery import may_deliver

LOG = "arn:aws:s3:::logs/s3/data/2026-11-21"
GOOD: dict[str, Any] = {
    "Effect": "Allow",
    "Principal": {"Service": "logging.s3.amazonaws.com"},
    "Action": ["s3:PutObject"],
    "Resource": ["arn:aws:s3:::logs/s3/*"],
}


def policy(**changes: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{**GOOD, **changes}]})


def test_the_logging_service_may_where_the_policy_says_so() -> None:
    assert may_deliver(policy(), LOG)
    assert may_deliver(policy(Resource="arn:aws:s3:::logs/*", Action="s3:PutObject"), LOG)


@pytest.mark.parametrize(
    "change",
    [
        {"Effect": "Deny"},
        {"Principal": {"Service": "sns.amazonaws.com"}},
        {"Principal": {"AWS": "arn:aws:iam::123456789012:root"}},
        {"Action": ["s3:GetObject"]},
        {"Resource": ["arn:aws:s3:::logs/other/*"]},
    ],
)
def test_and_not_otherwise(change: dict[str, Any]) -> None:
    assert not may_deliver(policy(**change), LOG)
