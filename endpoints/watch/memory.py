"""What the watch remembers between looks, and how it is kept: one object, replaced only by who read it last."""

import gzip
import json
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError
from pydantic import AwareDatetime

from endpoints.release.judge import Reference, Rules, State, Verdict, start, verdict
from endpoints.release.judge.state import VERSION
from endpoints.watch import expectation
from endpoints.watch.expectation import BINS, Expectation
from endpoints.watch.intake import Cursor
from endpoints.watch.subject import Subject
from sluice.config import Frozen
from sluice.errors import SluiceError

POINTS = 400
ALONE = "errors and latency are not compared, for SageMaker has not named the config beside the canary"
ANEW = "the evidence begins anew: the margins, or the judge, are others now"


class Point(Frozen):
    """The judge after one look: log10 of e-values, combined and by check; in a slice, `check of slice`."""

    moment: AwareDatetime
    log10_e: float
    checks: dict[str, float]
    pairs: int
    outcome: str


class Change(Frozen):
    """The verdict became another."""

    moment: AwareDatetime
    outcome: str
    why: str


class Tally(Frozen):
    """What the watch counted beside the judge.

    Attributes:
        joined_by_id, joined_by_payload: requests.
        unmatched: requests of production whose other half did not come; `lost` are those of the shadow.
        other_versions: answers of versions that are not on trial.
        unlabelled: rows whose label did not come in time; `unsampled` halvings of the rows kept for labels.
    """

    objects: int = 0
    requests: int = 0
    joined_by_id: int = 0
    joined_by_payload: int = 0
    unmatched: int = 0
    lost: int = 0
    unreadable: int = 0
    other_versions: int = 0
    labels: int = 0
    unlabelled: int = 0
    halvings: int = 0

    def plus(self, **more: int) -> "Tally":
        """With more of some."""
        return self.model_copy(update={name: getattr(self, name) + count for name, count in more.items()})


class Memory(Frozen):
    """The watch after some looks.

    Attributes:
        version: of the judge; what another version began is not continued.
        rules: what it is judged by; those that it began under.
        since: when the evidence begins: with the stage, or later where it had to begin anew.
        until: of the rows; `minutes` is that of the metrics.
        behind: up to when captures are read, where one look did not read them all.
        began: the first answer of the challenger: from then on requests are mirrored, or split.
        previous: the config beside a canary, once it is known.
        expectation: in the stage live, what is expected.
        share: of the requests that are looked at.
        reported: when the report was last written.
        halves, unlabelled: see `waiting`.
        joined: of the last rows that joined, how many production answered in each second.
        labels_read: label objects by key, each with a mark of what was read.
        scores: of champion and challenger in `BINS` bins from 0 to 1, for the report.
        sample: scores of the champion until there are enough for a reference.
    """

    version: int = VERSION
    subject: Subject
    rules: Rules
    looks: int = 0
    since: AwareDatetime
    until: AwareDatetime
    minutes: AwareDatetime
    behind: AwareDatetime | None = None
    began: AwareDatetime | None = None
    previous: str = ""
    expectation: Expectation | None = None
    share: float = 1.0
    reported: AwareDatetime | None = None
    cursors: dict[str, Cursor] = {}
    halves: dict[str, Any] = {}
    joined: dict[int, int] = {}
    unlabelled: dict[str, Any] = {}
    labels_read: dict[str, str] = {}
    reference: Reference = Reference()
    sample: tuple[float, ...] = ()
    judge: State
    tally: Tally = Tally()
    scores: tuple[tuple[float, ...], tuple[float, ...]] = ((0.0,) * BINS, (0.0,) * BINS)
    path: tuple[Point, ...] = ()
    changes: tuple[Change, ...] = ()

    @property
    def says(self) -> Verdict:
        """What the judge says. A canary whose traffic nobody could compare is undecided, whatever its answers are."""
        said = verdict(self.judge, self.rules)
        if self.subject.stage != "canary" or self.previous or said.outcome == "fail":
            return said
        return said.model_copy(
            update={"outcome": "undecided", "needs": (ALONE, *said.needs), "seconds": None}
        )


def fresh(
    subject: Subject, rules: Rules, expectation: Expectation | None = None, since: datetime | None = None
) -> Memory:
    """Before the first look.

    Args:
        since: when the evidence begins, if not with the stage.
    """
    since = since or subject.since
    bounds = {} if expectation is None else expectation.bounds
    return Memory(
        subject=subject,
        rules=rules,
        since=since,
        until=since,
        minutes=since.replace(second=0, microsecond=0),
        expectation=expectation,
        judge=start(rules, bounds),
    )


def thinned(path: tuple[Point, ...]) -> tuple[Point, ...]:
    """At most `POINTS`: every other one goes, but not the first, the last, or one with another outcome than before."""
    if len(path) <= POINTS:
        return path
    kept = [
        point
        for place, point in enumerate(path)
        if place % 2 == 0 or place == len(path) - 1 or point.outcome != path[place - 1].outcome
    ]
    return tuple(kept)


class ConflictError(Exception):
    """Another look was quicker."""


class Keeper:
    """Reads and writes the memory of a subject in S3."""

    def __init__(self, s3: Any, subject: Subject) -> None:
        self._s3, self._subject = s3, subject
        self._key = subject.key("state.json.gz")
        self._etag: str | None = None

    def load(self, rules: Rules, now: datetime | None = None) -> Memory:
        """The memory, with the subject as it is given now; a new one before the first look. Of a version that is live
        it begins anew, at `now`, where the rules or the judge are others: its stage has no end at which they could.

        Raises:
            SluiceError: if, in another stage, another version of the judge wrote it.
        """
        subject, live = self._subject, self._subject.stage == "live"
        value = self._value()
        if value is None:
            return fresh(subject, rules, self._expected(rules))
        try:
            memory = _valid(value, subject.id)
        except SluiceError:
            if not live:
                raise
            memory = None
        if memory is not None and (not live or memory.rules == rules):
            return memory.model_copy(update={"subject": subject})
        anew = fresh(subject, rules, self._expected(rules), now)
        change = Change(moment=anew.since, outcome="undecided", why=ANEW)
        return anew.model_copy(update={"changes": (change,)})

    def seen(self) -> Memory | None:
        """The memory, only to read it; None before the first look.

        Raises:
            SluiceError: if another version of the judge wrote it.
        """
        value = self._value()
        return None if value is None else _valid(value, self._subject.id)

    def _value(self) -> dict[str, Any] | None:
        try:
            found = self._s3.get_object(Bucket=self._subject.bucket, Key=self._key)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("NoSuchKey", "404"):
                raise
            self._etag = None
            return None
        self._etag = found["ETag"]
        value: dict[str, Any] = json.loads(gzip.decompress(found["Body"].read()))
        return value

    def _expected(self, rules: Rules) -> Expectation | None:
        return expectation.read(self._s3, self._subject, rules) if self._subject.stage == "live" else None

    @staticmethod
    def read(s3: Any, bucket: str, key: str) -> Memory:
        """The memory in an object, only to show it.

        Raises:
            SluiceError: if another version of the judge wrote it.
        """
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return _valid(json.loads(gzip.decompress(body)), key)

    def save(self, memory: Memory) -> None:
        """Write it, if nobody did since it was read.

        Raises:
            ConflictError: if somebody did; the look is then lost, and belongs to the other.
        """
        condition = {"IfNoneMatch": "*"} if self._etag is None else {"IfMatch": self._etag}
        body = gzip.compress(memory.model_dump_json().encode(), mtime=0)
        try:
            answer = self._s3.put_object(
                Bucket=self._subject.bucket,
                Key=self._key,
                Body=body,
                ContentType="application/gzip",
                **encryption(self._subject.kms_key_arn),
                **condition,
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in ("PreconditionFailed", "ConditionalRequestConflict", "412"):
                raise ConflictError(self._subject.id) from error
            raise
        self._etag = answer["ETag"]


def _valid(value: dict[str, Any], name: str) -> Memory:
    if value.get("version") != VERSION:
        raise SluiceError(
            f"the evidence of {name} was gathered by version {value.get('version')} of the judge, and this is "
            f"{VERSION}",
            "Begin it anew: withdraw the challenger and propose it again.",
        )
    return Memory.model_validate(value)


def encryption(key_arn: str | None) -> dict[str, str]:
    """How an object of the watch is encrypted: with this key, or as its bucket has it."""
    return {} if key_arn is None else {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key_arn}
