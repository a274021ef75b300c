"""Looks for the tests: of a challenger that is as good as the champion, or not."""

from datetime import UTC, datetime, timedelta

import numpy as np

from endpoints.release.judge import Batch, Reference, Rows, Rules, collect
from workloads.contract import Costs

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
REFERENCE = Reference(latencies=(1.0, 2.0, 3.0), scores=(0.2, 0.4, 0.6, 0.8))
RULES = Rules(
    slices=("region=north", "region=south"), costs=Costs(miss=100, false_alarm=10), minimum_pairs=300
)


def look(
    place: int,
    rng: np.random.Generator,
    n: int = 100,
    errors: float = 0.0,
    shift: float = 0.0,
    south: float = 0.0,
    slow: float = 1.0,
    labels: bool = True,
    rules: Rules = RULES,
) -> Batch:
    """One minute. `errors`: the challenger's error rate; `shift`, `south`: of all scores, and of those of the south;
    `slow`: how much oftener it exceeds the champion's quantiles."""
    truth = rng.random(n)
    region = np.where(rng.random(n) < 0.2, "region=south", "region=north")
    two = truth + rng.normal(0, 0.02, n) + shift + south * (region == "region=south")
    rows = Rows(
        champion=truth,
        challenger=np.clip(two, 0, 1),
        unit=np.array([f"{place}-{i}" for i in range(n)]),
        label=(rng.random(n) < truth).astype(float) if labels else None,
        slices={"region": region},
    )
    since = BEGIN + timedelta(minutes=place)
    batch = collect(rows, rules, REFERENCE, since, since + timedelta(minutes=1))
    tails = (0.5, 0.1, 0.01)
    one, other = (
        arm.model_copy(
            update={
                "requests": n,
                "errors": float(rng.binomial(n, rate)),
                "timed": n,
                "exceeded": tuple(float(rng.binomial(n, min(1.0, t * factor))) for t in tails),
                "slow": 0.0,
            }
        )
        for arm, rate, factor in ((batch.champion, 0.0, 1.0), (batch.challenger, errors, slow))
    )
    update = {"champion": one, "challenger": other, "production_rows": n, "joined_rows": n}
    return batch.model_copy(update=update)
