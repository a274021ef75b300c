"""Version 0: the rule of thumb that dispatchers use today. Leaves 15 minutes late, arrives late."""

import numpy as np
import numpy.typing as npt

from workloads.modules import Columns


def decide(columns: Columns) -> npt.NDArray[np.float64]:
    """1 where the flight left 15 minutes late or more, else 0: a rule has no doubt."""
    return (columns["dep_delay"] >= 15).astype(np.float64)
