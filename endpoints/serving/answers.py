"""Predictions to bodies, in the content type that the caller accepts."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from endpoints.serving.codecs import ARROW, CONTENT_TYPES, CSV, JSON, NPY
from endpoints.serving.refusal import RefusedError

_MARKS = frozenset(',"\n\r')
"""What a CSV cell is quoted for."""


@dataclass(frozen=True)
class Predictions:
    """One answer: the rows' ids, scores in [0, 1] and decisions, and who gave them."""

    ids: Sequence[Any]
    scores: npt.NDArray[np.float64]
    decisions: npt.NDArray[np.bool_]
    workload: str
    version: str


def negotiate(accept: str | None, request_type: str) -> str:
    """The content type of the answer: what Accept prefers; the request's own where Accept leaves it open.

    Raises:
        RefusedError: 406 if Accept names none of ours.
    """
    if not accept or accept == "*/*" or accept == request_type:
        return request_type
    choices = []
    for position, part in enumerate(accept.split(",")):
        media, *parameters = (piece.strip().lower() for piece in part.split(";"))
        choices.append((-_quality(parameters), position, media))
    refused = {media for quality, _, media in choices if quality == 0}
    # The request's own type first: a wildcard leaves the choice to us.
    ours = [known for known in (request_type, *CONTENT_TYPES) if known not in refused]
    for quality, _, media in sorted(choices):
        for known in ours:
            if quality and (
                media in (known, "*/*") or (media.endswith("/*") and known.startswith(media[:-1]))
            ):
                return known
    raise RefusedError(406, f"none of {accept[:200]!r} can be given; there are {', '.join(CONTENT_TYPES)}")


def _quality(parameters: Sequence[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0


def encode(content_type: str, answer: Predictions) -> bytes:
    """The body of an answer. `content_type` is one that `negotiate` gave."""
    return _ENCODERS[content_type](answer)


def _encode_json(answer: Predictions) -> bytes:
    rows = zip(answer.ids, answer.scores.tolist(), answer.decisions.tolist(), strict=True)
    return orjson.dumps(
        {
            "predictions": [{"id": i, "score": score, "decision": decision} for i, score, decision in rows],
            "model": {"workload": answer.workload, "version": answer.version},
        }
    )


def _encode_csv(answer: Predictions) -> bytes:
    ids = list(map(str, answer.ids))
    if not _MARKS.isdisjoint("".join(ids)):
        ids = [_quoted(text) for text in ids]
    rows = zip(ids, answer.scores.tolist(), answer.decisions.tolist(), strict=True)
    lines = [f"{i},{score!r},{'true' if decision else 'false'}\n" for i, score, decision in rows]
    return "".join(lines).encode()


def _quoted(text: str) -> str:
    return text if _MARKS.isdisjoint(text) else '"' + text.replace('"', '""') + '"'


def _encode_npy(answer: Predictions) -> bytes:
    ids = np.asarray(answer.ids)
    if ids.dtype.kind not in "iufU":
        ids = np.asarray([str(i) for i in answer.ids])
    kinds = [("id", ids.dtype), ("score", np.float64), ("decision", np.bool_)]
    array = np.empty(len(ids), dtype=np.dtype(kinds))
    array["id"], array["score"], array["decision"] = ids, answer.scores, answer.decisions
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def _encode_arrow(answer: Predictions) -> bytes:
    import pyarrow as pa

    table = pa.table(
        {"id": pa.array(list(answer.ids)), "score": answer.scores, "decision": answer.decisions}
    ).replace_schema_metadata({"workload": answer.workload, "version": answer.version})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


_ENCODERS = {JSON: _encode_json, CSV: _encode_csv, NPY: _encode_npy, ARROW: _encode_arrow}
