"""Captured lines as the watch needs them: the answers, and of each row what its slices and its unit are. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from endpoints.release import captures
from endpoints.release.captures import Record
from endpoints.release.judge import Rules
from endpoints.release.judge.rules import bin_labels
from endpoints.serving.codecs import Names, Table, decode
from endpoints.serving.refusal import RefusedError
from workloads.contract import Workload

MAX_ROWS = 1_000_000
SHARES = 2**32


@dataclass(frozen=True)
class Detail:
    """What the request says of one row: the day of its event, its entity, and its slice by field."""

    day: str = ""
    entity: str = ""
    slices: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Exchange:
    """One captured request with its answer; `details` by row id, of production's only."""

    record: Record
    details: Mapping[str, Detail] = field(default_factory=dict)

    @property
    def payload(self) -> str:
        """Of the request's bytes, which are the same in both arms."""
        return self.record.payload.partition("@")[0]


class Reader:
    """Reads the lines of one workload."""

    def __init__(self, workload: Workload, rules: Rules, share: float = 1.0) -> None:
        """
        Args:
            share: of the requests, by a hash of their bytes, so that both arms keep the same ones.
        """
        self._workload = workload
        self._entity = rules.settings.entity
        self._share = int(share * SHARES)
        self._names = Names(
            ordered=tuple(each.name for each in workload.input if each.since is None),
            known=frozenset(workload.fields),
            numeric=frozenset(each.name for each in workload.input if each.numeric),
        )
        self._wanted = {declared.field: declared.edges for declared in workload.slices}

    def read(self, line: bytes, detailed: bool) -> Exchange | None:
        """The exchange of one line; None if it is not in the sample.

        Args:
            detailed: whether to look into the request, too.
        """
        document = json.loads(line)
        record = captures.parse(document)
        if int(record.payload[:8], 16) >= self._share:
            return None
        side = document["captureData"].get("endpointInput") if detailed else None
        if side is None:
            return Exchange(record)
        try:
            table = decode(side["observedContentType"], captures._bytes(side), self._names, MAX_ROWS)
        except RefusedError:
            return Exchange(record)
        return Exchange(record, self._details(table))

    def _details(self, table: Table) -> dict[str, Detail]:
        columns = table.columns
        if self._workload.id not in columns:
            return {}
        slices = {name: self._slices(name, columns[name]) for name in self._wanted if name in columns}
        ids = columns[self._workload.id]
        days = columns.get(self._workload.time)
        entities = columns.get(self._entity) if self._entity else None
        return {
            str(ids[row]): Detail(
                day="" if days is None else str(days[row])[:10],
                entity="" if entities is None else str(entities[row]),
                slices={name: values[row] for name, values in slices.items() if values[row]},
            )
            for row in range(table.rows)
        }

    def _slices(self, name: str, values: Any) -> list[str]:
        """Each row's slice as `Rules.slices` names it; empty where the value is missing or no number."""
        edges = self._wanted[name]
        if not edges:
            return ["" if value in (None, "") else f"{name}={value}" for value in values]
        labels = bin_labels(edges)
        found = []
        for value in values:
            try:
                number = float(value)
            except (TypeError, ValueError):
                number = float("nan")
            place = int(np.searchsorted(edges, number, side="right"))
            found.append("" if number != number else f"{name}={labels[place]}")
        return found
