"""`python -m endpoints.serving.replayed`: whether this image answers captured requests as they were answered before.

A processing job of a patched image, isolated: it reads `/opt/ml/processing/captures/**/*.jsonl` and
`/opt/ml/processing/model/model.tar.gz`, asks the application itself, and writes
`/opt/ml/processing/output/replayed.json`. The environment is the model package's, with `ANSWERED_BY` and
`ANSWERED_SINCE`: the version whose answers count, and the moment from which answers that name no version are its.
"""

import io
import os
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from endpoints.release import captures
from endpoints.release.captures import Answer, Record, Side
from endpoints.serving.app import Application
from endpoints.serving.codecs import JSON
from endpoints.serving.metrics import Metrics
from endpoints.serving.model import load
from endpoints.serving.settings import available_cores, settings
from sluice.clock import parse_iso
from sluice.errors import SluiceError
from sluice.paths import opt_ml

TOLERANCE = 1e-6
"""Of a score: what another build of the same arithmetic may differ by."""
MOST_ROWS = 100_000
"""After so many it ends: production waits for the patch."""
EXAMPLES = 5
MESSAGE_LIMIT = 1024
"""DescribeProcessingJob's ExitMessage holds this much."""


@dataclass
class Counts:
    """What a replay showed.

    Attributes:
        requests: that were asked again.
        rows: of the captured answers to them; `equal` of them were answered the same.
        different: rows that were not, and requests that one side answered and the other refused.
        refused: requests that both refused in the same words.
        unreadable: lines that hold no request, or no answer that can be read; they were not asked.
        others: lines that another version answered; they were not asked.
        largest_difference: of two scores of a row.
        examples: the first differences, for people.
    """

    requests: int = 0
    rows: int = 0
    equal: int = 0
    different: int = 0
    refused: int = 0
    unreadable: int = 0
    others: int = 0
    largest_difference: float = 0.0
    examples: list[dict[str, Any]] = field(default_factory=list)

    def rows_of(self, record: Record, before: tuple[Answer, ...], now: tuple[Answer, ...] | None) -> None:
        """Count the rows of one request. They have an order, and the same row may be in it twice."""
        self.rows += len(before)
        if now is None or [answer.row for answer in now] != [answer.row for answer in before]:
            self._differ(len(before), record, before[:1], None if now is None else now[:1])
            return
        for then, again in zip(before, now, strict=True):
            difference = abs(then.score - again.score)
            self.largest_difference = max(self.largest_difference, difference)
            if difference <= TOLERANCE and then.decision == again.decision:
                self.equal += 1
            else:
                self._differ(1, record, then, again)

    def refusals(self, record: Record, before: str | None, now: str | None) -> None:
        """Count a request that one side refused, or both; None is one that was answered."""
        if before == now:
            self.refused += 1
        else:
            self._differ(1, record, before, now)

    def _differ(self, count: int, record: Record, before: Any, now: Any) -> None:
        self.different += count
        if len(self.examples) < EXAMPLES:
            self.examples.append({"ids": record.ids, "captured": before, "replayed": now})


def replay(
    application: Application,
    lines: Iterable[bytes],
    version: str,
    since: datetime,
    most_rows: int = MOST_ROWS,
) -> Counts:
    """Ask the application what was asked before, and compare.

    Args:
        lines: of capture objects.
        version: whose answers count.
        since: answers that say no version, as CSV, count from this moment on.
        most_rows: after so many compared rows no further line is read.
    """
    counts = Counts()
    for line in lines:
        if counts.rows >= most_rows:
            break
        try:
            document = orjson.loads(line)
            record = captures.parse(document)
            sent, answered = captures.sides(document)
        except (ValueError, KeyError, TypeError, AttributeError):
            counts.unreadable += 1
            continue
        error = None if answered is None else _error(answered)
        if sent is None or answered is None or (record.answers is None and error is None):
            counts.unreadable += 1
        elif record.version != version and (record.version is not None or record.moment < since):
            counts.others += 1
        else:
            counts.requests += 1
            # What was refused says nothing of the Accept that came with it.
            status, again = _ask(application, sent, answered.content_type if error is None else None)
            refusal = None if status == 200 else _error(again)
            if record.answers is None or refusal is not None:
                counts.refusals(record, error, refusal)
            else:
                counts.rows_of(record, record.answers, captures.read(again)[1])
    return counts


def _ask(application: Application, sent: Side, accept: str | None) -> tuple[int, Side]:
    """Status and answer, from the whole of `/invocations`."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/invocations",
        "CONTENT_TYPE": sent.content_type,
        "CONTENT_LENGTH": str(len(sent.body)),
        "wsgi.input": io.BytesIO(sent.body),
    }
    if accept is not None:
        environ["HTTP_ACCEPT"] = accept
    return _call(application, environ)


def _call(application: Application, environ: Mapping[str, Any]) -> tuple[int, Side]:
    said: list[tuple[str, list[tuple[str, str]]]] = []
    body = b"".join(application(environ, lambda status, headers: said.append((status, headers))))
    [(status, headers)] = said
    return int(status.split()[0]), Side(dict(headers)["Content-Type"], body)


def _error(answered: Side) -> str | None:
    """What a request was told that was refused; None for an answer."""
    if answered.content_type != JSON:
        return None
    try:
        document = orjson.loads(answered.body)
    except orjson.JSONDecodeError:
        return None
    error = document.get("error") if isinstance(document, dict) else None
    return error if isinstance(error, str) else None


def prepared(folder: Path) -> Application:
    """The application of this image with the model in `folder`, as the environment describes it.

    Raises:
        SluiceError: if it would not get ready, with the reason.
    """
    limits = replace(settings(os.environ, available_cores()), workers=1)
    application = Application(limits, lambda: load(limits.workload, folder), Metrics(), lambda _: None)
    application.prepare()
    status, answer = _call(application, {"REQUEST_METHOD": "GET", "PATH_INFO": "/ping"})
    if status != 200:
        raise SluiceError(_error(answer) or f"/ping was answered {status}")
    return application


def newest_first(folder: Path) -> Iterator[bytes]:
    """The lines of every capture object under a folder; the objects' names sort as time does."""
    for path in sorted(folder.rglob("*.jsonl"), key=lambda path: path.relative_to(folder), reverse=True):
        with path.open("rb") as file:
            yield from filter(bytes.strip, file)


def main() -> None:
    """Write replayed.json.

    Raises:
        SluiceError: if the model cannot be unpacked, or this image cannot serve it.
    """
    base = opt_ml() / "processing"
    with tempfile.TemporaryDirectory() as temporary:
        model = Path(temporary)
        try:
            with tarfile.open(base / "model" / "model.tar.gz") as tar:
                tar.extractall(model, filter="data")
        except (OSError, tarfile.TarError) as error:
            raise SluiceError(f"model.tar.gz cannot be unpacked: {error}") from error
        counts = replay(
            prepared(model),
            newest_first(base / "captures"),
            os.environ["ANSWERED_BY"],
            parse_iso(os.environ["ANSWERED_SINCE"]),
        )
    target = base / "output" / "replayed.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(orjson.dumps(asdict(counts), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))
    print(f"{counts.rows} rows of {counts.requests} requests: {counts.different} differ")  # noqa: T201 - the job's log


if __name__ == "__main__":
    try:
        main()
    except SluiceError as problem:
        message = opt_ml() / "output" / "message"
        message.parent.mkdir(parents=True, exist_ok=True)
        message.write_text(" ".join(str(problem).split())[:MESSAGE_LIMIT], encoding="utf-8")
        sys.exit(str(problem))
