"""Bets against a bound on a mean that may be broken at any time, late ones too. Pure.

One bet from the beginning has first to win back what it lost while all was well. So the money is laid out over the
time: a part is bet from the start, and with every `EPOCH` units some of what is left. Cash that waits stays what it
is, so the whole is a nonnegative supermartingale under the null like each of its parts, and crosses 1/alpha with a
chance of at most alpha: a mixture over the time of the change, in the place of the sum of e-detectors, which bounds
the time between false alarms instead (Shin, Ramdas and Rinaldo, "E-detectors: a nonparametric framework for
sequential change detection", arXiv 2203.03532).
"""

from math import log

import numpy as np

from endpoints.release.judge import betting
from endpoints.release.judge.batch import Weights
from sluice.config import Frozen

EPOCH = 100.0


class Track(Frozen):
    """The money against one bound.

    Attributes:
        logs: natural logs of what is bet, by part of `betting.LONG`; () before the first unit.
        epochs: in how many the cash was laid out.
        units: seen so far.
    """

    logs: tuple[float, ...] = ()
    epochs: int = 0
    units: float = 0

    def grown(self, counts: Weights, bound: float) -> "Track":
        """With more units.

        Args:
            counts: weights on `GRID` of values in [0, 1].
            bound: in (0, 1); the null is a mean of at most `bound`, always.
        """
        if not counts:
            return self
        logs, epochs = np.array(self.logs or (-np.inf,) * len(betting.LONG)), self.epochs
        while epochs <= self.units // EPOCH:
            # Decided by what came before, as every bet has to be.
            laid_out = left(epochs) - left(epochs + 1)
            logs = np.logaddexp(logs, log(laid_out / len(logs)))
            epochs += 1
        logs = logs + betting.log_factors(counts, bound, 0.0, "above", betting.LONG)
        return Track(logs=tuple(logs.tolist()), epochs=epochs, units=self.units + sum(counts))

    @property
    def log_e(self) -> float:
        """Natural log of the e-value that the bound is broken, now or at some time before."""
        return float(np.logaddexp.reduce([*self.logs, log(left(self.epochs))]))


def left(epochs: int) -> float:
    """The cash that is left after some layings out of one unit of money. What is laid out falls a little faster than
    1/epoch, as slowly as it can: a change in the thousandth epoch costs 11 more in evidence (natural log) than one in
    the first."""
    return 1.0 / (1.0 + log(1.0 + epochs))
