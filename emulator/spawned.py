"""The processes that the emulator starts, and that must not outlive it."""

import contextlib
import ctypes
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(with_signal: int) -> Callable[[], None] | None:
    """For `preexec_fn`: the kernel sends the child this signal when the thread that started it ends,
    however it ends, `kill -9` included. None where the kernel has no such thing."""
    if _LIBC is None:
        return None
    prctl = _LIBC.prctl
    parent = os.getpid()

    def arm() -> None:
        prctl(_PR_SET_PDEATHSIG, with_signal, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return arm


class Spawned:
    """Starts processes in groups of their own and ends them all.

    All are started by one thread that lives as long as this process: the kernel's death signal is
    bound to the *thread* that forked, so a child started by the thread of one HTTP request would die with that request.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._live: dict[int, subprocess.Popen[bytes]] = {}
        self._closed = False
        self._orders: queue.SimpleQueue[
            tuple[Callable[[], subprocess.Popen[bytes]], Future[subprocess.Popen[bytes]]]
        ] = queue.SimpleQueue()
        threading.Thread(target=self._serve, name="spawner", daemon=True).start()

    def start(
        self, command: Sequence[str | Path], *, env: Mapping[str, str], cwd: Path, log: Path
    ) -> "subprocess.Popen[bytes]":
        """Start `command`, its output appended to `log`, its input empty. It leads its own process group.

        Raises:
            OSError: if it cannot be started.
        """

        def begin() -> subprocess.Popen[bytes]:
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("ab") as output, self._lock:
                if self._closed:
                    raise OSError("the emulator is stopping")
                process = subprocess.Popen(
                    [str(part) for part in command],
                    env=dict(env),
                    cwd=cwd,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    preexec_fn=die_with_parent(signal.SIGKILL),
                )
                self._live[process.pid] = process
                return process

        future: Future[subprocess.Popen[bytes]] = Future()
        self._orders.put((begin, future))
        return future.result()

    def stop(self, process: "subprocess.Popen[bytes]", grace: float = 10.0) -> int:
        """SIGTERM to its group, SIGKILL after `grace` seconds; gives the exit code."""
        _signal_group(process, signal.SIGTERM)
        try:
            code = process.wait(grace)
        except subprocess.TimeoutExpired:
            _signal_group(process, signal.SIGKILL)
            code = process.wait()
        _signal_group(process, signal.SIGKILL)  # what the leader left behind in its group
        self.forget(process)
        return code

    def kill(self, process: "subprocess.Popen[bytes]") -> None:
        """SIGKILL to its group, and wait for its end."""
        _signal_group(process, signal.SIGKILL)
        process.wait()

    def forget(self, process: "subprocess.Popen[bytes]") -> None:
        """Take an ended process off the list."""
        with self._lock:
            self._live.pop(process.pid, None)

    def stop_all(self, grace: float = 3.0) -> None:
        """End every process that is left; nothing can be started afterwards."""
        with self._lock:
            self._closed = True
            live = list(self._live.values())
        for process in live:
            _signal_group(process, signal.SIGTERM)
        for process in live:
            self.stop(process, grace)

    def _serve(self) -> None:
        while True:
            begin, future = self._orders.get()
            try:
                future.set_result(begin())
            except BaseException as error:  # noqa: BLE001 - handed to the caller, who raises it
                future.set_exception(error)


def _signal_group(process: "subprocess.Popen[bytes]", number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
