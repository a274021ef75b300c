"""How much one look takes on."""

from datetime import timedelta

from sluice.config import Frozen


class Limits(Frozen):
    """How much one look takes on, and how long things are waited for. A look within them fits into a function of 1 GB
    and 60 s: it reads about 6 MB of captures a second there.

    Attributes:
        lag: captures younger than this may still be on their way to S3; `metrics_lag` is that of metrics.
        period_seconds: of the metrics that are read; below 60 it needs enhanced metrics that are as frequent.
        objects: capture objects of each variant in one look, and `megabytes` of them; one at least.
        label_megabytes: of labels in one look; one object at least.
        window: how long a request waits for its other half.
        share: of the requests, by a hash of their bytes.
    """

    lag: timedelta = timedelta(minutes=5)
    metrics_lag: timedelta = timedelta(minutes=2)
    period_seconds: int = 60
    objects: int = 300
    megabytes: float = 60.0
    label_megabytes: float = 60.0
    window: timedelta = timedelta(minutes=30)
    share: float = 1.0

    @property
    def live_every(self) -> timedelta:
        """Between two looks at a version that is live: its labels are as late as they are, and each look reads those
        anew that rows wait for."""
        return 2 * self.lag
