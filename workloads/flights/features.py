"""What the model sees of a flight at push-back. The only feature code: training and serving both call it."""

import numpy as np
import numpy.typing as npt

from workloads.modules import Columns

FEATURES: tuple[str, ...] = (
    "dep_delay",
    "scheduled_minute",
    "scheduled_duration",
    "weekday",
    "carrier",
    "origin",
    "dest",
    "distance",
    "temp",
    "humid",
    "wind_dir",
    "wind_speed",
    "wind_gust",
    "precip",
    "pressure",
    "visib",
    "plane_age",
    "origin_delay_1h",
    "origin_departures_1h",
    "excess_delay",
)

# The order is the code that the model knows, so it may only grow at the end: a new place is a new method.
CARRIERS = ["9E", "AA", "AS", "B6", "DL", "EV", "F9", "FL", "HA", "MQ", "OO", "UA", "US", "VX", "WN", "YV"]
ORIGINS = ["EWR", "JFK", "LGA"]
# fmt: off
DESTINATIONS = [
    "ABQ", "ACK", "ALB", "ANC", "ATL", "AUS", "AVL", "BDL", "BGR", "BHM", "BNA", "BOS", "BQN", "BTV", "BUF",
    "BUR", "BWI", "BZN", "CAE", "CAK", "CHO", "CHS", "CLE", "CLT", "CMH", "CRW", "CVG", "DAY", "DCA", "DEN",
    "DFW", "DSM", "DTW", "EGE", "EYW", "FLL", "GRR", "GSO", "GSP", "HDN", "HNL", "HOU", "IAD", "IAH", "ILM",
    "IND", "JAC", "JAX", "LAS", "LAX", "LEX", "LGA", "LGB", "MCI", "MCO", "MDW", "MEM", "MHT", "MIA", "MKE",
    "MSN", "MSP", "MSY", "MTJ", "MVY", "MYR", "OAK", "OKC", "OMA", "ORD", "ORF", "PBI", "PDX", "PHL", "PHX",
    "PIT", "PSE", "PSP", "PVD", "PWM", "RDU", "RIC", "ROC", "RSW", "SAN", "SAT", "SAV", "SBN", "SDF", "SEA",
    "SFO", "SJC", "SJU", "SLC", "SMF", "SNA", "SRQ", "STL", "STT", "SYR", "TPA", "TUL", "TVC", "TYS", "XNA"
]
# fmt: on
_CODES: dict[str, dict[str | None, float]] = {
    "carrier": {value: float(code) for code, value in enumerate(CARRIERS)},
    "origin": {value: float(code) for code, value in enumerate(ORIGINS)},
    "dest": {value: float(code) for code, value in enumerate(DESTINATIONS)},
}


def features(columns: Columns) -> npt.NDArray[np.float32]:
    """(n, len(FEATURES)) of float32. A category becomes its code, one never seen becomes missing."""
    rows = len(columns["dep_delay"])
    x = np.empty((rows, len(FEATURES)), dtype=np.float32)
    for position, name in enumerate(FEATURES):
        if name == "excess_delay":
            # How much worse this flight is off than its neighbours: its own trouble, or the airport's.
            x[:, position] = columns["dep_delay"] - columns["origin_delay_1h"]
        elif name in _CODES:
            # None, which a value without a code gets, becomes NaN.
            x[:, position] = np.array(list(map(_CODES[name].get, columns[name].tolist())), dtype=np.float32)
        else:
            x[:, position] = columns[name]
    return x
