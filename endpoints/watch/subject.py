"""Who is judged, and where the evidence lies. Whoever deploys a release writes it down; the watch looks nothing up."""

from pathlib import PurePosixPath

from endpoints.release.captures import PRODUCTION, SHADOW
from endpoints.release.file import Challenger, Champion, Moment
from endpoints.release.judge import Rules
from endpoints.release.judge.rules import Stage
from sluice.config import Frozen
from sluice.naming import content_hash
from workloads.contract import Workload


class Subject(Frozen):
    """One stage of one release.

    Attributes:
        config: the endpoint config of the stage; `previous` is the one beside it in a canary.
        captures: `DestinationS3Uri` of the endpoint's captures; `kms_key_arn` is their key.
        labels: `s3://bucket/prefix/` of the partitions `dt=YYYY-MM-DD/` with labels by the day on which they were
            known; empty: none come.
    """

    workload: str
    endpoint: str
    stage: Stage
    champion: Champion
    challenger: Challenger
    config: str
    previous: str | None = None
    captures: str
    kms_key_arn: str | None = None
    labels: str = ""

    @property
    def since(self) -> Moment:
        return self.challenger.since

    @property
    def id(self) -> str:
        """Of this stage alone: a challenger that is proposed again is judged anew."""
        said = self.model_dump(mode="json", include={"endpoint", "stage", "config"})
        who = {
            "champion": self.champion.package,
            "challenger": self.challenger.package,
            "since": self.model_dump(mode="json")["challenger"]["since"],
        }
        return f"{self.challenger.version}-{self.stage}-{content_hash({**said, **who})}"

    @property
    def variants(self) -> tuple[str, ...]:
        """Whose captures are read."""
        return (PRODUCTION, SHADOW) if self.stage == "shadow" else (PRODUCTION,)

    def rules(self, workload: Workload) -> Rules:
        """What it is judged by."""
        return Rules.of(workload, self.stage, self.champion.version)

    @property
    def bucket(self) -> str:
        return self.captures.removeprefix("s3://").partition("/")[0]

    def key(self, name: str) -> str:
        """Of an object of the watch: beside the captures, in a prefix of its own."""
        prefix = self.captures.removeprefix("s3://").partition("/")[2].strip("/")
        return str(PurePosixPath(prefix, "judge", self.endpoint, self.id, name))
