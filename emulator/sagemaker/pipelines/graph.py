"""The order of a pipeline's steps. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from emulator.sagemaker.pipelines.expressions import ExpressionError, references


@dataclass(frozen=True)
class Step:
    """One step, also of a branch.

    Attributes:
        needs: the steps that have to succeed before; a step of a branch needs its Condition step.
        branch: the Condition step and the outcome at which this one runs; None if it always does.
    """

    name: str
    type: str
    arguments: Mapping[str, Any]
    needs: frozenset[str]
    branch: tuple[str, bool] | None = None
    display_name: str | None = None
    description: str | None = None
    property_files: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    cache: Mapping[str, Any] | None = None
    retries: tuple[Mapping[str, Any], ...] = ()


def flatten(steps: Iterable[Mapping[str, Any]], branch: tuple[str, bool] | None = None) -> list[Step]:
    """All steps, those of branches after their Condition step.

    Raises:
        ExpressionError: if an expression is malformed.
        KeyError: if a step lacks its name or type.
    """
    found: list[Step] = []
    for step in steps:
        name, kind = step["Name"], step["Type"]
        arguments = step.get("Arguments") or {}
        looked_at = arguments.get("Conditions", []) if kind == "Condition" else arguments
        needs = {str(part[1]) for part in references(looked_at) if part[0] == "Steps" and len(part) > 1}
        needs |= {dependency.partition(".")[0] for dependency in step.get("DependsOn") or ()}
        if branch is not None:
            needs.add(branch[0])
        found.append(
            Step(
                name=name,
                type=kind,
                arguments=arguments,
                needs=frozenset(needs),
                branch=branch,
                display_name=step.get("DisplayName"),
                description=step.get("Description"),
                property_files={file["PropertyFileName"]: file for file in step.get("PropertyFiles") or ()},
                cache=step.get("CacheConfig"),
                retries=tuple(step.get("RetryPolicies") or ()),
            )
        )
        if kind == "Condition":
            found += flatten(arguments.get("IfSteps") or (), (name, True))
            found += flatten(arguments.get("ElseSteps") or (), (name, False))
    return found


def order(steps: Iterable[Step]) -> list[str]:
    """The names so that each stands after all it needs; otherwise as in the definition.

    Raises:
        ExpressionError: if steps need each other in a circle.
    """
    remaining, done = list(steps), set[str]()
    ordered: list[str] = []
    while remaining:
        ready = [step for step in remaining if step.needs <= done]
        if not ready:
            names = ", ".join(sorted(step.name for step in remaining))
            raise ExpressionError(f"the steps {names} depend on each other")
        ordered += [step.name for step in ready]
        done |= {step.name for step in ready}
        remaining = [step for step in remaining if step.name not in done]
    return ordered


@dataclass(frozen=True)
class Progress:
    """How far an execution is: what ran, what never will, and how conditions came out."""

    succeeded: frozenset[str] = frozenset()
    skipped: frozenset[str] = frozenset()
    outcomes: Mapping[str, bool] = field(default_factory=dict)


def skipped(steps: Iterable[Step], progress: Progress) -> frozenset[str]:
    """The steps that will never run: of a branch that was not taken, and all that need one of them."""
    never = set(progress.skipped)
    while True:
        more = {
            step.name
            for step in steps
            if step.name not in never
            and (
                step.needs & never
                or (
                    step.branch is not None
                    and progress.outcomes.get(step.branch[0], step.branch[1]) != step.branch[1]
                )
            )
        }
        if not more:
            return frozenset(never)
        never |= more


def ready(steps: Iterable[Step], progress: Progress, started: frozenset[str]) -> list[Step]:
    """The steps that can start now, in the order of the definition."""
    return [
        step
        for step in steps
        if step.name not in started and step.name not in progress.skipped and step.needs <= progress.succeeded
    ]
