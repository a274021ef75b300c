"""What a request's body becomes, and what it may name."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from endpoints.serving.refusal import RefusedError, bad_row

if TYPE_CHECKING:
    # Commands read the content types here and have no use for numpy.
    import numpy.typing as npt

JSON = "application/json"
CSV = "text/csv"
NPY = "application/x-npy"
ARROW = "application/vnd.apache.arrow.stream"
CONTENT_TYPES = (JSON, CSV, NPY, ARROW)

Column: TypeAlias = "npt.NDArray[Any] | list[Any]"


@dataclass(frozen=True)
class Names:
    """The names a body may use.

    Args:
        ordered: the fields of this version in the schema's order: the columns of a CSV without header.
        known: every field declared for any version; another name is refused.
        numeric: those of `known` that are numbers.
    """

    ordered: tuple[str, ...]
    known: frozenset[str]
    numeric: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Table:
    """Columns of `rows` values each, as `workloads.schema.read` takes them: lists as they stood in JSON or CSV, typed
    arrays of npy and Arrow."""

    rows: int
    columns: Mapping[str, Column]


def too_many(rows: int, max_rows: int) -> RefusedError:
    return RefusedError(413, f"{rows} rows are more than the {max_rows} that one request may hold")


def unknown(row: int, name: str) -> RefusedError:
    return bad_row(row, name[:80], "is not a field of this workload")
