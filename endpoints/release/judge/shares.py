"""E-processes on counts of two arms: does the challenger have more than its share?

Lindon and Malek, "Anytime-Valid Inference for Multinomial Count Data", NeurIPS 2022 (arXiv 2011.03567), section 4: of
N events in a look, those of the challenger are Binomial(N, s) given N, with odds s/(1-s) = r/(1-r) * rho, where r is
its part of the traffic and rho the ratio of the two rates. Whatever moves both rates, a busy hour, an incident behind
both, cancels. The evidence against rho <= M is a mixture of likelihood ratios against M over ratios beyond it (a
discrete prior instead of the paper's Dirichlet, which would put mass inside the margin); the likelihood ratio is
monotone, so the worst case of the null is M itself.

Three things beyond the paper, each held by a test:
- Mirrored traffic, where the two arms answer the same requests and may fail together: with r = 1/2 and factors 1+u for
  the challenger and 1-Mu for the champion, a pair's expected factor is 1 + (q - Mp)u - Mu²P(both), which is at most 1
  under q <= Mp whatever their dependence.
- Events that are not rare: given n requests of each arm the count is hypergeometric, whose convex expectations are at
  most the binomial's (Hoeffding 1963, theorem 4).
- Fractions: a unit of several rows gives parts of events; a weighted geometric mean of factors is at most their
  arithmetic mean.
"""

from functools import lru_cache
from math import exp, log, log1p
from typing import NamedTuple

BEYOND = (1.3, 1.8, 2.5, 4.0, 7.0)
"""Effects of the mixture against "not worse", as multiples of the margin."""
BELOW = (0.9, 0.75, 0.6, 0.45, 0.3, 0.1)
"""The same against "worse than acceptable"."""
_FLOOR = (0.75, 0.5, 0.25, 0.1, 0.02)

Logs = tuple[float, ...]


class Test(NamedTuple):
    """A null ratio, and the alternatives of the mixture with their log ratios to it."""

    null: float
    ratios: tuple[float, ...]
    steps: tuple[float, ...]

    @property
    def begin(self) -> Logs:
        """Nothing seen: every likelihood ratio is 1."""
        return (0.0,) * len(self.ratios)


@lru_cache(maxsize=64)
def worse(tolerated: float) -> Test:
    """Null: the ratio is at most `tolerated`."""
    return Test(tolerated, tuple(tolerated * m for m in BEYOND), tuple(log(m) for m in BEYOND))


@lru_cache(maxsize=64)
def acceptable(accepted: float) -> Test:
    """Null: the ratio is `accepted` or more."""
    return Test(accepted, tuple(accepted * m for m in BELOW), tuple(log(m) for m in BELOW))


def add(logs: Logs, hits: float, others: float, share: float, test: Test) -> Logs:
    """One look: `hits` events of the challenger, `others` of the champion, `share` of the traffic to the challenger.

    Returns:
        The log likelihood ratios of the mixture, one for each alternative.
    """
    events = hits + others
    if not events or not 0 < share < 1:
        return logs
    rest = 1.0 - share
    base = rest + share * test.null
    return tuple(
        [
            value + hits * step - events * log((rest + share * ratio) / base)
            for value, ratio, step in zip(logs, test.ratios, test.steps, strict=True)
        ]
    )


def log_e(logs: Logs) -> float:
    """The natural log of the e-value: the mean over the mixture."""
    return log_mean_exp(logs)


def below(hits: float, trials: float, bound: float) -> float:
    """Log e-value against "the rate is `bound` or more", from totals: a mixture of Bernoulli likelihood ratios.

    A test martingale for any order of looks (Wald 1945; a mixture as in Robbins 1970).
    """
    if not trials or not 0 < bound < 1:
        return 0.0
    values = [hits * log(part) + (trials - hits) * (log1p(-bound * part) - log1p(-bound)) for part in _FLOOR]
    return log_mean_exp(values)


def log_mean_exp(values: Logs | list[float]) -> float:
    """log of the mean of exp, safe for large values; 0 of none."""
    if not values:
        return 0.0
    top = max(values)
    total = 0.0
    for value in values:
        total += exp(value - top)
    return top + log(total / len(values))
