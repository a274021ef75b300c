"""Looking, for whoever has a reason to: the function on its schedule, or a person who asks."""

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from endpoints.watch import signature
from endpoints.watch.limits import Limits
from endpoints.watch.look import Result, Watch
from endpoints.watch.memory import ConflictError, Keeper, Memory, encryption
from endpoints.watch.report import Decision, Report, document, of_memory, page
from endpoints.watch.subject import Subject, located
from sluice.errors import SluiceError
from workloads.contract import FOLDER, Workload

ATTEMPTS = 3
REPORT_EVERY = timedelta(minutes=10)
"""At the longest, between two reports."""


class OvertakenError(SluiceError):
    """Others looked at the same time, each time it was tried: their looks count, and this one is not missed."""


def look(
    subject: Subject,
    workload: Workload,
    clients: Mapping[str, Any],
    now: datetime,
    limits: Limits,
    first: Callable[[Memory, Result], Memory] | None = None,
) -> tuple[Memory, Result]:
    """One look, kept: the memory before it, and what came of it.

    Args:
        clients: boto3 clients `s3` and `cloudwatch`, and for a canary `sagemaker`.
        first: called with both before the look is kept, and gives the memory to keep; if it fails, the look did not
            happen.

    Raises:
        SluiceError: if the rules changed while the release was judged.
        OvertakenError: if others looked all the time.
    """
    rules = subject.rules(workload)
    for _ in range(ATTEMPTS):
        keeper = Keeper(clients["s3"], subject)
        before = keeper.load(rules, now)
        result = Watch(workload, rules, clients, limits).look(before, now)
        kept = result.memory if first is None else first(before, result)
        try:
            keeper.save(kept)
        except ConflictError:
            continue
        return before, Result(kept, result.verdict)
    raise OvertakenError(f"others looked at {subject.id} at the same time, again and again", "Try again.")


def seen(s3: Any, subject: Subject) -> Memory | None:
    """What the function remembers of a subject; nothing is written. None before its first look.

    Raises:
        SluiceError: if another version of the judge wrote it.
    """
    return Keeper(s3, subject).seen()


def due(memory: Memory, now: datetime) -> bool:
    """Whether the report is to be written anew: the verdict changed, or the last report is old."""
    changed = memory.changes[-1].moment if memory.changes else None
    return (
        memory.reported is None
        or now - memory.reported >= REPORT_EVERY
        or (changed is not None and changed == memory.until)
    )


def report(
    memory: Memory,
    clients: Mapping[str, Any],
    now: datetime,
    decisions: tuple[Decision, ...] = (),
) -> Report:
    """The report of what was seen so far.

    Args:
        clients: boto3 client `cloudwatch`.
        decisions: changes of the release file, where they are known.
    """
    latency = document.latency(clients["cloudwatch"], memory)
    margins = FOLDER / memory.subject.workload / "workload.yaml"
    return of_memory(memory, now, latency, decisions, hashlib.sha256(margins.read_bytes()).hexdigest())


def keep(said: Report, clients: Mapping[str, Any], now: datetime) -> str:
    """Write both forms where the subject wants them, and the signature beside them; the URI of the JSON document.

    Args:
        clients: boto3 client `s3`, and `kms` where the subject has a key to sign with.
    """
    subject, uri = said.subject, said.subject.report_uri
    body = (said.model_dump_json(indent=1) + "\n").encode()
    forms = {"report.json": (body, "application/json")}
    if subject.signing_key_arn is not None:
        signed = signature.sign(clients["kms"], subject.signing_key_arn, uri, body, now)
        forms["report.sig"] = ((signed.model_dump_json(indent=1) + "\n").encode(), "application/json")
    forms["report.html"] = (page(said).encode(), "text/html; charset=utf-8")
    key_arn = subject.audit_key_arn if subject.audit else subject.kms_key_arn
    for name, (content, kind) in forms.items():
        place = located(subject.report(name))
        clients["s3"].put_object(**place, Body=content, ContentType=kind, **encryption(key_arn))
    return uri


def last(s3: Any, captures: str, endpoint: str, stage: str = "", version: str = "") -> Memory | None:
    """The memory of the stage that was looked at last; None if nothing was.

    Args:
        captures: `DestinationS3Uri` of the endpoint's captures.
        stage, version: of the challenger; empty: any.

    Raises:
        SluiceError: if another version of the judge wrote it.
    """
    place = located(captures)
    folder = "/".join(part for part in (place["Key"].strip("/"), "judge", endpoint) if part) + "/"
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=place["Bucket"], Prefix=f"{folder}{version}-" if version else folder
    )
    states = [
        found
        for page_ in pages
        for found in page_.get("Contents", [])
        if found["Key"].endswith("/state.json.gz") and (not stage or f"-{stage}-" in found["Key"])
    ]
    if not states:
        return None
    newest = max(states, key=lambda found: found["LastModified"])
    return Keeper.read(s3, place["Bucket"], newest["Key"])
