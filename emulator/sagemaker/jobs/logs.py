"""A job's log, also in CloudWatch Logs, where `aws logs tail` finds it."""

import contextlib
import logging
import time
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from emulator.sagemaker.seam import client

log = logging.getLogger("emulator.jobs")
MAX_LINES = 500
MAX_LINE = 16_000


class LogStream:
    """Sends what was appended to a file since the last time."""

    def __init__(self, path: Path, group: str, job: str) -> None:
        self._path, self._group = path, group
        self._stream = f"{job}/algo-1-{int(time.time())}"
        self._offset = path.stat().st_size if path.exists() else 0
        self._ready = False

    def send(self, last: bool = False) -> None:
        """Send the complete lines; at `last` also one that has no end. A failure is logged and costs no job."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                text = file.read()
        except FileNotFoundError:
            return
        end = len(text) if last else text.rfind(b"\n") + 1
        lines = [line for line in text[:end].decode(errors="replace").splitlines() if line]
        self._offset += end
        if not lines:
            return
        try:
            self._put(lines)
        except (BotoCoreError, ClientError) as error:
            log.warning("%s: its log is not in CloudWatch Logs: %s", self._stream, error)

    def _put(self, lines: list[str]) -> None:
        logs = client("logs")
        if not self._ready:
            for create, arguments in (
                (logs.create_log_group, {"logGroupName": self._group}),
                (logs.create_log_stream, {"logGroupName": self._group, "logStreamName": self._stream}),
            ):
                with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
                    create(**arguments)
            self._ready = True
        now = int(time.time() * 1000)
        for start in range(0, len(lines), MAX_LINES):
            events = [
                {"timestamp": now, "message": line[:MAX_LINE]} for line in lines[start : start + MAX_LINES]
            ]
            logs.put_log_events(logGroupName=self._group, logStreamName=self._stream, logEvents=events)
