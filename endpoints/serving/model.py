"""The model of this container: what it needs of a request, and its scores."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from endpoints.serving.codecs import Names, Table
from endpoints.serving.refusal import RefusedError
from sluice.errors import SluiceError
from workloads.contract import InputField, Workload
from workloads.modules import Array, Columns, Scorer
from workloads.schema import Reader, problems


@dataclass(frozen=True)
class Served:
    """A model that is loaded. `released` is the version of its package where that is another than the model's own: the
    same model in a patched image."""

    scorer: Scorer
    released: str = ""

    @property
    def workload(self) -> Workload:
        return self.scorer.workload

    @property
    def version(self) -> str:
        """What the answers say."""
        return self.released or self.scorer.description.version

    @property
    def labels(self) -> Mapping[str, str]:
        """Of the metric that says which model this is."""
        description = self.scorer.description
        return {
            "workload": description.workload,
            "version": self.version,
            "kind": description.kind,
            "code_hash": description.code_hash,
        }

    @cached_property
    def needed(self) -> tuple[InputField, ...]:
        """The fields that this model answers from."""
        return self.workload.needed(self.scorer.description.version)

    @cached_property
    def names(self) -> Names:
        """What a body may hold."""
        return Names(
            ordered=tuple(field.name for field in self.needed),
            known=frozenset(self.workload.fields),
            numeric=frozenset(field.name for field in self.workload.input if field.numeric),
        )

    @cached_property
    def reader(self) -> Reader:
        """What checks a request."""
        return Reader(self.needed, self.workload.fields)

    def checked(self, table: Table) -> dict[str, Array]:
        """The typed columns that this version needs.

        Raises:
            RefusedError: 400 naming the first rows and fields that break the schema.
        """
        columns, found = self.reader.read(table.columns, table.rows)
        if found:
            raise RefusedError(400, "; ".join(map(str, problems(found, limit=3))))
        return columns

    def score(self, columns: Columns) -> npt.NDArray[np.float64]:
        """Scores (n,).

        Raises:
            ValueError: if the model gave something that is no probability for each row.
        """
        scores = np.asarray(self.scorer.score(columns), dtype=np.float64)
        rows = len(columns[self.workload.id])
        if scores.shape != (rows,):
            raise ValueError(f"the model gave scores of shape {scores.shape} for {rows} rows")
        if not ((scores >= 0) & (scores <= 1)).all():
            raise ValueError("the model gave a score that is no number from 0 to 1")
        return scores


def load(workload: str, folder: Path, released: str = "") -> Served:
    """The model in `folder`, which has to be one of `workload`.

    Args:
        released: as of `Served`.

    Raises:
        SluiceError: if it is another's, or cannot be loaded.
    """
    scorer = Scorer(folder)
    if scorer.workload.name != workload:
        raise SluiceError(
            f"the model in {folder} is one of {scorer.workload.name}, and this container serves {workload}"
        )
    return Served(scorer, released)
