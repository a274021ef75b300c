"""`sluice release report`: the evidence of a release as a page, and whether what is stored is what the judge wrote."""

import re
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from endpoints.release.target import Target
from endpoints.watch import run, stored
from endpoints.watch.memory import Memory
from endpoints.watch.report import Decision, Report, page
from endpoints.watch.subject import Subject
from sluice import aws, output, paths
from sluice.engine import outputs
from sluice.errors import SluiceError

_CHANGE = re.compile(r"^(\S+) (.+)$")


def report(
    workload: Annotated[str, typer.Argument(help="The workload, such as flights.")],
    opened: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    stage: Annotated[
        Literal["shadow", "canary", "live"] | None,
        typer.Option(help="Of this stage; by default the one that the judge looked at last."),
    ] = None,
    version: Annotated[str, typer.Option(help="Of this version.")] = "",
    verify: Annotated[
        bool, typer.Option("--verify", help="Check the signature of the report that the judge has stored.")
    ] = False,
    evidence: Annotated[
        str, typer.Option(help="Check the signature of this one, by its URI as the release file names it.")
    ] = "",
) -> None:
    """Write what the judge knows of a release as JSON and as one HTML page, with the decisions since.

    With --verify or --evidence a stored report is checked against the judge's signature; exit code 1 if it was altered.
    """
    target = Target.of(workload)
    if evidence:
        _verify(target, evidence)
        return
    memory = remembered(target, stage or "", version)
    if verify:
        _verify(target, memory.subject.report_uri)
        return
    changes = tuple(decisions(target.store.log(target.workload.name, limit=100), memory.subject))
    said = run.report(memory, target.clients, target.clock.now(), changes)
    document, html = write(said, paths.local() / "reports" / target.environment / workload)
    if opened:
        typer.launch(str(html))
    output.emit(
        {
            "report": str(html),
            "document": str(document),
            "evidence": said.subject.id,
            "stored": said.subject.report_uri,
            "verdict": said.verdict.outcome,
        },
        f"{said.subject.challenger.version} in {said.subject.stage}: {said.verdict.outcome}\n{html}\n{document}",
    )


def remembered(target: Target, stage: str = "", version: str = "") -> Memory:
    """What the judge remembers of the stage that it looked at last; nothing is looked at or written here.

    Raises:
        SluiceError: if it never looked.
    """
    captures = f"s3://{outputs.platform().capture_bucket}/{target.workload.name}"
    found = run.last(target.clients["s3"], captures, target.endpoint, stage, version)
    if found is None:
        what = " ".join(part for part in (target.workload.name, version, stage and f"in {stage}") if part)
        raise SluiceError(
            f"the judge has not looked at {what} yet",
            f"It looks each minute once a challenger is there: sluice release status {target.workload.name}",
        )
    return found


def _verify(target: Target, uri: str) -> None:
    key = outputs.platform().evidence_signing_key_arn
    found = stored.verified(target.clients["s3"], aws.client("kms"), key, uri, target.clock)
    output.emit(
        {"report": uri, "valid": found.valid, "says": found.says, "key": key},
        f"{uri}\n{'valid' if found.valid else 'INVALID'}: {found.says}",
    )
    if not found.valid:
        raise typer.Exit(1)


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
