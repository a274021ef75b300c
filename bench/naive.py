"""What a container is commonly written like, as the peer of bench/serving.py: the standard library's JSON, values row
by row in Python, a DMatrix a request. It checks nothing, which is less work than ours. The server around it is the
same granian, so that the application alone is compared.

`python -m bench.naive PORT MODEL_FILE` serves.
"""

import csv
import io
import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from workloads.flights.features import CARRIERS, DESTINATIONS, FEATURES, ORIGINS

_CODES = {"carrier": CARRIERS, "origin": ORIGINS, "dest": DESTINATIONS}


def create() -> Callable[..., Iterable[bytes]]:
    """The WSGI application of the model file in the environment."""
    import xgboost

    booster = xgboost.Booster(model_file=os.environ["BENCH_MODEL"])

    def application(environ: Mapping[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/ping":
            start_response("200 OK", [("Content-Length", "0")])
            return [b""]
        body = environ["wsgi.input"].read().decode()
        as_csv = environ.get("CONTENT_TYPE") == "text/csv"
        rows = list(csv.DictReader(io.StringIO(body))) if as_csv else json.loads(body)["instances"]
        scores = booster.predict(
            xgboost.DMatrix(np.array([_features(row) for row in rows], dtype=np.float32))
        )
        if as_csv:
            answer = "".join(
                f"{row['flight_id']},{score},{score >= 0.5}\n"
                for row, score in zip(rows, scores, strict=True)
            )
        else:
            answer = json.dumps(
                {
                    "predictions": [
                        {"id": row["flight_id"], "score": float(score), "decision": bool(score >= 0.5)}
                        for row, score in zip(rows, scores, strict=True)
                    ]
                }
            )
        start_response("200 OK", [("Content-Length", str(len(answer)))])
        return [answer.encode()]

    return application


def _features(row: Mapping[str, Any]) -> list[float]:
    return [_value(row, name) for name in FEATURES]


def _value(row: Mapping[str, Any], name: str) -> float:
    if name == "excess_delay":
        return _value(row, "dep_delay") - _value(row, "origin_delay_1h")
    if name in _CODES:
        return float(_CODES[name].index(row[name])) if row[name] in _CODES[name] else math.nan
    return math.nan if row[name] in (None, "") else float(row[name])


def main(port: int, model: str) -> None:
    """Serve on one worker of one thread for the model."""
    from granian import Granian
    from granian.constants import HTTPModes, Interfaces
    from granian.log import LogLevels

    os.environ["BENCH_MODEL"] = model
    Granian(
        "bench.naive:create",
        factory=True,
        address="127.0.0.1",
        port=port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        websockets=False,
        log_level=LogLevels.warning,
    ).serve()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
