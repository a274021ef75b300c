"""Bodies to columns: JSON, CSV, npy and Arrow. Nothing is built from a name that is not known."""

from collections.abc import Callable, Mapping

from endpoints.serving.binary import decode_arrow, decode_npy
from endpoints.serving.refusal import RefusedError
from endpoints.serving.tables import ARROW, CONTENT_TYPES, CSV, JSON, NPY, Names, Table
from endpoints.serving.text import decode_csv, decode_json

__all__ = ["ARROW", "CONTENT_TYPES", "CSV", "JSON", "NPY", "Names", "Table", "decode", "media_type"]


def decode(content_type: str, body: bytes, names: Names, max_rows: int) -> Table:
    """The columns in a request's body.

    Args:
        content_type: one of `CONTENT_TYPES`, with parameters if the caller sent some.

    Raises:
        RefusedError: 415 for another content type, 413 for too many rows, 400 for a body that cannot be read, is
            empty, or holds a field that the workload does not know.
    """
    media, parameters = media_type(content_type)
    decoder = _DECODERS.get(media)
    if decoder is None:
        raise RefusedError(415, f"content type {media or 'none'!r} is not one of {', '.join(CONTENT_TYPES)}")
    # JSON is UTF-8 by its standard, and CSV here: read as anything else, a name would become another one unseen.
    charset = parameters.get("charset", "utf-8")
    if media in (JSON, CSV) and charset not in ("utf-8", "utf8", "us-ascii"):
        raise RefusedError(415, f"charset {charset[:40]!r} is not utf-8")
    if not body:
        raise RefusedError(400, "the request has no body")
    table = decoder(body, names, parameters, max_rows)
    if table.rows == 0:
        raise RefusedError(400, "the request holds no rows")
    return table


def media_type(header: str) -> tuple[str, Mapping[str, str]]:
    """`text/csv; header=absent` as its lower-case type and its parameters."""
    media, *rest = header.split(";")
    pairs = (part.partition("=") for part in rest)
    return media.strip().lower(), {
        k.strip().lower(): v.strip().strip('"').lower() for k, _, v in pairs if k.strip()
    }


_DECODERS: Mapping[str, Callable[[bytes, Names, Mapping[str, str], int], Table]] = {
    JSON: decode_json,
    CSV: decode_csv,
    NPY: decode_npy,
    ARROW: decode_arrow,
}
