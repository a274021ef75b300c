"""`sluice invoke` and `sluice replay`: one request, and real traffic, to a workload's endpoint."""

import itertools
import multiprocessing
import os
import signal
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from endpoints.serving.tables import CONTENT_TYPES
from sluice import naming, output, progress
from sluice.clock import parse_iso
from sluice.engine import environment
from sluice.errors import SluiceError

# What these commands do is imported when one runs: every other command of `sluice` passes by here too.
if TYPE_CHECKING:
    from endpoints.rows import Row
    from endpoints.traffic import Request, Summary
    from workloads.contract import Workload

LANDING_SECONDS = 15.0

WorkloadName = Annotated[str, typer.Argument(help="The workload, such as flights.")]
ContentType = Annotated[str, typer.Option(help=f"One of {', '.join(CONTENT_TYPES)}.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(invoke)
    app.command()(replay)


def invoke(
    workload: WorkloadName,
    rows: Annotated[int, typer.Option(min=1, help="How many rows of the workload's own data to send.")] = 5,
    file: Annotated[Path | None, typer.Option(help="Send this body as it is, instead of rows.")] = None,
    content_type: ContentType = "application/json",
    start: Annotated[str | None, typer.Option("--from", help="Rows from this event time on.")] = None,
) -> None:
    """Ask the endpoint once, and show what it answers and how long it took.

    sluice invoke flights --rows 3

    sluice invoke flights --file body.csv --content-type text/csv
    """
    import orjson

    from endpoints import rows as sources
    from sluice import aws
    from workloads.contract import Workload

    declared = Workload.load(workload)
    if file is None:
        sample = list(itertools.islice(sources.since(declared, _event_time(declared, start)), rows))
        body = _encoder(content_type)(sample)
    else:
        body = _read(file)
    endpoint = naming.endpoint_name(workload, environment.selected())
    identity = str(uuid.uuid4())
    client = aws.client("sagemaker-runtime")
    began = time.perf_counter()
    answer = client.invoke_endpoint(
        EndpointName=endpoint,
        ContentType=content_type,
        Accept="application/json",
        Body=body,
        InferenceId=identity,
        CustomAttributes=f"id={identity}",
    )
    document = orjson.loads(answer["Body"].read())
    milliseconds = (time.perf_counter() - began) * 1000
    value = {
        "endpoint": endpoint,
        "variant": answer.get("InvokedProductionVariant"),
        "inference_id": identity,
        "milliseconds": round(milliseconds, 1),
        **document,
    }
    output.emit(value, lambda: _answers(value))


def replay(
    workload: WorkloadName,
    start: Annotated[str | None, typer.Option("--from", help="Event time of the first row.")] = None,
    rate: Annotated[float, typer.Option(min=0.1, max=10_000, help="Requests a second.")] = 20.0,
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help="How long; without it until SIGTERM or Ctrl-C.")
    ] = None,
    rows: Annotated[int, typer.Option(min=1, help="Rows in each request.")] = 1,
    slow_every: Annotated[
        int, typer.Option(min=0, help="Every so many requests one is sent over three seconds; 0: none.")
    ] = 0,
    content_type: ContentType = "application/json",
    summary: Annotated[
        Path | None, typer.Option(help="Keep a JSON summary in this file while it runs.")
    ] = None,
    land: Annotated[
        bool,
        typer.Option(help="Meanwhile let data and labels arrive in S3, as event time passes by the factor."),
    ] = True,
    bucket: Annotated[
        str | None, typer.Option(help="Where they arrive; default: the platform's data bucket.")
    ] = None,
) -> None:
    """Send the workload's own rows as traffic, at a steady rate, each request with an id of its own.

    Nothing is repeated: a request that fails is counted as failed. Ends well on SIGTERM: what is in flight is
    answered, and the summary is complete.
    """
    from endpoints.traffic import Invoker, Replay
    from workloads.contract import Workload

    declared = Workload.load(workload)
    first = _event_time(declared, start)
    encode = _encoder(content_type)
    endpoint = naming.endpoint_name(workload, environment.selected())
    invoker = Invoker(endpoint)
    loop = Replay(
        endpoint, _requests(declared, first, rows, slow_every, content_type, encode), invoker, rate, seconds
    )

    def stop(*_: object) -> None:
        loop.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    # In a process of its own: reading and writing tables must not show in the latencies that are measured here.
    landing = multiprocessing.get_context("spawn").Process(
        target=_land, args=(workload, first, bucket), daemon=True
    )
    if land and declared.replay is not None:
        landing.start()

    with progress.step(f"traffic to {endpoint} at {rate:g} a second") as step:

        def watch(now: "Summary") -> None:
            step.update(f"{now.sent} sent, {now.ok} answered, {now.failed} failed")
            if summary is not None:
                _write(summary, now)

        result = loop.run(watch)
        step.done(f"{result.sent} sent, {result.ok} answered, {result.failed} failed, p99 {result.p99} ms")
    if landing.is_alive():
        # What it has begun is begun again by the next one; doing it twice changes nothing.
        landing.terminate()
        landing.join()
    output.emit(result.model_dump(mode="json"), lambda: _told(result))
    if result.failed:
        raise typer.Exit(1)


def _requests(
    workload: "Workload", start: datetime, rows: int, slow_every: int, content_type: str, encode: Any
) -> "Iterator[Request]":
    from endpoints import rows as sources
    from endpoints.traffic import Request

    source = sources.since(workload, start)
    for number in itertools.count(1):
        sample: list[Row] = list(itertools.islice(source, rows))
        if not sample:
            return
        slow = bool(slow_every) and number % slow_every == 0
        # One request, one id: an id that came twice would join the wrong answers.
        yield Request(str(uuid.uuid4()), content_type, encode(sample), slow)


def _land(name: str, start: datetime, bucket: str | None) -> None:
    """Let what happens by event time arrive, until the traffic ends. A fault here is told and ends the arrival, not
    the traffic."""
    from botocore.exceptions import BotoCoreError, ClientError

    from sluice.engine import outputs
    from workloads import modules
    from workloads.contract import Workload

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent, began = os.getppid(), datetime.now(UTC)
    declared = Workload.load(name)
    assert declared.replay is not None
    clock = declared.replay.model_copy(update={"start": start})
    try:
        place = bucket or outputs.platform().data_bucket
        source = modules.source(name)
        while os.getppid() == parent:
            source.arrive(clock.event_time(began, datetime.now(UTC)), place)
            time.sleep(LANDING_SECONDS)
    except (SluiceError, BotoCoreError, ClientError) as error:
        output.note(f"warning: data stopped arriving: {error}")


def _event_time(workload: "Workload", text: str | None) -> datetime:
    if text is not None:
        try:
            return parse_iso(text)
        except ValueError:
            raise SluiceError(
                f"{text!r} is no moment", "Write it like 2013-04-01 or 2013-04-01T12:00:00Z."
            ) from None
    if workload.replay is None:
        raise SluiceError(f"{workload.name} declares no replay, so there is no default for --from")
    return workload.replay.start


def _encoder(content_type: str) -> Any:
    from endpoints.serving.bodies import ENCODERS

    if content_type not in ENCODERS:
        raise SluiceError(
            f"{content_type!r} is no content type of an endpoint", f"There are {', '.join(CONTENT_TYPES)}."
        )
    return ENCODERS[content_type]


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise SluiceError(f"{file} cannot be read: {error.strerror}") from None


def _write(file: Path, summary: "Summary") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.draft")
    draft.write_text(summary.model_dump_json(indent=2) + "\n", encoding="utf-8")
    draft.replace(file)


def _answers(value: dict[str, Any]) -> Any:
    from rich.table import Table

    model = value["model"]
    title = f"{value['endpoint']}, version {model['version']}, {value['milliseconds']} ms"
    table = Table("id", "score", "decision", title=title, title_justify="left")
    for row in value["predictions"]:
        table.add_row(row["id"], f"{row['score']:.4f}", "yes" if row["decision"] else "no")
    return table


def _told(result: "Summary") -> str:
    versions = ", ".join(f"{count} by {version}" for version, count in result.versions.items())
    lines = [
        f"{result.endpoint}: {result.sent} sent in {result.seconds:.0f} s, "
        f"{result.ok} answered, {result.failed} failed",
        f"answers: {versions or 'none with a version'}",
        f"latency ms: p50 {result.p50}, p90 {result.p90}, p99 {result.p99}, largest {result.largest}",
    ]
    return "\n".join([*lines, *(f"failed: {error}" for error in result.errors)])
