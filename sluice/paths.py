"""Where things lie in a checkout. The only module that knows."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The root of the checkout."""


def local() -> Path:
    """The folder of all state and logs of this machine; `SLUICE_LOCAL` moves it (the tests do)."""
    return Path(os.environ.get("SLUICE_LOCAL", ROOT / ".local"))


def cache() -> Path:
    """What is expensive to make and the same for every checkout, such as the built Pulumi CLI."""
    base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return Path(os.environ.get("SLUICE_CACHE", base / "sluice"))


def opt_ml() -> Path:
    """`/opt/ml`, the folder through which SageMaker talks to a container; where there is no container,
    `SLUICE_OPT_ML` names the one that stands for it."""
    return Path(os.environ.get("SLUICE_OPT_ML", "/opt/ml"))
