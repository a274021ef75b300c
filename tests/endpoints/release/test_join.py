"""Joining the answers of production and shadow, against what was really sent."""

import base64
import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from endpoints.release import join as joining
from endpoints.release.captures import Answer, Record, parse
from endpoints.release.join import join
from endpoints.serving.answers import Predictions, encode

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
END = NOON + timedelta(days=1)


def record(
    second: float, identity: str | None, score: float = 0.7, version: str | None = "1.1", row: str = "r"
) -> Record:
    moment = NOON + timedelta(seconds=int(second))
    return Record(
        moment=moment,
        ids=(identity,) if identity else (),
        payload=f"hash-{row}@{moment:%H:%M}",
        version=version,
        answers=(Answer(row, score, score >= 0.5),),
    )


FIRST = record(0, "first")


def counted(production: Iterable[Record], shadow: Iterable[Record], until: datetime = END) -> joining.Counts:
    """With a first mirrored request, from which on it is counted."""
    return join([FIRST, *production], [FIRST, *shadow], "1.1", until)


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [(("id",), ("id",)), (("sagemaker", "own"), ("own",)), (("sagemaker",), ("own", "sagemaker"))],
)
def test_any_common_id_joins(mine: tuple[str, ...], theirs: tuple[str, ...]) -> None:
    counts = counted(
        [replace(record(5, "x"), ids=mine)], [replace(record(6, "x"), ids=theirs, payload="other")]
    )
    assert (counts.production_rows, counts.pairs, counts.joined_by_id) == (1, 1, 1)


def test_without_an_id_the_payload_and_its_minute_join() -> None:
    counts = counted([record(5, "x"), record(70, "y")], [record(6, None), record(140, None)])
    # The second pair's minutes differ.
    assert (counts.production_rows, counts.pairs, counts.joined_by_payload) == (2, 1, 1)


def test_the_same_payload_with_another_id_is_another_request() -> None:
    counts = counted([record(5, "x")], [record(5, "y")])
    assert (counts.production_rows, counts.pairs) == (1, 0)


def test_the_same_payload_twice_in_a_minute_makes_two_pairs_not_four() -> None:
    counts = counted([record(5, None), record(6, None)], [record(5, None), record(6, None)])
    assert (counts.production_rows, counts.pairs) == (2, 2)


def test_rows_of_one_request_join_by_their_ids() -> None:
    answers = tuple(Answer(f"r{n}", n / 10, n >= 5) for n in range(10))
    swapped = tuple(
        reversed([replace(a, score=a.score / 2, decision=a.score / 2 >= 0.5) for a in answers[:8]])
    )
    counts = counted([replace(record(5, "x"), answers=answers)], [replace(record(5, "x"), answers=swapped)])
    assert (counts.production_rows, counts.shadow_rows, counts.pairs, counts.agreed) == (10, 9, 8, 5)
    assert counts.score_difference_max == pytest.approx(0.35)
    assert counts.score_difference_sum == pytest.approx(sum(n / 20 for n in range(8)))


def test_what_came_before_mirroring_or_may_still_be_on_its_way_is_not_counted() -> None:
    production = [record(s, f"p{s}") for s in (1, 2, 30, 90)]
    counts = join(production, [record(20, "p20"), record(30, "p30")], "1.1", NOON + timedelta(seconds=60))
    assert (counts.production_rows, counts.pairs) == (1, 1)
    assert counts.first == NOON + timedelta(seconds=20)


def test_answers_of_another_version_and_unreadable_ones() -> None:
    production = [record(s, f"p{s}") for s in (5, 6, 7)]
    shadow = [
        record(5, "p5", version="1.0"),
        replace(record(6, "p6"), answers=None),
        record(7, "p7", version=None),
    ]
    counts = counted(production, shadow)
    assert (counts.production_rows, counts.pairs, counts.other_versions, counts.shadow_unreadable) == (
        3,
        1,
        1,
        1,
    )


def test_a_shadow_that_never_answered_gives_nothing_to_count() -> None:
    counts = join([record(s, f"p{s}") for s in range(9)], [], "1.1", END)
    assert (counts.first, counts.production_rows, counts.pairs) == (None, 0, 0)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "MAX_WAITING", 50)
    sides: list[joining._Side] = []
    plain = joining._Side.add

    def watched(side: joining._Side, one: Record) -> None:
        plain(side, one)
        sides.append(side)
        assert len(side.order) <= 50
        assert len(side.by_id) <= 50
        assert sum(map(len, side.by_payload.values())) <= 50

    monkeypatch.setattr(joining._Side, "add", watched)
    shadow = (record(s, f"p{s}") for s in range(1, 2000, 400))
    counts = counted((record(s, f"p{s}") for s in range(1, 2000)), shadow)
    assert sides
    assert (counts.production_rows, counts.pairs) == (1999, 5)


@given(
    sent=st.lists(
        st.tuples(
            st.integers(1, 300),
            st.booleans(),
            st.booleans(),
            st.integers(0, 3),
            st.floats(0, 1),
            st.floats(0, 1),
        ),
        max_size=60,
    )
)
def test_every_mirrored_request_is_found_whatever_ids_its_captures_carry(
    sent: list[tuple[int, bool, bool, int, float, float]],
) -> None:
    """Each request has a payload of its own; production's capture always has the id, the shadow's may lack it; the
    shadow answers up to three seconds later, and some of its answers never come."""
    production, shadow, agreed, lost = [], [], 0, 0
    for number, (second, with_id, answered, late, score, other) in enumerate(sorted(sent)):
        # Within one minute, since the payload joins within the minute.
        second = second // 60 * 60 + min(second % 60, 56)
        production.append(record(second, f"p{number}", score, row=f"row{number}"))
        if not answered:
            lost += 1
            continue
        agreed += (score >= 0.5) == (other >= 0.5)
        shadow.append(record(second + late, f"p{number}" if with_id else None, other, row=f"row{number}"))
    production.sort(key=lambda r: r.moment)
    shadow.sort(key=lambda r: r.moment)
    # The first second of all is left out.
    shift = timedelta(seconds=1)
    counts = counted(
        [replace(r, moment=r.moment + shift) for r in production],
        [replace(r, moment=r.moment + shift) for r in shadow],
    )
    assert counts.production_rows == len(production)
    assert counts.pairs == len(production) - lost
    assert counts.agreed == agreed


def line(media: str, body: bytes, encoding: str, **event: Any) -> dict[str, Any]:
    data = base64.b64encode(body).decode() if encoding == "BASE64" else body.decode()
    side = {"observedContentType": media, "mode": "OUTPUT", "data": data, "encoding": encoding}
    return json.loads(
        json.dumps(
            {
                "captureData": {
                    "endpointInput": {
                        **side,
                        "mode": "INPUT",
                        "observedContentType": "text/csv",
                        "data": "",
                        "encoding": "CSV",
                    },
                    "endpointOutput": side,
                },
                "eventMetadata": {"eventId": "e", "inferenceTime": "2026-11-21T12:00:05Z", **event},
                "eventVersion": "0",
            }
        )
    )


ANSWER = Predictions(["a", "b,c"], np.array([0.25, 0.75]), np.array([False, True]), "parcels", "1.1")


@pytest.mark.parametrize(
    ("media", "encoding", "version"),
    [
        ("application/json", "JSON", "1.1"),
        ("application/json; charset=utf-8", "BASE64", "1.1"),
        ("text/csv", "CSV", None),
        ("application/x-npy", "BASE64", None),
        ("application/vnd.apache.arrow.stream", "BASE64", "1.1"),
    ],
)
def test_captures_are_read_in_every_type_a_container_answers(
    media: str, encoding: str, version: str | None
) -> None:
    body = encode(media.partition(";")[0], ANSWER)
    read = parse(line(media, body, encoding, inferenceId="i", customAttributes=["id=own;colour=red"]))
    assert read.answers == (Answer("a", 0.25, False), Answer("b,c", 0.75, True))
    assert (read.version, read.ids) == (version, ("i", "own"))
    assert read.moment == NOON + timedelta(seconds=5)


@pytest.mark.parametrize(
    ("media", "body"),
    [
        ("application/json", b'{"error": "no"}'),
        ("application/json", b"<html>"),
        (
            "application/json",
            b'{"predictions": [{"id": "a", "score": 7, "decision": true}], "model": {"version": "1"}}',
        ),
        (
            "application/json",
            b'{"predictions": [{"id": "a", "score": null, "decision": true}], "model": {"version": "1"}}',
        ),
        ("text/csv", b"a,0.5,maybe\n"),
        ("text/csv", b"a,nan,true\n"),
        ("text/html", b"hello"),
        ("application/x-npy", b"\x80\x04pickle"),
        ("application/vnd.apache.arrow.stream", b"x"),
    ],
)
def test_an_answer_of_another_form_is_unreadable(media: str, body: bytes) -> None:
    assert parse(line(media, body, "BASE64")).answers is None
