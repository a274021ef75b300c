"""What changed between two sets of inputs, and whether a change updates or replaces. Pure."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sluice.provider.values import UNKNOWN, Path, contains_unknown


class Kind(StrEnum):
    """How a property differs."""

    ADD = "ADD"
    DELETE = "DELETE"
    UPDATE = "UPDATE"


@dataclass(frozen=True)
class Property:
    """What a change of one property means.

    `replace`: the resource must be made anew. `same(old, new)`: equality where it is not plain, such as JSON
    text; never called with an unknown inside. `unordered`: a list whose order has no meaning. `fields`: the
    declarations of the keys inside a mapping, or inside each element of a list; a field of a replacing
    property replaces.
    """

    replace: bool = False
    same: Callable[[Any, Any], bool] | None = None
    unordered: bool = False
    fields: Mapping[str, "Property"] = field(default_factory=dict)


@dataclass(frozen=True)
class Change:
    """One property that differs."""

    path: Path
    kind: Kind
    replace: bool


@dataclass(frozen=True)
class Diff:
    """All changes, in the order of the properties. `delete_before_replace` matters only where one
    replaces."""

    changes: tuple[Change, ...] = ()
    delete_before_replace: bool = False

    @property
    def replaces(self) -> bool:
        return any(change.replace for change in self.changes)


UPDATES = Property()


def compare(
    old: Mapping[str, Any], new: Mapping[str, Any], properties: Mapping[str, Property] | None = None
) -> tuple[Change, ...]:
    """The changes from `old` to `new`.

    A property without a declaration updates. An unknown differs from everything, for it may. None is the
    same as absent. Keys that start with two underscores are bookkeeping and are passed over.
    """
    return tuple(_mappings(old, new, properties or {}, (), False))


def path_text(path: Path) -> str:
    """`a.b[0]["c.d"]`: Pulumi's property path."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif re.fullmatch(r"[A-Za-z_$][A-Za-z0-9_$-]*", step):
            text += f".{step}" if text else step
        else:
            escaped = step.replace("\\", "\\\\").replace('"', '\\"')
            text += f'["{escaped}"]'
    return text


def same(old: Any, new: Any) -> bool:
    """Equality that tells true from 1, and holds None to be an absent key."""
    if isinstance(old, bool) or isinstance(new, bool):
        return old is new
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        keys = [key for key in {**old, **new} if not key.startswith("__")]
        return all(same(old.get(key), new.get(key)) for key in keys)
    if isinstance(old, list | tuple) and isinstance(new, list | tuple):
        return len(old) == len(new) and all(map(same, old, new))
    return bool(old == new)


def _mappings(
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    declared: Mapping[str, Property],
    path: Path,
    replace: bool,
) -> list[Change]:
    found: list[Change] = []
    for key in {**old, **new}:
        if not key.startswith("__"):
            rule = declared.get(key, UPDATES)
            found += _values(old.get(key), new.get(key), rule, (*path, key), replace or rule.replace)
    return found


def _values(old: Any, new: Any, rule: Property, path: Path, replace: bool) -> list[Change]:
    if old is None and new is None:
        return []
    if old is None:
        return [Change(path, Kind.ADD, replace or _any_replaces(rule, new))]
    if new is None:
        return [Change(path, Kind.DELETE, replace or _any_replaces(rule, old))]
    if new is UNKNOWN or old is UNKNOWN:
        return [Change(path, Kind.UPDATE, replace)]
    if rule.same is not None and not contains_unknown(new) and not contains_unknown(old):
        return [] if rule.same(old, new) else [Change(path, Kind.UPDATE, replace)]
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return _mappings(old, new, rule.fields, path, replace)
    if isinstance(old, list | tuple) and isinstance(new, list | tuple):
        if rule.unordered:
            return _sets(list(old), list(new), rule, path, replace)
        return _lists(list(old), list(new), rule, path, replace)
    return [] if same(old, new) else [Change(path, Kind.UPDATE, replace)]


def _any_replaces(rule: Property, value: Any) -> bool:
    """Whether a field that replaces is inside what was added or taken away."""
    if isinstance(value, list | tuple):
        return any(_any_replaces(rule, item) for item in value)
    if isinstance(value, Mapping):
        return any(
            item is not None and (rule.fields[key].replace or _any_replaces(rule.fields[key], item))
            for key, item in value.items()
            if key in rule.fields
        )
    return False


def _element(rule: Property) -> Property:
    return Property(fields=rule.fields)


def _lists(old: list[Any], new: list[Any], rule: Property, path: Path, replace: bool) -> list[Change]:
    found: list[Change] = []
    for index in range(max(len(old), len(new))):
        before = old[index] if index < len(old) else None
        after = new[index] if index < len(new) else None
        found += _values(before, after, _element(rule), (*path, index), replace)
    return found


def _sets(old: list[Any], new: list[Any], rule: Property, path: Path, replace: bool) -> list[Change]:
    gone = [index for index, item in enumerate(old) if not _within(item, new, rule)]
    come = [index for index, item in enumerate(new) if not _within(item, old, rule)]
    found: list[Change] = []
    # A member that changed is one gone and one come; both stand at the new one's place, so they pair up.
    for place, index in enumerate(come):
        if place < len(gone):
            changes = _values(old[gone[place]], new[index], _element(rule), (*path, index), replace)
            found += changes or [Change((*path, index), Kind.UPDATE, replace)]
        else:
            found.append(Change((*path, index), Kind.ADD, replace or _any_replaces(rule, new[index])))
    for index in gone[len(come) :]:
        found.append(Change((*path, index), Kind.DELETE, replace or _any_replaces(rule, old[index])))
    return found


def _within(item: Any, items: list[Any], rule: Property) -> bool:
    if contains_unknown(item):
        return False
    return any(not _values(other, item, _element(rule), (), False) for other in items)
