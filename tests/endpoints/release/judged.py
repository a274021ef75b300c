"""What the judge leaves behind for those who read his word: his memory, and his report."""

import gzip
import json
from collections.abc import MutableMapping
from datetime import datetime, timedelta
from typing import Any, Literal

import numpy as np

from endpoints.release.judge import Arm, Rows, collect, reference, update
from endpoints.watch.memory import Memory, fresh
from endpoints.watch.subject import Subject
from workloads.contract import Workload

Outcome = Literal["pass", "fail", "undecided"]


def memory_of(subject: Subject, workload: Workload, outcome: Outcome, until: datetime) -> Memory:
    """After one look at pairs that were judged so by the real judge: good ones, few ones, or ones whose scores are off
    in JFK."""
    rules = subject.rules(workload)
    count = 40 if outcome == "undecided" else 4000
    rng = np.random.default_rng(1)
    scores = rng.uniform(0.05, 0.75, count)
    origin = np.array(["origin=JFK", "origin=EWR", "origin=LGA", "origin=EWR"] * (count // 4))
    off = 0.3 * (origin == "origin=JFK") if outcome == "fail" else 0.0
    rows = Rows(
        champion=scores,
        challenger=np.asarray(scores + off),
        unit=np.arange(count).astype(str),
        slices={"origin": origin},
    )
    begin = subject.since
    batch = collect(rows, rules, reference(rules, np.array([]), np.array([])), begin, until)
    arm = Arm(requests=count, timed=count, exceeded=(0.0,) * len(rules.settings.latency_quantiles), slow=0.0)
    batch = batch.model_copy(
        update={"champion": arm, "challenger": arm, "production_rows": count, "joined_rows": count}
    )
    empty = fresh(subject, rules)
    return empty.model_copy(update={"judge": update(empty.judge, batch, rules), "until": until, "looks": 1})


def leave(
    objects: MutableMapping[str, bytes],
    subject: Subject,
    workload: Workload,
    outcome: Outcome,
    now: datetime,
    lag: timedelta = timedelta(seconds=10),
) -> str:
    """Put memory and report where they belong; the report's URI."""
    memory = memory_of(subject, workload, outcome, now - lag)
    objects[subject.key("state.json.gz")] = gzip.compress(memory.model_dump_json().encode())
    report: dict[str, Any] = {"subject": subject.model_dump(mode="json"), "verdict": {"outcome": outcome}}
    key = subject.report_uri.removeprefix("s3://").partition("/")[2]
    objects[key] = json.dumps(report).encode()
    return subject.report_uri
