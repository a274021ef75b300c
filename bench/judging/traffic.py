"""Simulated releases: counts by minute for two arms that live through the same hour. Arrays are (runs, looks)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Design = Literal["canary 10 %", "canary 1 of 3", "shadow"]
DESIGNS: tuple[Design, ...] = ("canary 10 %", "canary 1 of 3", "shadow")
SHARE = {"canary 10 %": 0.1, "canary 1 of 3": 1 / 3}
QUANTILES = (0.5, 0.9, 0.99)
SIGMA = 0.5
"""Of the log of a latency."""


@dataclass(frozen=True)
class World:
    """What is true in a scenario. Rates and factors of one look are (looks,) or numbers.

    Attributes:
        error_ratio: the challenger's error rate over the champion's.
        latency_ratio: factor on the challenger's latencies.
        slow_share: part of the challenger's requests that `latency_ratio` hits: one instance of several.
        incident: (first look, looks, factor on both error rates).
        outage: (first look, looks) without any metrics.
        cold: looks in which the challenger is three times as slow and fails five times as often.
    """

    base: float = 0.001
    error_ratio: float = 1.0
    latency_ratio: float = 1.0
    slow_share: float = 1.0
    incident: tuple[int, int, float] | None = None
    outage: tuple[int, int] | None = None
    cold: int = 0


@dataclass(frozen=True)
class Arms:
    """Counts of the challenger (two) and the champion (one)."""

    n_two: Floats
    n_one: Floats
    errors_two: Floats
    errors_one: Floats
    exceeded_two: Floats
    """(runs, looks, 3): requests slower than the champion's usual quantiles."""
    exceeded_one: Floats
    p99_two: Floats
    """Of the minute, in units of the usual p99; NaN without requests."""
    p99_one: Floats


def simulate(
    world: World, design: Design, rps: float, looks: int, runs: int, rng: np.random.Generator
) -> Arms:
    """One cell of the benchmark. Load is diurnal with lognormal noise, error rates and latencies have noise of the
    minute, and all of that is common to both arms."""
    minute = np.arange(looks)
    phase = rng.uniform(0, 2 * np.pi, (runs, 1))
    load = 60 * rps * (1 + 0.3 * np.sin(2 * np.pi * minute / 1440 + phase))
    total = rng.poisson(load * np.exp(rng.normal(-0.02, 0.2, (runs, looks)))).astype(float)
    rate = world.base * np.exp(rng.normal(-0.045, 0.3, (runs, looks)))
    if world.incident:
        first, length, factor = world.incident
        rate[:, first : first + length] *= factor
    if world.outage:
        first, length = world.outage
        total[:, first : first + length] = 0
    if design == "shadow":
        n_two, n_one = total, total
    else:
        n_two = rng.binomial(total.astype(int), SHARE[design]).astype(float)
        n_one = total - n_two
    cold = np.where(minute < world.cold, 1.0, 0.0)
    worse = np.where(cold > 0, 5.0, world.error_ratio)
    # In shadow a third of the champion's errors are the request's own and hit both.
    both = rng.binomial(n_one.astype(int), rate / 3) if design == "shadow" else 0
    part = 2 / 3 if design == "shadow" else 1.0
    one = both + rng.binomial(n_one.astype(int), np.minimum(1, part * rate))
    own = np.clip(worse * rate - (1 - part) * rate, 0, 1)
    two = both + rng.binomial(n_two.astype(int), own)
    noise = rng.normal(0, 0.05, (runs, looks))
    factor = np.where(cold > 0, 3.0, world.latency_ratio)
    share = np.where(cold > 0, 1.0, world.slow_share)
    plain_one, p99_one = _latency(n_one, noise, np.ones(looks), np.ones(looks), rng)
    plain_two, p99_two = _latency(n_two, noise, factor, share, rng)
    return Arms(n_two, n_one, two.astype(float), one.astype(float), plain_two, plain_one, p99_two, p99_one)


def _latency(
    n: Floats, noise: Floats, factor: Floats, share: Floats, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Requests beyond each quantile, and the p99 of the minute. A share of the requests is slower by the factor."""
    z = np.array([0.0, 1.2815515655, 2.3263478740])
    exceeded = np.zeros((*n.shape, 3))
    slow = rng.binomial(n.astype(int), share) if (share < 1).any() else n.astype(int)
    parts = ((slow, np.log(factor)), (n.astype(int) - slow, np.zeros_like(factor)))
    for count, shift in parts:
        left = count
        tails = [_tail(z[q] - (noise + shift) / SIGMA) for q in range(3)]
        for q in range(3):
            p = tails[q] if q == 0 else tails[q] / tails[q - 1]
            left = rng.binomial(left, np.clip(p, 0, 1))
            exceeded[..., q] += left
    # The p99 of n draws is an order statistic; of the mixture, the slower part's where it is a third or more.
    rank = np.maximum(1, np.ceil(0.99 * n))
    u = rng.beta(rank, np.maximum(1, n + 1 - rank))
    at = np.where(share < 1, 1 - (1 - u) / share, u)
    p99 = np.exp(SIGMA * (_quantile(np.clip(at, 1e-6, 1 - 1e-12)) - z[2]) + noise + np.log(factor))
    return exceeded, np.where(n > 0, p99, np.nan)


def _tail(z: Floats) -> Floats:
    """P(Z > z) of the standard normal, to 1e-7 (Abramowitz and Stegun 26.2.17)."""
    a = np.abs(z)
    t = 1 / (1 + 0.2316419 * a)
    poly = t * (0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
    upper = np.exp(-a * a / 2) / np.sqrt(2 * np.pi) * poly
    return np.where(z >= 0, upper, 1 - upper)


def _quantile(p: Floats) -> Floats:
    """The normal quantile, to 5e-4 (Abramowitz and Stegun 26.2.23)."""
    q = np.minimum(p, 1 - p)
    t = np.sqrt(-2 * np.log(q))
    x = t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)))
    return np.where(p >= 0.5, x, -x)


def on_grid(rng: np.random.Generator, n: Floats, mean: float, sd: float) -> tuple[Floats, Floats]:
    """Differences of scores of n pairs in each look, normal, counted on eleven values of the judge's grid.

    Returns:
        counts: (runs, looks, 11), each difference put on one of the two values around it at random, without bias.
        values: (11,).
    """
    values = np.arange(-5, 6) / 20 + round(mean * 20) / 20
    draws = rng.normal(mean, sd, 200_000)
    place = np.clip((draws - values[0]) * 20, 0, 10 - 1e-9)
    low = np.floor(place).astype(int)
    up = place - low
    p = (np.bincount(low, 1 - up, 11) + np.bincount(low + 1, up, 11)) / draws.size
    return rng.multinomial(n.astype(int), p).astype(float), values
