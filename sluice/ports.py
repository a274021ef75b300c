"""A free port of this machine, for a process that is about to listen on it."""

import random
import socket
from pathlib import Path

from sluice.errors import SluiceError

LOWEST = 20_000
EPHEMERAL = 32_768
"""Where Linux begins to give ports to connections, unless it was told otherwise."""
TRIES = 1_000


def free() -> int:
    """A port that nothing listens on at 127.0.0.1, drawn at random below those that the kernel gives to connections.

    Whoever asks for "any port" (0), closes it and hands the number on gets one of those instead, and some connection
    may have it by the time a server wants it.

    Raises:
        SluiceError: if none is found.
    """
    below = _ephemeral()
    lowest = LOWEST if below - LOWEST >= TRIES else 1024
    for _ in range(TRIES):
        port = random.randrange(lowest, below)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise SluiceError(
        f"no free port between {lowest} and {below} on 127.0.0.1",
        "Something holds them all; `ss -ltn` says what.",
    )


def _ephemeral() -> int:
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return EPHEMERAL
