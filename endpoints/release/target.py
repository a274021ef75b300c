"""What a release command works on: a workload in an environment, and how to reach it."""

import getpass
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Any

from endpoints.release import store
from endpoints.release.file import ReleaseFile
from endpoints.release.store import Step
from endpoints.rollout.cloud import Cloud
from sluice import aws, naming
from sluice.clock import Clock, SystemClock
from sluice.engine import environment, programs, stacks
from workloads.contract import Workload

CAPTURE_LAG = timedelta(minutes=5)
"""How long a capture may take to reach S3. SageMaker gives no figure; the emulator flushes every few seconds."""
LOCAL_CAPTURE_LAG = timedelta(seconds=10)

Deploy = Callable[["Target"], None]


def deploy_stack(target: "Target") -> None:
    """`pulumi up` of the workload's endpoints stack.

    Raises:
        SluiceError: with Pulumi's own errors, if the endpoint does not end on what the file says.
    """
    stacks.up(programs.program("endpoints", target.environment, target.region, target.workload.name))


def refresh_stack(target: "Target") -> None:
    """`pulumi refresh` of the workload's endpoints stack: the state learns what the world is."""
    stacks.refresh(programs.program("endpoints", target.environment, target.region, target.workload.name))


@dataclass(frozen=True)
class Target:
    """One release: a workload in an environment.

    Attributes:
        deploy: brings the endpoint to what the file says; None where somebody else does that.
        refresh: lets Pulumi see an endpoint that is not what it made.
        commit: outside of one machine, whether to commit what is changed.
    """

    workload: Workload
    environment: str
    region: str
    deploy: Deploy | None = deploy_stack
    refresh: Deploy = refresh_stack
    commit: bool = False
    clock: Clock = field(default_factory=SystemClock)
    who: str = ""

    @classmethod
    def of(cls, workload: str, deploy: bool = True, commit: bool = False) -> "Target":
        """The release of the workload in the environment that this shell works on."""
        return cls(
            Workload.load(workload),
            environment.selected(),
            environment.region(),
            deploy_stack if deploy else None,
            commit=commit,
            who=os.environ.get("SLUICE_ACTOR") or os.environ.get("GITHUB_ACTOR") or getpass.getuser(),
        )

    @property
    def endpoint(self) -> str:
        return naming.endpoint_name(self.workload.name, self.environment)

    @property
    def store(self) -> store.Store:
        return store.open(self.environment, self.region)

    @property
    def capture_lag(self) -> timedelta:
        return LOCAL_CAPTURE_LAG if self.environment == environment.LOCAL else CAPTURE_LAG

    @cached_property
    def cloud(self) -> Cloud:
        """The calls of a rollout."""
        return Cloud.connect()

    @cached_property
    def clients(self) -> dict[str, Any]:
        """boto3 clients by service."""
        return {service: aws.client(service) for service in ("sagemaker", "s3", "cloudwatch")}

    def read(self) -> ReleaseFile:
        """What the release file says."""
        return self.store.read(self.workload.name)

    def change(self, step: Step, summary: str, why: str) -> ReleaseFile:
        """One step of the file, committed."""
        return self.store.change(self.workload.name, step, summary, self.who, why, self.commit)
