"""The modules of a workload's folder, as the platform sees them, and how a model directory becomes a scorer."""

import importlib
import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol, Self, cast

import numpy as np
import numpy.typing as npt

from sluice.config import Frozen, parse
from sluice.errors import SluiceError
from workloads.contract import FOLDER, Workload

Array = npt.NDArray[Any]
Columns = Mapping[str, Array]
"""A batch of rows by field. Numbers are float64 with NaN where missing, strings and categories are objects of `str`
with None, timestamps are datetime64[us] in UTC with NaT."""

DESCRIPTION = "model.json"


class Features(Protocol):
    """`features.py`: numpy only and stateless, the same for training and serving."""

    FEATURES: tuple[str, ...]

    def features(self, columns: Columns) -> npt.NDArray[np.float32]:
        """(n, len(FEATURES)) of float32; missing is NaN."""
        ...


class Predictor(Protocol):
    """A loaded model."""

    def predict(self, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """(n, k) features → (n,) probabilities."""
        ...


class Model(Predictor, Protocol):
    """A trained model."""

    def save(self, folder: Path) -> None:
        """Write its files into `folder`."""
        ...


class Method(Protocol):
    """`model.py`."""

    def train(
        self, x: npt.NDArray[np.float32], y: npt.NDArray[np.bool_], parameters: Mapping[str, Any], seed: int
    ) -> Model:
        """The model of (n, k) features and (n,) labels; the same bytes for the same arguments."""
        ...

    def load(self, folder: Path) -> Predictor:
        """What `save` wrote."""
        ...


class Incumbent(Protocol):
    """`incumbent.py`: what decides before any model does."""

    def decide(self, columns: Columns) -> npt.NDArray[np.float64]:
        """(n,) scores in [0, 1]."""
        ...


class Source(Protocol):
    """`source.py`: where the data comes from. Used by commands only, never in an image."""

    def arrive(self, until: datetime, bucket: str) -> Mapping[str, int]:
        """Bring everything that happened before `until`, and was known by then, to the data bucket, as
        `s3://<bucket>/<workload>/{observations,labels}/dt=YYYY-MM-DD/part.parquet`. Doing it again changes nothing.
        Returns counts by name."""
        ...


def _module(workload: str, module: str) -> Any:
    try:
        return importlib.import_module(f"workloads.{workload}.{module}")
    except ModuleNotFoundError as error:
        if error.name != f"workloads.{workload}.{module}":
            raise
        raise SluiceError(
            f"the workload {workload} has no {module}.py",
            f"Add {FOLDER / workload / (module + '.py')}; workloads/modules.py says what it has to define.",
        ) from None


def features(workload: str) -> Features:
    """The workload's feature code."""
    return cast(Features, _module(workload, "features"))


def method(workload: str) -> Method:
    """The workload's model code."""
    return cast(Method, _module(workload, "model"))


def incumbent(workload: str) -> Incumbent:
    """The workload's rule of before."""
    return cast(Incumbent, _module(workload, "incumbent"))


def source(workload: str) -> Source:
    """The workload's data source."""
    return cast(Source, _module(workload, "source"))


class Description(Frozen):
    """`model.json`, which every model directory has: what the files beside it are."""

    kind: Literal["model", "incumbent"]
    workload: str
    version: str
    method: int
    change: Literal["method", "data", "hyperparameters", "incumbent"]
    code_hash: str
    data_hash: str = ""
    train_from: str = ""
    train_until: str = ""
    rows: int = 0
    features: tuple[str, ...] = ()
    seed: int = 0
    hyperparameters: dict[str, Any] = {}

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The description in a model directory.

        Raises:
            SluiceError: if there is none, or it is not valid.
        """
        path = folder / DESCRIPTION
        if not path.exists():
            raise SluiceError(
                f"{folder} holds no {DESCRIPTION}", "A model.tar.gz is made by pipelines.steps.train."
            )
        return parse(cls, json.loads(path.read_text(encoding="utf-8")), str(path))

    def write(self, folder: Path) -> None:
        """Into the model directory, the same bytes for the same value."""
        text = json.dumps(self.model_dump(mode="json"), indent=2, sort_keys=True)
        (folder / DESCRIPTION).write_text(text + "\n", encoding="utf-8")


class Scorer:
    """A model directory of either kind, ready to score rows."""

    def __init__(self, folder: Path) -> None:
        self.description = Description.read(folder)
        self.workload = Workload.load(self.description.workload)
        name = self.workload.name
        self._incumbent = incumbent(name) if self.description.kind == "incumbent" else None
        if self._incumbent is None:
            self._features = features(name)
            if self.description.features != self._features.FEATURES:
                raise SluiceError(
                    f"the model {self.description.version} was trained on other features than this code computes",
                    "Run it with the code of its own image or its own model.tar.gz.",
                )
            self._predictor = method(name).load(folder)

    def score(self, columns: Columns) -> npt.NDArray[np.float64]:
        """Scores (n,) of the columns that `workloads.schema.read` found no fault with."""
        if self._incumbent is not None:
            return self._incumbent.decide(columns)
        return self._predictor.predict(self._features.features(columns))

    def decide(self, scores: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """The decisions (n,) at the workload's threshold."""
        return scores >= self.workload.threshold
