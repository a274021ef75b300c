"""`python -m endpoints.serving serve`, as SageMaker starts a serving container."""

import os
import sys
import tempfile

from endpoints.serving.settings import SPARE_THREADS, Settings, available_cores, settings
from sluice.errors import SluiceError


def main(arguments: list[str]) -> int:
    """Serve until SIGTERM; returns the exit code."""
    if arguments != ["serve"]:
        print("usage: python -m endpoints.serving serve", file=sys.stderr)  # noqa: T201
        return 2
    try:
        chosen = settings(os.environ, available_cores())
    except SluiceError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    # Before anything loads OpenMP: threads that spin while they wait would take the cores of the other workers.
    os.environ["OMP_NUM_THREADS"] = str(chosen.cores)
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    with tempfile.TemporaryDirectory(prefix="sluice-serving-") as folder:
        if chosen.workers > 1:
            os.environ["SLUICE_METRICS_FOLDER"] = folder
        _serve(chosen)
    return 0


def _serve(chosen: Settings) -> None:
    from granian import Granian
    from granian.constants import HTTPModes, Interfaces
    from granian.log import LogLevels

    # granian, told to stop, finishes what is in flight; how long that may take is for whoever sends SIGKILL.
    Granian(
        "endpoints.serving.app:create",
        factory=True,
        address=chosen.host,
        port=chosen.port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        websockets=False,
        workers=chosen.workers,
        blocking_threads=chosen.threads + SPARE_THREADS,
        # A permit is held by a connection, idle ones too: callers keep theirs alive, and /ping must still get one.
        backlog=4096,
        backpressure=4096,
        log_level=LogLevels.warning,
    ).serve()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
