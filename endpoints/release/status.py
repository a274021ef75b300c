"""What is live, what is on trial and what is thought of it: as plain data, and as a table for people."""

from datetime import UTC, datetime
from typing import Any

from endpoints.release import live, serving
from endpoints.release.file import ReleaseFile, short
from endpoints.release.opinion import look
from endpoints.release.target import Target

_MARKS = {"pass": "[green]✓[/]", "fail": "[red]✗[/]", "undecided": "[yellow]?[/]"}


def describe(target: Target) -> dict[str, Any]:
    """All that `status` says, as plain data."""
    release = target.read()
    now = live.observe(target.endpoint, target.clients)
    glass = serving.broken_glass(target.cloud, target.endpoint)
    value: dict[str, Any] = {
        "workload": target.workload.name,
        "environment": target.environment,
        "file": str(target.store.path(target.workload.name)),
        "release": release.model_dump(mode="json"),
        "endpoint": None if now is None else now.model_dump(mode="json"),
        "opinion": None,
        "judge": None,
        "changes": target.store.log(target.workload.name),
        "glass": None if glass is None else glass.says,
    }
    if now is not None:
        seen = look(target, release)
        if seen.subject is not None:
            value["opinion"] = seen.opinion.model_dump()
        if seen.verdict is not None:
            value["judge"] = seen.verdict.model_dump(mode="json")
    return value


def summary(release: ReleaseFile) -> str:
    """One line: what is live, and what is tried."""
    if release.champion is None:
        return "no champion yet: sluice release init"
    line = f"{release.champion.version} ({short(release.champion.package)}) is live"
    if release.hold is not None:
        line = f"held by {release.hold.by}: {release.hold.why}; {line}"
    if release.challenger is None:
        return f"{line}, nothing is on trial"
    challenger = release.challenger
    days = datetime.now(UTC) - challenger.since
    since = f"for {days.days} days" if days.days else f"since {challenger.since:%H:%M} UTC"
    return f"{line}, {challenger.version} ({short(challenger.package)}) is in {challenger.stage} {since}"


def tables(values: list[dict[str, Any]]) -> Any:
    """What `describe` says of some releases, for people."""
    from rich.console import Group

    return Group(*map(_table, values))


def _table(value: dict[str, Any]) -> Any:
    from rich.table import Table

    release = ReleaseFile.model_validate(value["release"])
    table = Table(
        title=f"{value['workload']} in {value['environment']}", show_header=False, title_justify="left"
    )
    table.add_row("release", summary(release))
    for entry in (release.champion, release.challenger):
        if entry is not None and entry.forced is not None:
            table.add_row("  forced", f"{entry.version}: {entry.forced}")
    table.add_row("way back", ", ".join(map(short, release.history)) or "none yet")
    table.add_row("rejected", ", ".join(map(short, release.rejected)) or "none")
    if value["glass"]:
        table.add_row("[red]broken glass[/]", value["glass"])
    now = value["endpoint"]
    if now is None:
        table.add_row("endpoint", "none is deployed")
    else:
        deploying = f", deploying {now['pending']}" if now["pending"] else ""
        table.add_row("endpoint", f"{now['name']} is {now['status']} on {now['config']}{deploying}")
        for variant in now["variants"]:
            kind = "shadow" if variant["shadow"] else "answers"
            table.add_row(
                f"  {variant['name']}", f"{variant['instances']} of {variant['wanted']} instances, {kind}"
            )
        for name, state in now["alarms"].items():
            table.add_row(f"  {name}", state)
    if value["opinion"]:
        table.add_row(
            f"{_MARKS[value['opinion']['verdict']]} judge",
            f"{value['opinion']['verdict']}: {value['opinion']['reason']}",
        )
    judge = value["judge"] or {"checks": (), "slices": ()}
    loud = [check for check in judge["slices"] if check["outcome"] == "fail"]
    for check in (*(each for each in judge["checks"] if each["role"] != "reported"), *loud):
        table.add_row(f"  {_MARKS[check['outcome']]} {check['name']}", check["says"])
    for line in value["changes"][:5]:
        table.add_row("change", line)
    table.add_row("file", value["file"])
    return table
