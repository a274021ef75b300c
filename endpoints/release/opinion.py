"""What is thought of a challenger in shadow: pass, fail, or undecided, and why.

`opinion` is all that the rest of the release path asks. Today it rests on the thresholds of `checks`; the judge takes
their place behind the same function.
"""

from dataclasses import dataclass
from typing import Literal

from endpoints.release import checks, evidence
from endpoints.release.checks import Check
from endpoints.release.evidence import Evidence
from endpoints.release.file import ReleaseFile
from endpoints.release.target import Target
from sluice.config import Frozen
from sluice.errors import SluiceError
from workloads.contract import Release


class Opinion(Frozen):
    """A verdict in one sentence."""

    verdict: Literal["pass", "fail", "undecided"]
    reason: str


@dataclass(frozen=True)
class Look:
    """One look at the shadow stage: what was seen, and what is thought of it."""

    opinion: Opinion
    evidence: Evidence
    checks: tuple[Check, ...]

    def keep(self, target: Target) -> str:
        """Write down what the opinion rests on; its S3 URI."""
        said = [check.model_dump() for check in self.checks]
        return evidence.keep(self.evidence, said, target.clients)


def opinion(target: Target, release: ReleaseFile) -> Opinion:
    """What is thought of the challenger now.

    Raises:
        SluiceError: if there is no challenger.
    """
    return look(target, release).opinion


def look(target: Target, release: ReleaseFile) -> Look:
    """Gather the evidence and form an opinion.

    Raises:
        SluiceError: if there is no challenger.
    """
    if release.champion is None or release.challenger is None:
        raise SluiceError(f"{target.workload.name} has no challenger, so there is nothing to show")
    seen = evidence.gather(
        target.endpoint,
        release.champion,
        release.challenger,
        target.clock.now(),
        target.capture_lag,
        target.clients,
    )
    rules = target.workload.release
    found = checks.check(seen, rules, release.champion.package, release.challenger.package)
    return Look(of_checks(seen, found, rules), seen, found)


def of_checks(seen: Evidence, found: tuple[Check, ...], rules: Release) -> Opinion:
    """The opinion that thresholds allow. A failed check speaks against the challenger only once there is enough to
    see: three pairs that disagree are no verdict, and pairs that do not come together are lost evidence, not a fault.
    """
    if checks.passed(found):
        return Opinion(verdict="pass", reason=_told(found, "pass"))
    enough = {"agreement": seen.pairs, "errors": seen.shadow_requests or 0}
    against = tuple(
        check
        for check in found
        if check.verdict == "fail" and enough.get(check.name, 0) >= rules.minimum_pairs
    )
    if against and found[0].verdict == "pass":
        return Opinion(verdict="fail", reason=_told(against, "fail"))
    open_checks = tuple(check for check in found if check.verdict != "pass")
    return Opinion(
        verdict="undecided",
        reason="; ".join(f"{check.name} ({check.verdict}): {check.says}" for check in open_checks),
    )


def _told(found: tuple[Check, ...], verdict: str) -> str:
    said = "" if verdict == "pass" else f" ({verdict})"
    return "; ".join(f"{check.name}{said}: {check.says}" for check in found if check.verdict == verdict)
