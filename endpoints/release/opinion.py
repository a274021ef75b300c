"""What the judge thinks of a release: pass, fail, or undecided, and why. It looks by itself, on its schedule; here is
only read what it has said, and nothing of it is written."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal
from urllib.parse import quote

from botocore.exceptions import ClientError

from endpoints import registry
from endpoints.release import on_trial, proof
from endpoints.release.file import ReleaseFile
from endpoints.release.judge import Verdict
from endpoints.release.on_trial import Places
from endpoints.release.target import Target
from endpoints.watch import run
from endpoints.watch.memory import Memory
from endpoints.watch.subject import Subject, located
from sluice.config import Frozen
from sluice.errors import SluiceError

SILENCE = timedelta(minutes=5)
"""So long after its last look, beyond what it waits for captures, the judge's word is taken for its present one."""


class Opinion(Frozen):
    """A verdict in one sentence."""

    verdict: Literal["pass", "fail", "undecided"]
    reason: str


@dataclass(frozen=True)
class Look:
    """What the judge has said of the stage that the release is in.

    Attributes:
        subject: who is judged; None if nothing is.
        memory: all that the judge knows; None before its first look.
        verdict: as of its last look.
    """

    opinion: Opinion
    subject: Subject | None = None
    memory: Memory | None = None
    verdict: Verdict | None = None

    def evidence(self, target: Target, exact: bool = True) -> str | None:
        """The URI of the report that the opinion rests on, of this very version of it; None if there is none yet.

        Args:
            exact: refuse a report that says something else than the opinion.

        Raises:
            SluiceError: for such a report: it is about to be written anew.
        """
        if self.memory is None:
            return None
        return report_of(self.memory.subject, self.opinion.verdict if exact else None, target.clients["s3"])


def opinion(target: Target, release: ReleaseFile) -> Opinion:
    """What is thought of the release now."""
    return look(target, release).opinion


def look(target: Target, release: ReleaseFile) -> Look:
    """What the judge has said."""
    subject = _subject(target, release)
    if subject is None:
        return Look(Opinion(verdict="undecided", reason="nothing is on trial"))
    memory = run.seen(target.clients["s3"], subject)
    if memory is None:
        reason = f"the judge has not looked at {subject.challenger.version} in {subject.stage} yet"
        return Look(Opinion(verdict="undecided", reason=reason), subject)
    rules = subject.rules(target.workload)
    if memory.rules.fingerprint != rules.fingerprint:
        reason = (
            "the margins in workload.yaml are not those that the judge began with; withdraw the challenger and "
            "propose it again"
        )
        return Look(Opinion(verdict="undecided", reason=reason), subject, memory)
    said = memory.says
    # What is live it looks at seldom.
    wait = target.capture_lag + SILENCE + (2 * target.capture_lag if subject.stage == "live" else timedelta())
    return Look(
        of_verdict(said, target.clock.now() - memory.until, wait, target.endpoint), subject, memory, said
    )


def of_verdict(said: Verdict, age: timedelta, wait: timedelta, endpoint: str) -> Opinion:
    """The judge's word as an opinion. A fail is for ever; a pass is only one while it still looks.

    Args:
        age: of the newest evidence that it has seen; beyond `wait` it is taken to be silent.
    """
    if said.outcome == "fail":
        others = [name for name in said.suspects if name != said.decided_by]
        also = f"; so do {', '.join(others)}" if others else ""
        return Opinion(verdict="fail", reason=f"{said.decided_by} shows it to be worse than tolerated{also}")
    if age > wait:
        return Opinion(
            verdict="undecided",
            reason=f"the judge has seen nothing of the last {timedelta(seconds=int(age.total_seconds()))}; "
            f"the alarm {endpoint}-judge-heartbeat and its log say more",
        )
    if said.outcome == "pass":
        shown = "; ".join(check.says for check in said.checks if check.role == "required")
        return Opinion(verdict="pass", reason=shown or "everything that is required is shown")
    return Opinion(verdict="undecided", reason="; ".join(said.needs))


def report_of(subject: Subject, outcome: str | None, s3: Any) -> str | None:
    """The URI of the judge's report with its version, as a release file names it; None if there is none.

    Args:
        outcome: that it has to say; None: whatever it says.

    Raises:
        SluiceError: if it says something else.
    """
    uri = subject.report_uri
    place = located(uri)
    try:
        version = s3.head_object(**place).get("VersionId")
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
            return None
        raise
    named = uri if version in (None, "null") else f"{uri}?versionId={quote(version)}"
    found = None if outcome is None else proof.read(s3, named)
    if outcome is not None and (found is None or found.outcome != outcome):
        written = "nothing" if found is None else found.outcome
        raise SluiceError(
            f"the judge's report at {uri} says {written}, and it now says {outcome}",
            "It is written anew with each change of the verdict; run this again in a minute.",
        )
    return named


def _subject(target: Target, release: ReleaseFile) -> Subject | None:
    """As the program told the judge, as far as it takes to find what it remembers."""
    sagemaker = target.clients["sagemaker"]
    try:
        described = sagemaker.describe_endpoint(EndpointName=target.endpoint)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("ValidationException", "ResourceNotFound"):
            return None
        raise
    challenger, champion = release.challenger, release.champion
    config = str(described["EndpointConfigName"])
    if challenger is not None and challenger.stage == "canary":
        config = (described.get("PendingDeploymentSummary") or {}).get("EndpointConfigName", config)
    capture = described.get("DataCaptureConfig") or {}
    named = [entry.package for entry in (challenger, champion) if entry is not None]
    described_packages = {arn: registry.describe(arn, sagemaker) for arn in (*named, *release.history[:1])}
    packages = {arn: found for arn, found in described_packages.items() if found is not None}
    if challenger is not None and challenger.package not in packages:
        return None
    places = Places(
        captures=str(capture.get("DestinationS3Uri", "")),
        captures_key_arn=str(capture.get("KmsKeyId", "")),
    )
    return on_trial.subject_of(
        release, packages, target.endpoint, config, target.workload.serving.instance_type, places
    )
