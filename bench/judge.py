"""The judge against its peers: `python -m bench.judge` writes docs/benchmarks/judge.{md,csv} and its pictures.

Everything runs in one process and one run, with fixed seeds: thresholds that can be tuned are tuned on one seed, and
all figures are of others.
"""

import argparse
import csv
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from bench.judging import cells, ours, pictures, report
from bench.judging.peers import mann_whitney_high
from bench.judging.traffic import QUANTILES, World, simulate
from endpoints.release.judge import Arm, Batch, Paired, shares, start, update, verdict
from endpoints.release.judge.batch import GRID

OUT = Path(__file__).resolve().parent.parent / "docs" / "benchmarks"


def main() -> None:
    """Run everything and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT)
    out: Path = parser.parse_args().out
    began = time.process_time()
    rows: list[dict[str, Any]] = []
    for part in (cells.cells, cells.score_cells, cells.label_cells, cells.noisy_cells, cells.many_cells):
        rows += list(part())
        sys.stderr.write(f"{part.__name__}: {time.process_time() - began:.0f} s\n")
    extra = {"speed": speed(), "oracle": oracle(), "passing": passing()}
    extra["seconds"] = time.process_time() - began
    out.mkdir(parents=True, exist_ok=True)
    with (out / "judge.csv").open("w", newline="", encoding="utf-8") as file:
        fields = [name for name in rows[0] if name != "bad"]
        writer = csv.DictWriter(file, fields, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows({k: report.rounded(v) for k, v in row.items()} for row in rows)
    pictures.write(rows, out)
    (out / "judge.md").write_text(report.page(rows, extra), encoding="utf-8")
    sys.stderr.write(f"{extra['seconds']:.0f} s of one core; {out / 'judge.md'}\n")


def speed(looks: int = 20_000) -> dict[str, float]:
    """µs of processor time of a look at the errors, and of a Mann-Whitney test on 300 values a side; best of five."""
    test = shares.worse(1.0)
    rng = np.random.default_rng(cells.HELD_OUT)
    hits, others = rng.poisson(1, looks).tolist(), rng.poisson(9, looks).tolist()
    two, one = rng.random((1, 300)), rng.random((1, 300))
    best = {"judge": np.inf, "rank": np.inf}
    for _ in range(5):
        logs = test.begin
        began = time.process_time()
        for k, b in zip(hits, others, strict=True):
            logs = shares.add(logs, k, b, 0.1, test)
            shares.log_e(logs)
        best["judge"] = min(best["judge"], (time.process_time() - began) / looks * 1e6)
        began = time.process_time()
        for _ in range(20):
            mann_whitney_high(two, one)
        best["rank"] = min(best["rank"], (time.process_time() - began) / 20 * 1e6)
    return {**best, "ratio": best["rank"] / best["judge"]}


def oracle(runs: int = 2000, looks: int = 240) -> list[dict[str, float]]:
    """240 looks at 100 + 900 requests with 1 % of errors: the errors check with all of alpha, against a test that knows
    the effect beforehand (Wald's, on the same counts)."""
    rows = []
    for ratio in (1.0, 1.5, 2.0, 3.0):
        rng = cells.generator(cells.HELD_OUT, "oracle", ratio)
        two = rng.binomial(100, 0.01 * ratio, (runs, looks)).astype(float)
        one = rng.binomial(900, 0.01, (runs, looks)).astype(float)
        n_two, n_one = np.full_like(two, 100), np.full_like(one, 900)
        row = {"ratio": ratio}
        known = shares.Test(1.0, (ratio,), (float(np.log(ratio)),))
        for name, test in (("judge", shares.worse(1.0)), ("oracle", known)):
            first = ours.first_crossing(ours.share_log_e(two, one, n_two, n_one, test), cells.ALPHA)
            row[name] = float((first < looks).mean())
            row[f"{name}_looks"] = float(np.median(first) + 1)
        rows.append(row)
    return rows


def passing(runs: int = 12) -> list[dict[str, Any]]:
    """How long a good challenger takes to pass in shadow, by the judge itself, with a look every minute for an hour."""
    rows = []
    rules = cells.rules_of("shadow")
    for rps in (50.0, 10.0, 2.0, 0.2):
        rng = cells.generator(cells.HELD_OUT, "passing", rps)
        arms = simulate(World(), "shadow", rps, cells.LOOKS, runs, rng)
        took: list[float] = []
        outcomes: list[str] = []
        for run in range(runs):
            state, moment, passed = start(rules), datetime(2026, 1, 1, tzinfo=UTC), None
            for look in range(cells.LOOKS):
                state = update(state, _batch(arms, run, look, moment, rng), rules)
                moment += timedelta(minutes=1)
                said = verdict(state, rules)
                if said.outcome == "pass":
                    passed = look + 1
                    break
            took.append(passed if passed else np.inf)
            outcomes.append(said.outcome)
        rows.append(
            {
                "rps": rps,
                "passed": float(np.isfinite(took).mean()),
                "failed": outcomes.count("fail") / runs,
                "undecided": outcomes.count("undecided") / runs,
                "minutes": float(np.median(took)) if np.isfinite(np.median(took)) else None,
            }
        )
    return rows


def _batch(arms: Any, run: int, look: int, moment: datetime, rng: np.random.Generator) -> Batch:
    """One look of a simulated run, as the watch would give it: nobody is slow, 4 % are decided differently."""
    n = int(arms.n_two[run, look])
    one, two = (
        Arm(
            requests=n,
            errors=float(errors[run, look]),
            timed=n,
            exceeded=tuple(exceeded[run, look].tolist()) if n else (0.0,) * len(QUANTILES),
            slow=0.0,
        )
        for errors, exceeded in ((arms.errors_one, arms.exceeded_one), (arms.errors_two, arms.exceeded_two))
    )
    less, more = rng.multinomial(n, [0.02, 0.02, 0.96])[:2]
    zero = [0.0] * len(GRID)
    differ, decision = list(zero), list(zero)
    differ[20], differ[40] = float(n - less - more), float(less + more)
    decision[0], decision[20], decision[40] = float(less), float(n - less - more), float(more)
    paired = Paired(units=n, values={"agreement": tuple(differ), "decision": tuple(decision)})
    return Batch(
        since=moment,
        until=moment + timedelta(minutes=1),
        champion=one,
        challenger=two,
        production_rows=n,
        joined_rows=n,
        paired=paired,
    )


if __name__ == "__main__":
    main()
