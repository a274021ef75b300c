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
    if not accept or accept == "*/*":
        return request_type
    choices = []
    for position, part in enumerate(accept.split(",")):
        media, *parameters = (piece.strip().lower() for piece in part.split(";"))
        choices.append((-_quality(parameters), position, media))
    for negative, _, media in sorted(choices):
        if negative == 0:
            continue
        if media in CONTENT_TYPES:
            return media
        if media == "*/*" or (media.endswith("/*") and request_type.startswith(media[:-1])):
            return request_type
        if media.endswith("/*"):
            for known in CONTENT_TYPES:
                if known.startswith(media[:-1]):
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
    rows = zip(answer.ids, answer.scores.tolist(), answer.decisions.tolist(), strict=True)
    lines = [f"{_quoted(i)},{score!r},{'true' if decision else 'false'}\n" for i, score, decision in rows]
    return "".join(lines).encode()


def _quoted(value: Any) -> str:
    text = str(value)
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in ',"\n\r') else text


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
