"""What an execution remembers."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from emulator.sagemaker.pipelines.definition import Definition
from emulator.sagemaker.seam import Record, present


@dataclass
class StepState:
    """One step of an execution that was started."""

    name: str
    started: datetime
    status: str = "Executing"
    ended: datetime | None = None
    failure: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    attempts: int = 1
    cache_hit: str | None = None
    display_name: str | None = None
    description: str | None = None
    properties: Mapping[str, Any] = field(default_factory=dict)

    def summary(self) -> dict[str, Any]:
        """As ListPipelineExecutionSteps answers it."""
        return present(
            {
                "StepName": self.name,
                "StepDisplayName": self.display_name,
                "StepDescription": self.description,
                "StartTime": self.started,
                "EndTime": self.ended,
                "StepStatus": self.status,
                "FailureReason": self.failure,
                "Metadata": self.metadata or None,
                "AttemptCount": self.attempts,
                "CacheHitResult": {"SourcePipelineExecutionArn": self.cache_hit} if self.cache_hit else None,
            }
        )


@dataclass
class CachedStep:
    """A result that a later execution may take over."""

    made: datetime
    execution: str
    metadata: dict[str, Any]
    properties: Mapping[str, Any]


@dataclass
class Execution(Record):
    """One execution: `fields` as DescribePipelineExecution answers them."""

    definition: Definition | None = None
    definition_text: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    steps: dict[str, StepState] = field(default_factory=dict)
    outcomes: dict[str, bool] = field(default_factory=dict)
    stop: threading.Event = field(default_factory=threading.Event)
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def id(self) -> str:
        return self.arn.rpartition("/")[2]


@dataclass
class Pipeline(Record):
    """A pipeline: `fields` as DescribePipeline answers them."""

    executions: list[Execution] = field(default_factory=list)
    tokens: dict[str, str] = field(default_factory=dict)
    """Client request tokens of StartPipelineExecution, and the execution each started."""
    cache: dict[str, CachedStep] = field(default_factory=dict)
