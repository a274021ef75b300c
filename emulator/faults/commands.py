"""`sluice fault …`: injects faults into a running emulator, over HTTP."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Annotated, Any
from urllib.parse import quote

import typer

from sluice import output, paths
from sluice.errors import SluiceError

ANSWER_SECONDS = 60.0
HELP = """
Faults on purpose, in the emulator on this machine: what does a release do when AWS has a bad day?

Each command answers with the fault's name, by which it is ended. A fault lasts for --seconds, or until it is ended,
or until the emulator stops. A share is a number above 0 and up to 1; calls are struck evenly and in the same order
each time, so that 0.25 strikes the fourth, the eighth, and so on.
"""

Endpoint = Annotated[str, typer.Argument(help="An endpoint, such as flights-local.")]
Variant = Annotated[str | None, typer.Option(help="One of the endpoint's variants, or its shadow.")]
Seconds = Annotated[float | None, typer.Option(help="How long; without it until it is ended.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help=HELP, no_args_is_help=True)
    app.add_typer(group, name="fault")
    commands: Mapping[str, Callable[..., None]] = {
        "list": every,
        "end": end,
        "instance": instance,
        "zone": zone,
        "model": model,
        "captures": captures,
        "events": events,
        "function": function,
        "api": api,
        "labels": labels,
    }
    for name, command in commands.items():
        group.command(name)(command)


def every(
    all_: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
) -> None:
    """Say which faults last, and how many calls each struck."""
    faults = [each for each in _ask("GET", "")["faults"] if all_ or each["active"]]
    output.emit({"faults": faults}, lambda: _table(faults) if faults else "no fault lasts")


def end(
    name: Annotated[str | None, typer.Argument(help="As `sluice fault list` says.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="All that last.")] = False,
) -> None:
    """End a fault. What it has done stays done."""
    if (name is None) == (not all_):
        raise SluiceError("say which fault is to end", "Name it, or give --all.")
    if name is not None:
        ended = _ask("DELETE", f"/{quote(name, safe='')}")
        output.emit(ended, f"{name} is over; it struck {ended['struck']} of {ended['seen']}")
        return
    names = _ask("DELETE", "")["ended"]
    output.emit({"ended": names}, f"ended {', '.join(names)}" if names else "no fault lasted")


def instance(
    endpoint: Endpoint,
    variant: Variant = None,
    config: Annotated[str | None, typer.Option(help="Of the fleet under this endpoint config.")] = None,
) -> None:
    """Kill the oldest serving instance of a variant, as by kill -9.

    Requests in flight on it fail; those after it go to the others, and a new instance takes its place.
    """
    _inject("instance", endpoint=endpoint, variant=variant, config=config)


def zone(
    zone: Annotated[str, typer.Argument(help="Such as us-east-1a.")],
    endpoint: Annotated[str | None, typer.Option(help="Of this endpoint only; default: all.")] = None,
    seconds: Seconds = None,
) -> None:
    """Kill every instance in a zone, and keep the zone closed.

    The instances that take their place start in the zones that are left.
    """
    _inject("zone", zone=zone, endpoint=endpoint, seconds=seconds)


def model(
    endpoint: Endpoint,
    slow: Annotated[int | None, typer.Option(help="Add so many milliseconds to each answer.")] = None,
    share: Annotated[
        float | None, typer.Option(help="With --slow: of this share of the invocations.")
    ] = None,
    fail: Annotated[float | None, typer.Option(help="Answer this share with status 500.")] = None,
    variant: Variant = None,
    config: Annotated[str | None, typer.Option(help="Of the fleet under this endpoint config.")] = None,
    package: Annotated[
        str | None, typer.Option(help="Of models of this package: group/version, or ARN.")
    ] = None,
    seconds: Seconds = None,
) -> None:
    """Make a model slow, or make it fail.

    Of a variant, of the fleet under an endpoint config, or of a model package wherever it is deployed on the endpoint;
    without any of these, of the whole endpoint, its shadow too. Callers of a failing model get ModelError (424).
    """
    _inject(
        "model",
        endpoint=endpoint,
        slow=slow,
        share=share,
        fail=fail,
        variant=variant,
        config=config,
        package=package,
        seconds=seconds,
    )


def captures(
    endpoint: Endpoint,
    lose: Annotated[float, typer.Option(help="The share of captured requests that never reaches S3.")],
    variant: Variant = None,
    seconds: Seconds = None,
) -> None:
    """Lose captured requests on their way to S3. Callers see nothing of it."""
    _inject("captures", endpoint=endpoint, lose=lose, variant=variant, seconds=seconds)


def events(
    duplicate: Annotated[
        bool, typer.Option("--duplicate", help="Call each target twice for the same event.")
    ] = False,
    share: Annotated[float | None, typer.Option(help="Of this share of the deliveries.")] = None,
    rule: Annotated[str | None, typer.Option(help="Of this rule of the default bus only.")] = None,
    seconds: Seconds = None,
) -> None:
    """Deliver the events of EventBridge, firings of schedules among them, twice: AWS promises at least once."""
    if not duplicate:
        raise SluiceError("say what happens to events", "Give --duplicate.")
    _inject("events", duplicate=share, rule=rule, seconds=seconds)


def function(
    name: Annotated[str, typer.Argument(help="A Lambda function, such as sluice-local-flights-judge.")],
    drop: Annotated[
        bool, typer.Option("--drop", help="Invocations never happen, instead of failing.")
    ] = False,
    seconds: Seconds = None,
) -> None:
    """Let invocations of a Lambda function fail: a judge that is out.

    It fails as if its process was killed, and Lambda tries events again. With --drop, events are lost without a trace,
    and callers that wait get ServiceException (500).
    """
    _inject("function", function=name, drop=drop, seconds=seconds)


def api(
    throttle: Annotated[float | None, typer.Option(help="Refuse this share of the calls.")] = None,
    lose: Annotated[
        float | None, typer.Option(help="Do what is asked, and lose this share of the answers.")
    ] = None,
    service: Annotated[
        str | None, typer.Option(help="Of this service only, by boto3's name: sagemaker.")
    ] = None,
    action: Annotated[str | None, typer.Option(help="Of this action of the service: UpdateEndpoint.")] = None,
    seconds: Seconds = None,
) -> None:
    """Throttle AWS's control plane, or lose its answers.

    A throttled call does nothing and answers as the service does (ThrottlingException, SlowDown, …). A call whose
    answer is lost is done, and the connection breaks. Invocations of models are no calls of the control plane.
    """
    _inject("api", throttle=throttle, lose=lose, service=service, action=action, seconds=seconds)


def labels(
    workload: Annotated[str, typer.Argument(help="The workload, such as flights.")],
    late: Annotated[float | None, typer.Option(help="Seconds by which labels come later.")] = None,
    missing: Annotated[
        float | None, typer.Option(help="The share of the label files that is not there.")
    ] = None,
    seconds: Seconds = None,
) -> None:
    """Let labels come late, or not at all.

    This is done where S3 is read, for keys under <workload>/labels/ of any bucket. Late: every reader sees each file
    as it was so many seconds ago. Missing: a share of the files, chosen by a hash of the key and so always the same,
    is neither listed nor read. What is written is kept, and is all there when the fault ends.
    """
    if not (paths.ROOT / "workloads" / workload / "workload.yaml").is_file():
        there = sorted(found.parent.name for found in (paths.ROOT / "workloads").glob("*/workload.yaml"))
        raise SluiceError(f"there is no workload {workload!r}", f"There are: {', '.join(there)}.")
    _inject("labels", workload=workload, late=late, missing=missing, seconds=seconds)


def _inject(kind: str, **parameters: Any) -> None:
    given = {name: value for name, value in parameters.items() if value is not None}
    fault = _ask("POST", "", {"kind": kind, **given})
    output.emit(fault, lambda: _told(fault))


def _ask(method: str, path: str, body: Any = None) -> Any:
    """What the emulator answers.

    Raises:
        SluiceError: if this is not the environment of an emulator, none answers, or it refuses.
    """
    from sluice.engine import emulator, environment

    if environment.selected() != environment.LOCAL:
        raise SluiceError(
            f"faults are injected into the emulator, and the environment is {environment.selected()}",
            f"Set SLUICE_ENVIRONMENT={environment.LOCAL}.",
        )
    running = emulator.status()
    if running is None:
        raise SluiceError("no emulator answers", "`sluice emulator start` starts one.")
    request = urllib.request.Request(
        f"{running.endpoint_url}/_sluice/faults{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
        method=method,
    )
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise SluiceError(_problem(error)) from error
    except OSError as error:
        raise SluiceError(f"the emulator did not answer: {error}", "`sluice logs` says more.") from error


def _problem(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["error"])
    except (ValueError, KeyError, TypeError):
        return f"the emulator answered {error.code}"


def _told(fault: Mapping[str, Any]) -> str:
    lines = [f"{fault['fault']}: {_about(fault)}"]
    lines += [
        f"  {each['id']} of {each['variant']} in {each['zone']} is dead ({each['config']})"
        for each in fault["instances"]
    ]
    if fault["active"]:
        until = f"until {fault['ends']}" if fault["ends"] else "until it is ended"
        lines.append(f"  {until}: sluice fault end {fault['fault']}")
    return "\n".join(lines)


def _about(fault: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in fault["what"].items())


def _table(faults: list[Mapping[str, Any]]) -> Any:
    from rich.table import Table

    table = Table("fault", "what", "since", "until", "struck")
    for each in faults:
        until = each["ended"] or each["ends"] or ""
        table.add_row(
            each["fault"], _about(each), each["began"], until, f"{each['struck']} of {each['seen']}"
        )
    return table
