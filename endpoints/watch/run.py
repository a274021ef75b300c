"""Looking, for whoever has a reason to: the function on its schedule, or a person who asks."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from endpoints.release.file import Challenger, Champion, ReleaseFile
from endpoints.watch.look import Limits, Result, Watch
from endpoints.watch.memory import ConflictError, Keeper, Memory, encryption
from endpoints.watch.report import Decision, Report, document, of_memory, page
from endpoints.watch.subject import Subject
from sluice.errors import SluiceError
from workloads.contract import Workload

ATTEMPTS = 3


def subject_of(sagemaker: Any, endpoint: str, workload: str, release: ReleaseFile, labels: str) -> Subject:
    """The shadow stage that the release file names, on the endpoint as it is.

    Args:
        labels: `s3://bucket/prefix/` of the partitions of labels.

    Raises:
        SluiceError: if there is no challenger in shadow, it does not run yet, or the endpoint captures nothing.
    """
    champion, challenger = release.champion, release.challenger
    if champion is None or challenger is None or challenger.stage != "shadow":
        raise SluiceError(f"{workload} has no challenger in shadow, so there is nothing to look at")
    described = sagemaker.describe_endpoint(EndpointName=endpoint)
    if not described.get("ShadowProductionVariants"):
        # Until the update is through, the config is that of before, and evidence under it would be of another release.
        raise SluiceError(
            f"the shadow of {workload} {challenger.version} does not run yet",
            f"The endpoint {endpoint} is {described['EndpointStatus']}; ask again once it is InService.",
        )
    capture = described.get("DataCaptureConfig") or {}
    if not capture.get("DestinationS3Uri"):
        raise SluiceError(
            f"the endpoint {endpoint} captures nothing", "Deploy it as the program declares it."
        )
    return Subject(
        workload=workload,
        endpoint=endpoint,
        stage="shadow",
        champion=Champion(package=champion.package, version=champion.version),
        challenger=Challenger(**challenger.model_dump(exclude={"evidence"})),
        config=described["EndpointConfigName"],
        captures=capture["DestinationS3Uri"],
        kms_key_arn=capture.get("KmsKeyId"),
        labels=labels,
    )


def look(
    subject: Subject,
    workload: Workload,
    clients: Mapping[str, Any],
    now: datetime,
    limits: Limits,
    first: Callable[[Memory, Result], None] | None = None,
) -> tuple[Memory, Result]:
    """One look, kept: the memory before it, and what came of it.

    Args:
        clients: boto3 clients `s3` and `cloudwatch`.
        first: called with both before the look is kept; if it fails, the look did not happen.

    Raises:
        SluiceError: if the rules changed while the release was judged, or others looked all the time.
    """
    rules = subject.rules(workload)
    for _ in range(ATTEMPTS):
        keeper = Keeper(clients["s3"], subject)
        before = keeper.load(rules)
        result = Watch(workload, rules, clients, limits).look(before, now)
        if first is not None:
            first(before, result)
        try:
            keeper.save(result.memory)
        except ConflictError:
            continue
        return before, result
    raise SluiceError(f"others looked at {subject.id} at the same time, again and again", "Try again.")


def report(
    memory: Memory,
    clients: Mapping[str, Any],
    now: datetime,
    decisions: tuple[Decision, ...] = (),
) -> Report:
    """The report of what was seen so far."""
    latency = document.latency(clients["cloudwatch"], memory.subject, memory.until)
    return of_memory(memory, now, latency, decisions)


def keep(said: Report, clients: Mapping[str, Any]) -> str:
    """Write both forms beside the state; the URI of the JSON document."""
    subject = said.subject
    forms = (
        ("report.json", said.model_dump_json(indent=1), "application/json"),
        ("report.html", page(said), "text/html; charset=utf-8"),
    )
    for name, body, kind in forms:
        clients["s3"].put_object(
            Bucket=subject.bucket,
            Key=subject.key(name),
            Body=body.encode(),
            ContentType=kind,
            **encryption(subject),
        )
    return f"s3://{subject.bucket}/{subject.key('report.json')}"


def last(s3: Any, captures: str, endpoint: str) -> Memory | None:
    """The memory of the stage that was looked at last; None if nothing was."""
    bucket, _, prefix = captures.removeprefix("s3://").partition("/")
    folder = "/".join(part for part in (prefix.strip("/"), "judge", endpoint) if part) + "/"
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=folder)
    states = [
        found
        for page_ in pages
        for found in page_.get("Contents", [])
        if found["Key"].endswith("/state.json.gz")
    ]
    if not states:
        return None
    newest = max(states, key=lambda found: found["LastModified"])
    return Keeper.read(s3, bucket, newest["Key"])
