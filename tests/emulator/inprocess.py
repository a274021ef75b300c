"""The emulator's services in the process of the test, on a clock that the test holds."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boto3
from moto import mock_aws

from emulator import autoscaling, cloudwatch, s3, services
from emulator.context import Context
from sluice.clock import ManualClock

START = datetime(2026, 1, 1, 10, 0, tzinfo=UTC)
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_REGION": "us-east-1",
}


@lru_cache
def _client(service: str) -> Any:
    return boto3.Session(aws_access_key_id="test", aws_secret_access_key="test").client(
        service, region_name="us-east-1"
    )


@dataclass
class World:
    """moto with our services in it."""

    context: Context
    clock: ManualClock

    def client(self, service: str) -> Any:
        return _client(service)

    def pass_time(self, seconds: int) -> None:
        """Second by second, as the threads of a real emulator would."""
        for _ in range(seconds):
            self.clock.sleep(1)
            cloudwatch.service().tick()
            autoscaling.service().tick()


@contextmanager
def world(root: Path) -> Iterator[World]:
    with patch.dict(os.environ, CREDENTIALS):
        os.environ.pop("AWS_ENDPOINT_URL", None)
        with mock_aws():
            clock = ManualClock(START)
            context = Context(
                root=root,
                control_url="http://127.0.0.1:1",
                endpoint_url="http://127.0.0.1:1",
                boot_id="test",
                clock=clock,
            )
            for area in (services, s3, cloudwatch, autoscaling):
                area.install(context)
            yield World(context, clock)
