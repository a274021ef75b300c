"""Who is judged, and where the evidence lies. Whoever deploys a release writes it down; the watch looks up one thing
alone, the config beside a canary."""

from pathlib import PurePosixPath
from urllib.parse import parse_qs

from endpoints.release.captures import PRODUCTION, SHADOW
from endpoints.release.file import Champion, Moment
from endpoints.release.judge import Rules
from endpoints.release.judge.rules import Stage
from sluice.config import Frozen
from sluice.naming import content_hash
from workloads.contract import Workload


class Subject(Frozen):
    """One stage of one release.

    Attributes:
        champion: what the challenger is compared with; in the stage live, the version that it took the place of.
        challenger: the version on trial; in the stage live, what is champion now.
        since: when the stage began.
        config: the endpoint config of the stage.
        captures: `DestinationS3Uri` of the endpoint's captures; `kms_key_arn` is their key.
        labels: `s3://bucket/prefix/` of the partitions `dt=YYYY-MM-DD/` with labels by the day on which they were
            known; empty: none come.
        image: `sha256:…` that the challenger's package pins; the evidence is of it and of `instance_type` alone.
        audit: `s3://bucket/prefix/` of the reports, and `audit_key_arn` their key; empty: beside the captures.
        signing_key_arn: of an asymmetric key; None: the reports are not signed.
        expected: in the stage live, the URI of the report of the shadow stage, where known of this very version of it
            (`?versionId=…`).
        expectation: in the stage live, upper bounds from the evaluation of the package, by `loss`, `brier`, or
            `loss of origin=EWR`, for what the shadow saw too few labels of.
    """

    workload: str
    endpoint: str
    stage: Stage
    champion: Champion
    challenger: Champion
    since: Moment
    config: str
    captures: str
    kms_key_arn: str | None = None
    labels: str = ""
    image: str = ""
    instance_type: str = ""
    audit: str = ""
    audit_key_arn: str | None = None
    signing_key_arn: str | None = None
    expected: str | None = None
    expectation: dict[str, float] = {}

    @property
    def id(self) -> str:
        """Of this stage alone: a challenger that is proposed again is judged anew."""
        said = self.model_dump(mode="json", include={"endpoint", "stage", "config", "since"})
        who = {"champion": self.champion.package, "challenger": self.challenger.package}
        return f"{self.challenger.version}-{self.stage}-{content_hash({**said, **who})}"

    @property
    def variants(self) -> tuple[str, ...]:
        """Whose captures are read."""
        return (PRODUCTION, SHADOW) if self.stage == "shadow" else (PRODUCTION,)

    def rules(self, workload: Workload) -> Rules:
        """What it is judged by."""
        scored = self.challenger if self.stage == "live" else self.champion
        return Rules.of(workload, self.stage, scored.version)

    @property
    def bucket(self) -> str:
        return located(self.captures)["Bucket"]

    def key(self, name: str) -> str:
        """Of an object of the watch: beside the captures, in a prefix of its own."""
        prefix = located(self.captures)["Key"].strip("/")
        return str(PurePosixPath(prefix, "judge", self.endpoint, self.id, name))

    def report(self, name: str = "report.json") -> str:
        """The URI of a form of the report."""
        if not self.audit:
            return f"s3://{self.bucket}/{self.key(name)}"
        return f"{self.audit.rstrip('/')}/{self.endpoint}/{self.id}/{name}"

    @property
    def report_uri(self) -> str:
        """The URI of the report as a document."""
        return self.report()


def located(uri: str) -> dict[str, str]:
    """Bucket, Key and, where it is named, VersionId of `s3://bucket/key?versionId=…`, as S3's calls take them."""
    path, _, query = uri.removeprefix("s3://").partition("?")
    bucket, _, key = path.partition("/")
    version = parse_qs(query).get("versionId")
    return {"Bucket": bucket, "Key": key, **({"VersionId": version[0]} if version else {})}
