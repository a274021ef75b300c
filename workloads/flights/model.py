"""Gradient-boosted trees. The same rows, parameters and seed give the same bytes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xgboost

FILE = "model.ubj"
FEW = 256
"""Up to so many rows, sharing them out among threads takes longer than scoring them on one."""


class Trees:
    """An xgboost booster that answers probabilities; `single` is the same one on one thread, for few rows."""

    def __init__(self, booster: xgboost.Booster, single: xgboost.Booster | None = None) -> None:
        self._booster = booster
        self._single = booster if single is None else single

    def predict(self, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """(n, k) features → (n,) probabilities."""
        # inplace_predict spares the DMatrix, a third of the time of one row.
        booster = self._single if len(x) <= FEW else self._booster
        return np.asarray(booster.inplace_predict(x), dtype=np.float64)

    def save(self, folder: Path) -> None:
        """Write `model.ubj`."""
        self._booster.save_model(folder / FILE)


def train(
    x: npt.NDArray[np.float32], y: npt.NDArray[np.bool_], parameters: Mapping[str, Any], seed: int
) -> Trees:
    """Trees of (n, k) features and (n,) labels; `parameters` are `hyperparameters` of workload.yaml."""
    settings = {
        "objective": "binary:logistic",
        "tree_method": "hist",
        "max_depth": int(parameters["depth"]),
        "eta": float(parameters["learning_rate"]),
        "subsample": float(parameters["subsample"]),
        "colsample_bytree": float(parameters["column_sample"]),
        "min_child_weight": float(parameters["minimum_child_weight"]),
        "nthread": int(parameters["threads"]),
        "seed": seed,
    }
    matrix = xgboost.QuantileDMatrix(x, label=y.astype(np.float32), nthread=int(parameters["threads"]))
    return Trees(xgboost.train(settings, matrix, num_boost_round=int(parameters["trees"])))


def load(folder: Path) -> Trees:
    """The trees that `save` wrote, on as many threads as OMP_NUM_THREADS allows."""
    path = folder / FILE
    return Trees(xgboost.Booster(model_file=path), xgboost.Booster({"nthread": 1}, model_file=path))
