"""The cells of the benchmark: what is simulated, who judges it, and the figures of each."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt

from bench.judging import ours, peers
from bench.judging.peers import PEERS, Metric, Peer
from bench.judging.traffic import DESIGNS, Arms, Design, World, on_grid, simulate
from endpoints.release.judge import betting, shares
from endpoints.release.judge.rules import WEIGHTS, Rules

Floats = npt.NDArray[np.float64]
ALPHA = 0.05
LOOKS = 60
CALIBRATION, HELD_OUT = 1, 2
"""Seeds: thresholds are set on the first and figures are of the second."""
OURS = "Sluice"


@dataclass(frozen=True)
class Scenario:
    """One row of the plan: what differs, on which metric the peers look, and what a judge should do."""

    name: str
    says: str
    world: World
    metric: str = "errors"
    bad: bool = False
    rps: tuple[float, ...] = (50, 10, 2, 0.2)
    runs: int = 1000


SCENARIOS = (
    Scenario("S0", "no change", World(), runs=3000),
    Scenario("S0b", "ten times the errors for 6 min, in both arms", World(incident=(20, 6, 10.0)), runs=3000),
    Scenario("S0c", "the new fleet is cold for 3 min, then equal", World(cold=3), rps=(50, 2)),
    Scenario("S6", "no metrics for 15 min", World(outage=(20, 15)), rps=(50, 2)),
    Scenario("S1", "errors 0.1 to 0.5 %", World(error_ratio=5.0), bad=True),
    Scenario("S1b", "errors 0.1 to 0.2 %", World(error_ratio=2.0), bad=True),
    Scenario("S2", "latency +10 %", World(latency_ratio=1.1), "latency", True),
    Scenario("S2", "latency +30 %", World(latency_ratio=1.3), "latency", True),
    Scenario(
        "S2b", "a third of the requests +100 %", World(latency_ratio=2.0, slow_share=1 / 3), "latency", True
    ),
    Scenario("S2-0", "no change, judged by latency", World(), "latency", runs=2000, rps=(50, 2)),
)
_LATENCY_USUAL = {"CloudWatch 3 of 3": 1.1, "CloudWatch 1 of 1": 1.5, "Flagger": 1.1, "Argo": 1.1}


def rules_of(design: Design) -> Rules:
    """The judge as it comes."""
    stage = "shadow" if design == "shadow" else "canary"
    return Rules(stage=stage, weights=dict(WEIGHTS[stage]))


def generator(seed: int, *key: object) -> np.random.Generator:
    """A stream of its own for each cell, the same in every run of the benchmark."""
    return np.random.default_rng([seed, crc32(repr(key).encode())])


def metric_of(arms: Arms, which: str) -> Metric:
    """What the peers look at."""
    if which == "latency":
        hits_two, hits_one = arms.exceeded_two[..., 2], arms.exceeded_one[..., 2]
        z = peers.proportions(hits_two, arms.n_two, hits_one, arms.n_one)
        return Metric(arms.p99_two, arms.p99_one, 1.0, z)
    with np.errstate(invalid="ignore", divide="ignore"):
        two, one = arms.errors_two / arms.n_two, arms.errors_one / arms.n_one
    return Metric(
        two, one, 0.001, peers.proportions(arms.errors_two, arms.n_two, arms.errors_one, arms.n_one)
    )


def our_log_e(arms: Arms, design: Design, rng: np.random.Generator) -> Floats:
    """The combined evidence, all checks of the stage at work: in shadow the pairs too, which are equal here."""
    rules = rules_of(design)
    logs = ours.counted(arms, rules)
    if design == "shadow":
        logs |= paired_logs(arms.n_two, 0.0, rules, rng)
    return ours.combined(logs, rules)


def paired_logs(pairs: Floats, shift: float, rules: Rules, rng: np.random.Generator) -> dict[str, Floats]:
    """Log e-values of agreement, decision and shift: 4 % of the pairs decided differently, scores apart by `shift`
    with a standard deviation of 0.03."""
    flips = rng.multinomial(pairs.astype(int), [0.02, 0.96, 0.02]).astype(float)
    signs = np.array([-1.0, 0.0, 1.0])
    counts, values = on_grid(rng, pairs, shift, 0.03)
    return {
        "agreement": ours.bet_log_e(flips, np.abs(signs), rules.margin("agreement").tolerated, low=0.0),
        "decision": ours.bet_log_e(flips, signs, rules.margin("decision").tolerated, two_sided=True),
        "shift": ours.bet_log_e(
            counts, values, rules.margin("shift").tolerated, two_sided=True, bets=betting.SCORES
        ),
    }


def tuned(design: Design, rps: float, metric: str) -> dict[str, float]:
    """Each peer's number at a false-rollback rate of alpha on the calibration seed, where nothing changed."""
    rng = generator(CALIBRATION, design, rps, metric)
    calm = metric_of(simulate(World(), design, rps, LOOKS, 1000, rng), metric)
    return {peer.name: peers.tune(peer, calm, ALPHA) for peer in PEERS}


def usual(peer: Peer, metric: str) -> float:
    """As it is commonly set for this metric."""
    return _LATENCY_USUAL.get(peer.name, peer.usual) if metric == "latency" else peer.usual


def cells() -> Iterator[dict[str, Any]]:
    """Every scenario, design and rate of traffic, by every judge."""
    numbers: dict[tuple[Design, float, str], dict[str, float]] = {}
    for scenario in SCENARIOS:
        for design in DESIGNS:
            for rps in scenario.rps:
                key = (design, rps, scenario.metric)
                if key not in numbers:
                    numbers[key] = tuned(*key)
                yield from cell(scenario, design, rps, numbers[key])


def cell(
    scenario: Scenario, design: Design, rps: float, numbers: dict[str, float]
) -> Iterator[dict[str, Any]]:
    """One cell: a row of figures for each judge and setting."""
    rng = generator(HELD_OUT, scenario.name, scenario.says, design, rps)
    arms = simulate(scenario.world, design, rps, LOOKS, scenario.runs, rng)
    metric = metric_of(arms, scenario.metric)
    about = {
        "scenario": scenario.name,
        "says": scenario.says,
        "bad": scenario.bad,
        "design": design,
        "rps": rps,
    }
    exposed = np.cumsum(arms.n_two, axis=1)
    harm = np.cumsum(arms.errors_two if scenario.metric == "errors" else arms.exceeded_two[..., 2], axis=1)
    log_e = our_log_e(arms, design, rng)
    yield about | figures(OURS, "as it comes", ours.first_crossing(log_e, ALPHA), exposed, harm)
    if scenario.world.cold:
        warm = our_log_e(_from(arms, 5), design, rng)
        first = ours.first_crossing(warm, ALPHA) + 5
        yield about | figures(OURS, "warm-up of 5 min", first, exposed, harm)
    for peer in PEERS:
        for setting, number in (("usual", usual(peer, scenario.metric)), ("tuned", numbers[peer.name])):
            yield about | figures(peer.name, setting, peer.rule(metric, number), exposed, harm, number)


def _from(arms: Arms, look: int) -> Arms:
    return Arms(**{name: value[:, look:] for name, value in vars(arms).items()})


def figures(
    judge: str,
    setting: str,
    first: npt.NDArray[np.intp],
    exposed: Floats,
    harm: Floats,
    number: float | None = None,
) -> dict[str, Any]:
    """The row of one judge; `first` may be of the first runs only."""
    runs, looks = first.size, exposed.shape[1]
    rolled = first < looks
    low, high = wilson(int(rolled.sum()), runs)
    end = np.minimum(first, looks - 1)
    seen = exposed[np.arange(runs), end]
    row: dict[str, Any] = {
        "judge": judge, "setting": setting, "number": number, "runs": runs, "rolled": float(rolled.mean()),
        "low": low, "high": high, "minutes_median": None, "minutes_p95": None, "requests_median": None,
        "requests_p95": None, "exposed_p95": float(np.quantile(seen, 0.95)), "exposed_max": float(seen.max()),
        "harm_p95": float(np.quantile(harm[np.arange(runs), end], 0.95)),
    }  # fmt: skip
    # Half of the runs, not half of those that were detected: a judge that misses half has no median.
    if rolled.mean() >= 0.5:
        row["minutes_median"] = float(np.median(first) + 1)
        row["requests_median"] = float(np.median(seen))
    if rolled.mean() >= 0.95:
        row["minutes_p95"] = float(np.quantile(first, 0.95) + 1)
        row["requests_p95"] = float(np.quantile(seen, 0.95))
    return row


def wilson(hits: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of a share."""
    p, zz = hits / n, z * z
    middle, half = p + zz / (2 * n), z * sqrt(p * (1 - p) / n + zz / (4 * n * n))
    return max(0.0, (middle - half) / (1 + zz / n)), min(1.0, (middle + half) / (1 + zz / n))


def score_cells(runs: int = 1000) -> Iterator[dict[str, Any]]:
    """S3, in shadow: the mean score moves, or that of a slice of 5 % does. A standard deviation of the score is 0.2.

    Peers watch the mean score of the minute, as drift monitors do, and not one of them knows the slice.
    """
    sd = 0.2
    cases = (
        ("S3-0", "scores equal", 0.0, 0.0, False),
        ("S3", "mean score +0.1 sd, tolerated 0.01", 0.1 * sd, 0.0, True),
        ("S3s", "a slice of 5 % +0.5 sd, tolerated 0.05", 0.0, 0.5 * sd, True),
    )
    for name, says, whole, part, bad in cases:
        for rps in (50, 10, 2, 0.2):
            seeds = {seed: generator(seed, name, rps) for seed in (CALIBRATION, HELD_OUT)}
            rng = seeds[HELD_OUT]
            pairs = rng.poisson(60 * rps, (runs, LOOKS)).astype(float)
            rules = rules_of("shadow")
            margins = rules.settings.model_copy(
                update={
                    "shift": rules.settings.shift.model_copy(update={"tolerated": 0.01 if whole else 0.05})
                }
            )
            rules = rules.model_copy(update={"settings": margins})
            logs = paired_logs(pairs, whole, rules, rng)
            inside = rng.binomial(pairs.astype(int), 0.05).astype(float)
            counts, values = on_grid(rng, inside, part + whole, 0.03)
            # The slice keeps the plain margin here; ten slices of six checks share the weight of the slices.
            logs["slice"] = ours.bet_log_e(counts, values, 0.05, two_sided=True, bets=betting.SCORES)
            log_e = ours.combined(logs, rules, {"slice": rules.weight_of("slices") / 60})
            exposed = np.cumsum(pairs, axis=1)
            about = {"scenario": name, "says": says, "bad": bad, "design": "shadow", "rps": rps}
            zero = np.zeros_like(exposed)
            yield about | figures(OURS, "as it comes", ours.first_crossing(log_e, ALPHA), exposed, zero)
            calm = _means(pairs, 0.0, sd, seeds[CALIBRATION])
            metric = _means(pairs, whole + 0.05 * part, sd, rng)
            for peer in PEERS:
                common = {"CloudWatch 1 of 1": 1.2}.get(peer.name, 1.1 if peer.usual >= 3 else peer.usual)
                for setting, number in (("usual", common), ("tuned", peers.tune(peer, calm, ALPHA))):
                    yield about | figures(
                        peer.name, setting, peer.rule(metric, number), exposed, zero, number
                    )


def _means(pairs: Floats, shift: float, sd: float, rng: np.random.Generator) -> Metric:
    """Minute means of scores around 0.3: the rows are the same in both arms, the noise of the minute too."""
    with np.errstate(divide="ignore", invalid="ignore"):
        error = sd / np.sqrt(pairs)
        minute = 0.3 + rng.normal(0, 0.01, pairs.shape) + rng.normal(0, 1, pairs.shape) * error
        two = minute + shift + rng.normal(0, 1, pairs.shape) * 0.03 / np.sqrt(pairs)
    n = np.cumsum(pairs, axis=1)
    total = np.cumsum(np.nan_to_num(two - minute) * pairs, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.nan_to_num(total / n / (0.03 / np.sqrt(n)))
    empty = pairs == 0
    return Metric(np.where(empty, np.nan, two), np.where(empty, np.nan, minute), 0.3, z)


def label_cells(runs: int = 1000, labels: int = 6000, look: int = 10) -> Iterator[dict[str, Any]]:
    """S4, in shadow: 5 % of the labelled pairs have one right and one wrong answer. A look is ten labels.

    Missing not at random: half of the labels of positives never come and a tenth of the others; the challenger's new
    mistakes are all on positives.
    """
    cases = (
        ("S4-0", "equally right", 0.0, False, False),
        ("S4", "accuracy -1 point", 0.01, False, True),
        ("S4", "accuracy -2 points", 0.02, False, True),
        ("S4m", "accuracy -2 points, 20 % of the labels missing, not at random", 0.02, True, True),
    )
    rules = rules_of("shadow")
    for name, says, loss, missing, bad in cases:
        p = np.array([0.025 + loss / 2, 0.025 - loss / 2])
        if missing:
            p = np.array([p[1] + (p[0] - p[1]) * 0.5 / 0.8, p[1]])
        made = {}
        for seed, worse in ((CALIBRATION, np.array([0.025, 0.025])), (HELD_OUT, p)):
            rng = generator(seed, name, says)
            chances = [*worse, 0.12, 1 - worse.sum() - 0.12]
            made[seed] = rng.multinomial(look, chances, (runs, labels // look)).astype(float)
        drawn = made[HELD_OUT]
        counts = np.stack([drawn[..., 1], drawn[..., 2] + drawn[..., 3], drawn[..., 0]], axis=-1)
        signs = np.array([-1.0, 0.0, 1.0])
        loss_log = ours.bet_log_e(counts, signs, rules.margin("loss").tolerated)
        flips = ours.bet_log_e(counts, np.maximum(signs, 0), rules.margin("flips").tolerated, low=0.0)
        whole = ours.combined({"loss": loss_log, "money": loss_log, "flips": flips}, rules)
        exposed = np.broadcast_to(np.arange(1, labels // look + 1) * float(look), drawn.shape[:2])
        about = {"scenario": name, "says": says, "bad": bad, "design": "shadow", "rps": 0}
        harm = np.cumsum(drawn[..., 0], axis=1)
        yield about | figures(OURS, "as it comes", ours.first_crossing(whole, ALPHA), exposed, harm)
        yield about | figures(
            OURS, "loss alone, all of alpha", ours.first_crossing(loss_log, ALPHA), exposed, harm
        )
        metrics = {seed: _accuracy(draw, look) for seed, draw in made.items()}
        for peer in PEERS:
            if peer.name == "Kayenta":
                continue
            common = 1.1 if peer.usual >= 3 else peer.usual
            number = peers.tune(peer, metrics[CALIBRATION], ALPHA)
            for setting, value in (("usual", common), ("tuned", number)):
                first = peer.rule(metrics[HELD_OUT], value)
                yield about | figures(peer.name, setting, first, exposed, harm, value)


def _accuracy(drawn: Floats, look: int) -> Metric:
    """Error rates over the last 100 labels, and McNemar's z of the discordant pairs so far."""
    two, one = drawn[..., 0] + drawn[..., 2], drawn[..., 1] + drawn[..., 2]
    window = 100 // look

    def last(x: Floats) -> Floats:
        total = np.cumsum(x, axis=1)
        total[:, window:] -= total[:, :-window].copy()
        return np.where(np.arange(x.shape[1]) + 1 < window, np.nan, total / 100)

    lost, won = np.cumsum(drawn[..., 0], axis=1), np.cumsum(drawn[..., 1], axis=1)
    z = (lost - won) / np.sqrt(np.maximum(1, lost + won))
    return Metric(last(two), last(one), 0.145, z)


def noisy_cells(runs: int = 600, labels: int = 2000, look: int = 10) -> Iterator[dict[str, Any]]:
    """S4b, in shadow: the challenger's scores are the champion's with noise on the log odds, as of a model that learned
    less; the accuracy falls by two points. The champion is calibrated, its log odds have mean -1 and deviation 2."""
    rules = rules_of("shadow")
    for name, says, noise, bad in (
        ("S4b-0", "scores equally noisy", 0.0, False),
        ("S4b", "scores noisier, accuracy -2 points", 0.72, True),
    ):
        rng = generator(HELD_OUT, name)
        truth = rng.normal(-1, 2, (runs, labels))
        label = rng.random((runs, labels)) < 1 / (1 + np.exp(-truth))
        # Without a loss both have noise of their own, so that the two differ and neither is better.
        one = 1 / (1 + np.exp(-(truth + rng.normal(0, 0.0 if bad else 0.5, truth.shape))))
        two = 1 / (1 + np.exp(-(truth + rng.normal(0, noise if bad else 0.5, truth.shape))))
        wrong_one, wrong_two = (one >= 0.5) != label, (two >= 0.5) != label
        signs = np.array([-1.0, 0.0, 1.0])
        won, lost = wrong_one & ~wrong_two, wrong_two & ~wrong_one
        counts = np.stack([_looks(x, look) for x in (won, won == lost, lost)], axis=-1)
        grid = np.arange(-20, 21) / 20
        place = ((two - label) ** 2 - (one - label) ** 2 + 1) * 20
        low = np.floor(place).astype(int)
        low = np.minimum(low + (rng.random(place.shape) < place - low), 40)
        brier = np.stack([_looks(low == k, look) for k in range(41)], axis=-1)
        loss_log = ours.bet_log_e(counts, signs, rules.margin("loss").tolerated)
        brier_log = ours.bet_log_e(brier, grid, rules.margin("brier").tolerated, bets=betting.SCORES)
        logs = {
            "loss": loss_log,
            "money": loss_log,
            "brier": brier_log,
            "flips": ours.bet_log_e(counts, np.maximum(signs, 0), rules.margin("flips").tolerated, low=0.0),
        }
        exposed = np.broadcast_to(np.arange(1, labels // look + 1) * float(look), loss_log.shape)
        harm = np.cumsum(counts[..., 2], axis=1)
        about = {"scenario": name, "says": says, "bad": bad, "design": "shadow", "rps": 0}
        for setting, log_e in (
            ("as it comes", ours.combined(logs, rules)),
            ("scores alone, all of alpha", brier_log),
            ("loss alone, all of alpha", loss_log),
        ):
            yield about | figures(OURS, setting, ours.first_crossing(log_e, ALPHA), exposed, harm)
        total_lost, total_won = np.cumsum(counts[..., 2], axis=1), np.cumsum(counts[..., 0], axis=1)
        z = (total_lost - total_won) / np.sqrt(np.maximum(1, total_lost + total_won))
        for critical in (1.645,):
            first = peers.peeking(Metric(z, z, 1.0, z), critical)
            yield about | figures("z test, peeking", "usual", first, exposed, harm, critical)


def _looks(flags: npt.NDArray[np.bool_], look: int) -> Floats:
    return flags.reshape(flags.shape[0], -1, look).sum(axis=2).astype(float)


def many_cells(runs: int = 400) -> Iterator[dict[str, Any]]:
    """S7: ten metrics in five slices, at 50 rps and 10 %; no change, or one of the fifty is five times as high."""
    test = shares.worse(1.0)
    for name, says, ratio in (("S7", "fifty metrics, no change", 1.0), ("S7b", "one of fifty times 5", 5.0)):
        rng = generator(HELD_OUT, name)
        firsts: dict[str, list[npt.NDArray[np.intp]]] = {}
        logs: list[Floats] = []
        n_two = np.ones((runs, LOOKS))
        for place in range(50):
            n_two = rng.poisson(60.0, (runs, LOOKS)).astype(float)
            n_one = rng.poisson(540.0, (runs, LOOKS)).astype(float)
            rate = 0.01 * np.exp(rng.normal(-0.045, 0.3, (runs, LOOKS)))
            worse = ratio if place == 0 else 1.0
            two = rng.binomial(n_two.astype(int), worse * rate).astype(float)
            one = rng.binomial(n_one.astype(int), rate).astype(float)
            logs.append(ours.share_log_e(two, one, n_two, n_one, test))
            metric = Metric(two / n_two, one / n_one, 0.01, peers.proportions(two, n_two, one, n_one))
            for peer in PEERS:
                if peer.name != "Kayenta" or place < 10:
                    firsts.setdefault(peer.name, []).append(peer.rule(metric, peer.usual))
        about = {"scenario": name, "says": says, "bad": ratio > 1, "design": "canary 10 %", "rps": 50}
        exposed = np.cumsum(n_two * 5, axis=1)
        zero = np.zeros_like(exposed)
        yield about | figures(
            OURS, "as it comes", ours.first_crossing(ours.mean_exp(logs), ALPHA), exposed, zero
        )
        for peer_name, found in firsts.items():
            yield about | figures(peer_name, "usual", np.minimum.reduce(found), exposed, zero)
