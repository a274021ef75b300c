"""`sluice release report`: the evidence of a release as a page."""

import re
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from endpoints.release.target import LOCAL_CAPTURE_LAG, Target
from endpoints.watch import run
from endpoints.watch.look import Limits
from endpoints.watch.report import Decision, Report, page
from endpoints.watch.subject import Subject
from sluice import output, paths
from sluice.engine import environment, outputs
from sluice.errors import SluiceError

LOCAL_LIMITS = Limits(lag=LOCAL_CAPTURE_LAG, metrics_lag=LOCAL_CAPTURE_LAG, period_seconds=10)
"""The emulator publishes metrics every ten seconds, and captures sooner."""
_CHANGE = re.compile(r"^(\S+) (.+)$")


def report(
    workload: Annotated[str, typer.Argument(help="The workload, such as flights.")],
    opened: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
) -> None:
    """Write the evidence of the challenger in shadow, or else of the last one, as JSON and as one HTML page."""
    target = Target.of(workload)
    said = made(target)
    folder = paths.local() / "reports" / target.environment / workload
    document, html = write(said, folder)
    if opened:
        typer.launch(str(html))
    output.emit(
        {
            "report": str(html),
            "document": str(document),
            "evidence": said.subject.id,
            "verdict": said.verdict.outcome,
        },
        f"{said.subject.challenger.version} in {said.subject.stage}: {said.verdict.outcome}\n{html}\n{document}",
    )


def limits(target: Target) -> Limits:
    """How late captures and metrics may come in the target's environment."""
    return LOCAL_LIMITS if target.environment == environment.LOCAL else Limits()


def made(target: Target) -> Report:
    """Look at the challenger in shadow, if there is one, and report; else report what was seen last.

    Raises:
        SluiceError: if nothing was ever looked at.
    """
    release, now = target.read(), target.clock.now()
    clients = target.clients
    if release.challenger is not None and release.challenger.stage == "shadow":
        labels = f"s3://{outputs.platform().data_bucket}/{target.workload.name}/labels/"
        subject = run.subject_of(clients["sagemaker"], target.endpoint, target.workload.name, release, labels)
        memory = run.look(subject, target.workload, clients, now, limits(target))[1].memory
    else:
        captures = f"s3://{outputs.platform().capture_bucket}/{target.workload.name}"
        found = run.last(clients["s3"], captures, target.endpoint)
        if found is None:
            raise SluiceError(
                f"no challenger of {target.workload.name} was looked at yet",
                f"Propose one: sluice release propose {target.workload.name}",
            )
        memory = found
    changes = tuple(decisions(target.store.log(target.workload.name, limit=100), memory.subject))
    said = run.report(memory, clients, now, changes)
    run.keep(said, clients)
    return said


def decisions(log: list[str], subject: Subject) -> list[Decision]:
    """The changes of the release file since the stage began that name the challenger, the oldest first."""
    named = re.compile(rf"(?<![\d.]){re.escape(subject.challenger.version)}(?![\d.])")
    found = []
    for line in reversed(log):
        match = _CHANGE.match(line)
        if match is None:
            continue
        moment = datetime.fromisoformat(match[1])
        if moment >= subject.since.replace(microsecond=0) and named.search(match[2]):
            found.append(Decision(moment=moment, what=match[2]))
    return found


def write(said: Report, folder: Path) -> tuple[Path, Path]:
    """The document and the page in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    document, html = (folder / f"{said.subject.id}.{kind}" for kind in ("json", "html"))
    document.write_text(said.model_dump_json(indent=1) + "\n", encoding="utf-8")
    html.write_text(page(said), encoding="utf-8")
    return document, html
