"""Work that repeats on the clock on the wall."""

import logging
import threading
import time
from collections.abc import Callable

from emulator.context import Context
from sluice.clock import SystemClock

log = logging.getLogger("emulator.services")


def every(context: Context, seconds: float, work: Callable[[], None], name: str) -> None:
    """Call `work` each `seconds` in a daemon thread. A test that holds the clock calls the work itself: on any other
    clock than the system's, no thread is started."""
    if not isinstance(context.clock, SystemClock):
        return

    def run() -> None:
        while True:
            time.sleep(seconds)
            try:
                work()
            except Exception:
                log.exception("%s failed", name)

    threading.Thread(target=run, name=name, daemon=True).start()
