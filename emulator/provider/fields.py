"""How the properties of a type map to the fields of an AWS API, declared once and used both ways. Pure."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from emulator.provider.policy import same_json, same_policy
from sluice.provider import UNKNOWN, Change, Kind, Property, compare, contains_unknown
from sluice.provider.values import Path


@dataclass(frozen=True)
class Field:
    """One property.

    `api`: the API's name, by default the property's with a capital. `default`: what absence means, as the
    real provider or AWS fills it in. `computed`: absence means whatever AWS chooses, so that is no drift.
    `settings`: only the provider's own behaviour, not kept by AWS. `policy`, `json`: a JSON text, compared
    by meaning. `unordered`: a set. `fields`: the properties inside, of a mapping or of each element of a
    list. `pairs`: a mapping that the API takes as a list of pairs under these two names.
    """

    api: str = ""
    replace: bool = False
    required: bool = False
    default: Any = None
    computed: bool = False
    settings: bool = False
    policy: bool = False
    json: bool = False
    unordered: bool = False
    fields: Mapping[str, "Field"] = field(default_factory=dict)
    pairs: tuple[str, str] | None = None
    same: Callable[[Any, Any], bool] | None = None


Fields = Mapping[str, Field]
Values = Mapping[str, Any]


def api_name(name: str, rule: Field) -> str:
    return rule.api or name[0].upper() + name[1:]


def to_api(fields: Fields, values: Values) -> dict[str, Any]:
    """The properties that are there, as the parameters of a call."""
    return {
        api_name(name, rule): _to_api(rule, values[name])
        for name, rule in fields.items()
        if values.get(name) is not None and not rule.settings
    }


def _to_api(rule: Field, value: Any) -> Any:
    if rule.pairs:
        key, content = rule.pairs
        return [{key: name, content: item} for name, item in value.items()]
    if rule.fields and isinstance(value, list | tuple):
        return [to_api(rule.fields, item) for item in value]
    if rule.fields:
        return to_api(rule.fields, value)
    return value


def from_api(fields: Fields, answer: Values) -> dict[str, Any]:
    """The properties that an API's answer shows."""
    return {
        name: _from_api(rule, answer[api_name(name, rule)])
        for name, rule in fields.items()
        if answer.get(api_name(name, rule)) is not None and not rule.settings
    }


def _from_api(rule: Field, value: Any) -> Any:
    if rule.pairs:
        key, content = rule.pairs
        return {item[key]: item[content] for item in value}
    if rule.fields and isinstance(value, list | tuple):
        return [from_api(rule.fields, item) for item in value]
    if rule.fields:
        return from_api(rule.fields, value)
    return value


def properties(fields: Fields) -> dict[str, Property]:
    """The declarations as the kit's diff takes them."""
    found = {}
    for name, rule in fields.items():
        same = rule.same or (same_policy if rule.policy else same_json if rule.json else None)
        found[name] = Property(
            replace=rule.replace, same=same, unordered=rule.unordered, fields=properties(rule.fields)
        )
    return found


def unmapped(fields: Fields, values: Values, path: Path = ()) -> Iterator[Path]:
    """The paths of properties that no declaration knows."""
    for name, value in values.items():
        if name.startswith("__") or value is None:
            continue
        rule = fields.get(name)
        if rule is None:
            yield (*path, name)
        elif rule.fields:
            members = enumerate(value) if isinstance(value, list | tuple) else [(None, value)]
            for index, member in members:
                if isinstance(member, Mapping):
                    yield from unmapped(
                        rule.fields, member, (*path, name) if index is None else (*path, name, index)
                    )


def missing(fields: Fields, values: Values) -> list[str]:
    """The required properties that are not there."""
    return [name for name, rule in fields.items() if rule.required and values.get(name) is None]


def changes(fields: Fields, old: Values, new: Values) -> tuple[Change, ...]:
    """The changes from `old` to `new`, where absence means the default, and in `new` no opinion where computed."""
    found = compare(_filled(fields, old, {}), _filled(fields, new, old), properties(fields))
    return tuple(Change(change.path, _kind(change, old, new), change.replace) for change in found)


def reconciled(fields: Fields, old: Values, live: Values) -> dict[str, Any]:
    """The inputs that describe `live`, written as `old` writes them where they mean the same.

    A property that `old` does not have is left out while it has its default, or is for AWS to choose.
    """
    result: dict[str, Any] = {}
    for name, rule in fields.items():
        before, now = old.get(name), live.get(name)
        if rule.settings:
            now = before
        elif now is None:
            continue
        elif before is None:
            if rule.computed or _means_default(rule, now):
                continue
            now = _bare(rule, now)
        else:
            now = _reconciled(rule, before, now)
        if now is not None:
            result[name] = now
    return result


def _reconciled(rule: Field, before: Any, now: Any) -> Any:
    alone = {"it": Field(**{**rule.__dict__, "default": None, "computed": False})}
    if not changes(alone, {"it": now}, {"it": before}):
        return before
    if not rule.fields:
        return now
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        return reconciled(rule.fields, before, now)
    if isinstance(before, list | tuple) and isinstance(now, list | tuple):
        spare = list(before)
        result: list[Any] = []
        for item in now:
            twin = next((other for other in spare if not changes(rule.fields, item, other)), None)
            if twin is None and len(before) == len(now) and not rule.unordered:
                twin_input = before[len(result)]
                result.append(reconciled(rule.fields, twin_input, item))
                continue
            if twin is not None:
                spare.remove(twin)
            result.append(twin if twin is not None else _bare_mapping(rule.fields, item))
        return result
    return now


def _bare(rule: Field, value: Any) -> Any:
    if rule.fields and isinstance(value, list | tuple):
        return [_bare_mapping(rule.fields, item) for item in value]
    if rule.fields and isinstance(value, Mapping):
        return _bare_mapping(rule.fields, value)
    return value


def _bare_mapping(fields: Fields, values: Values) -> dict[str, Any]:
    return reconciled(fields, {}, values)


def _means_default(rule: Field, value: Any) -> bool:
    if rule.default is None:
        return value in ({}, [], "")
    alone = {"it": Field(**{**rule.__dict__, "default": None, "computed": False})}
    return not changes(alone, {"it": value}, {"it": rule.default})


def _filled(fields: Fields, values: Values, other: Values) -> dict[str, Any]:
    """`values` with defaults, and with what is for AWS to choose taken from `other`."""
    result = dict(values)
    for name, rule in fields.items():
        value = result.get(name)
        if value is None:
            if rule.default is not None:
                result[name] = rule.default
            elif rule.computed and other.get(name) is not None:
                result[name] = other[name]
        elif rule.fields and not rule.pairs:
            result[name] = _filled_value(rule, value, other.get(name))
    # An empty collection and none at all are the same to AWS.
    return {name: value for name, value in result.items() if value is UNKNOWN or value not in ([], {})}


def _filled_value(rule: Field, value: Any, other: Any) -> Any:
    if isinstance(value, Mapping):
        return _filled(rule.fields, value, other if isinstance(other, Mapping) else {})
    if isinstance(value, list | tuple):
        others = other if isinstance(other, list | tuple) else []
        return [
            _filled_value(rule, item, others[index] if index < len(others) else None)
            for index, item in enumerate(value)
        ]
    return value


def _kind(change: Change, old: Values, new: Values) -> Kind:
    """The kind as the program reads it: a default that was filled in is not written anywhere."""
    before, after = _exists(old, change.path), _exists(new, change.path)
    if before and not after:
        return Kind.DELETE
    if after and not before:
        return Kind.ADD
    return change.kind


def _exists(values: Any, path: Path) -> bool:
    for step in path:
        if isinstance(values, list | tuple):
            if not isinstance(step, int) or step >= len(values):
                return False
        elif not isinstance(values, Mapping) or step not in values:
            return False
        values = values[step]
    return values is not None


__all__ = [
    "Field",
    "Fields",
    "Values",
    "changes",
    "contains_unknown",
    "from_api",
    "missing",
    "properties",
    "reconciled",
    "to_api",
    "unmapped",
]
