from datetime import UTC, datetime

import pytest

from sluice.clock import ManualClock
from tests.endpoints.rollout.fake import FakeAws
from tests.endpoints.rollout.samples import ALARMS


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture
def aws(clock: ManualClock) -> FakeAws:
    fake = FakeAws(clock)
    fake.alarms = dict.fromkeys(ALARMS, "OK")
    return fake
