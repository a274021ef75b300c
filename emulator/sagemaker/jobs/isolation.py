"""Network isolation on one machine."""

import functools
import os
import shutil
import subprocess


@functools.cache
def prefix() -> tuple[str, ...] | None:
    """What to put before a command so that it runs without a network; None where this machine cannot.

    Tried once. Root needs a network namespace only; others need one of users too. Making the latter changes the
    process's credentials, for which the kernel forgets its death signal, so it is set again.
    """
    unshare = shutil.which("unshare")
    if unshare is None:
        return None
    setpriv = shutil.which("setpriv")
    again = (setpriv, "--pdeathsig", "KILL") if setpriv else ()
    candidates = [(unshare, "-rn", *again)]
    if os.geteuid() == 0:
        candidates.insert(0, (unshare, "-n"))
    for candidate in candidates:
        try:
            if subprocess.run([*candidate, "true"], capture_output=True, timeout=10).returncode == 0:
                return candidate
        except (OSError, subprocess.TimeoutExpired):
            continue
    return None
