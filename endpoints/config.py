"""The one reader of an endpoints stack's configuration."""

from typing import Literal

from pydantic import Field

from sluice.program import StackSettings


class EndpointSettings(StackSettings):
    """
    Attributes:
        workload: the folder under `workloads/`.
        platform_stack: the stack of the platform.
        canary_percent: of the fleet, at most 50 (SageMaker's limit).
        canary_wait_seconds: how long the canary answers alone before the rest follows.
        bake_seconds: how long the old fleet stays once the new one answers everybody.
        maximum_seconds: after which SageMaker gives an update up and rolls it back (600 to 28,800).
        alarm_period_seconds: of the rollback alarms; below 60 it needs metrics at least as often.
        metrics_frequency_seconds: how often SageMaker publishes an instance's metrics.
        judge_every_seconds: between two looks of the judge; below a minute it costs as much as a small server.
        judge_lag_seconds: captures and metrics younger than this may not have arrived yet.
        log_retention_days: how long the judge's log is kept; a value that CloudWatch Logs offers.
        kept_models: versions of the history whose models stay, as the way back.
    """

    workload: str
    platform_stack: str
    canary_percent: int = Field(default=50, ge=1, le=50)
    canary_wait_seconds: int = Field(default=1200, ge=0, le=3600)
    bake_seconds: int = Field(default=900, ge=0, le=3600)
    maximum_seconds: int = Field(default=3600, ge=600, le=28800)
    alarm_period_seconds: Literal[10, 30, 60] = 60
    metrics_frequency_seconds: Literal[10, 30, 60] = 10
    judge_every_seconds: Literal[10, 20, 30, 60] = 60
    judge_lag_seconds: int = Field(default=300, ge=0, le=3600)
    log_retention_days: int = 365
    kept_models: int = Field(default=3, ge=1, le=10)
