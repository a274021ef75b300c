"""What all types share: checks, names, tags, diff, and reading back what was made."""

# ruff: noqa: ARG002 - every type has the same five calls; few need all that they are given.

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emulator.provider import fields as mapping
from emulator.provider.fields import Field, Values
from emulator.provider.tagging import Tagging
from sluice import aws
from sluice.provider import (
    UNKNOWN,
    Change,
    Checked,
    Context,
    Created,
    Diff,
    Failure,
    Kind,
    PartialFailure,
    Property,
    Read,
    Resource,
    ResourceReference,
    contains_unknown,
    faults,
    path_text,
)

ACCOUNT = "123456789012"


@dataclass(frozen=True)
class Autoname:
    """Which property gets an automatic name, and what AWS allows for it."""

    property: str = "name"
    max_length: int = 64
    lower: bool = False
    prefix: str = ""
    unless: str = ""
    """A property (a name's prefix) that stands in for the name."""


class AwsResource(Resource):
    """One AWS type: declare `fields`, and write the five calls.

    `made` are outputs that are no inputs; they are unknown until the resource is there.
    """

    fields: Mapping[str, Field] = {}
    made: frozenset[str] = frozenset()
    autoname: Autoname | None = None
    tagging: Tagging | None = None

    def __init__(self) -> None:
        declared = dict(self.fields)
        if self.tagging is not None:
            declared["tags"] = Field()
        self.declared: Mapping[str, Field] = declared

    @abstractmethod
    def make(self, inputs: Values, tags: Mapping[str, str]) -> str:
        """Create it, in one call; the id."""

    def finish(self, id: str, inputs: Values, tags: Mapping[str, str]) -> None:
        """The calls that creation needs beside the first. If one fails, the resource is in the state
        already."""

    @abstractmethod
    def look(self, id: str, state: Values) -> dict[str, Any] | None:
        """The properties in the world, `tagsAll` among them where it has tags; None if it is gone."""

    def change(self, id: str, state: Values, old: Values, new: Values, changed: frozenset[str]) -> None:
        """Apply the changed properties, other than tags."""
        raise AssertionError(f"{self.token} has no property that updates, yet {sorted(changed)} did")

    @abstractmethod
    def remove(self, id: str, state: Values) -> None:
        """Delete it; one that is gone is no error."""

    # The kit's side.

    def check(self, context: Context, old_inputs: Values, inputs: Values) -> Checked:
        values = {name: _plain(value) for name, value in inputs.items() if value is not None}
        values.pop("__defaults", None)
        failures = [
            Failure(
                path_text(path),
                f"the emulator's provider does not map the property {path_text(path)!r} of {self.token}; "
                "map it in emulator/provider, or leave it out",
            )
            for path in mapping.unmapped(self.declared, values)
        ]
        name = self.autoname
        if name is not None and values.get(name.property) is None and values.get(name.unless) is None:
            defaulted = name.property in (old_inputs.get("__defaults") or [])
            kept = old_inputs.get(name.property) if defaulted else None
            values[name.property] = kept or name.prefix + context.autoname(
                max_length=name.max_length - len(name.prefix), lower=name.lower
            )
            values["__defaults"] = [name.property]
        failures += [
            Failure(missing, f"{self.token} needs the property {missing!r}")
            for missing in mapping.missing(self.declared, values)
        ]
        failures += [Failure(place, reason) for place, reason in self.problems(values)]
        return Checked(values, failures)

    def problems(self, inputs: Values) -> list[tuple[str, str]]:
        """What else is wrong with the inputs: (property, reason)."""
        return []

    def diff(self, context: Context, id: str, state: Values, old_inputs: Values, inputs: Values) -> Diff:
        # What AWS chose stands in the state alone; a program that now chooses differs from that.
        found = list(mapping.changes(self.declared, {**self._chosen(state), **old_inputs}, inputs))
        if self.tagging is not None and not any(change.path[0] == "tags" for change in found):
            wanted = _all_tags(context, inputs)
            if contains_unknown(wanted) or wanted != (state.get("tagsAll") or {}):
                found.append(Change(("tagsAll",), Kind.UPDATE, False))
        return Diff(tuple(found), self.delete_before_replace)

    def preview_create(self, context: Context, inputs: Values) -> Values:
        open_fields = [name for name, rule in self.declared.items() if rule.computed]
        unknown = dict.fromkeys([*self.made, *open_fields, "region"], UNKNOWN)
        return {**unknown, **self._defaults(), **inputs, **self._tags_output(context, inputs)}

    def preview_update(
        self, context: Context, id: str, state: Values, old_inputs: Values, inputs: Values
    ) -> Values:
        kept = {name: value for name, value in state.items() if name not in self.declared}
        chosen = {name: state.get(name) for name, rule in self.declared.items() if rule.computed}
        unstable = dict.fromkeys(self.unstable, UNKNOWN)
        tags = self._tags_output(context, inputs)
        return {**kept, **chosen, **unstable, **self._defaults(), **inputs, **tags}

    def create(self, context: Context, inputs: Values) -> Created:
        tags = _all_tags(context, inputs) if self.tagging is not None else {}
        id = self.make(inputs, tags)
        try:
            self.finish(id, inputs, tags)
            return Created(id, self._outputs(id, {}, inputs))
        except PartialFailure:
            raise
        except Exception as error:
            # Whatever went wrong: it exists, so the state must know it.
            text = faults.status(error, "aws", context.name).details
            raise PartialFailure(id, {**inputs, **self._tags_output(context, inputs)}, [text]) from error

    def update(self, context: Context, id: str, state: Values, old_inputs: Values, inputs: Values) -> Values:
        # After a creation that failed half way nothing is certain, so everything is set again.
        live = self.look(id, state) or {}
        known = mapping.reconciled(self.declared, inputs, live)
        changed = {change.path[0] for change in mapping.changes(self.declared, old_inputs, inputs)}
        changed |= {
            change.path[0]
            for change in mapping.changes(self.declared, {**self._chosen(live), **known}, inputs)
        }
        changed = {
            name
            for name in changed
            if not (self.declared[str(name)].replace or self.declared[str(name)].settings)
        }
        if self.tagging is not None:
            name = id if self.tagging.by == "id" else str(live.get(self.tagging.by) or state[self.tagging.by])
            self.tagging.apply(name, live.get("tagsAll") or {}, _all_tags(context, inputs))
            changed.discard("tags")
        if changed:
            self.change(id, {**state, **live}, old_inputs, inputs, frozenset(str(name) for name in changed))
        return self._outputs(id, state, inputs)

    def read(self, context: Context, id: str, state: Values, inputs: Values) -> Read | None:
        live = self.look(id, state)
        if live is None:
            return None
        if self.tagging is not None:
            live["tags"] = self._own_tags(context, live.get("tagsAll") or {}, inputs)
        declared = mapping.reconciled(self.declared, inputs, live)
        settings = {name: state.get(name) for name, rule in self.declared.items() if rule.settings}
        outputs = _shown({**self._defaults(), **settings, "region": aws.region(), **live, **declared})
        if "__defaults" in inputs:
            declared["__defaults"] = inputs["__defaults"]
        return Read(id, outputs, declared)

    def delete(self, context: Context, id: str, state: Values, old_inputs: Values) -> None:
        self.remove(id, state)

    def _outputs(self, id: str, state: Values, inputs: Values) -> dict[str, Any]:
        live = self.look(id, {**state, **inputs})
        if live is None:
            raise PartialFailure(id, dict(inputs), [f"{self.token} {id} is gone right after it was written"])
        written = mapping.reconciled(self.declared, inputs, live)
        return _shown({**self._defaults(), "region": aws.region(), **live, **inputs, **written})

    def _chosen(self, state: Values) -> dict[str, Any]:
        return {name: state[name] for name, rule in self.declared.items() if rule.computed and name in state}

    def _defaults(self) -> dict[str, Any]:
        return {name: rule.default for name, rule in self.declared.items() if rule.default is not None}

    def _tags_output(self, context: Context, inputs: Values) -> dict[str, Any]:
        return {"tagsAll": _all_tags(context, inputs)} if self.tagging is not None else {}

    def _own_tags(self, context: Context, live: Values, inputs: Values) -> dict[str, Any]:
        """The tags of the resource itself: without those that it has from the provider."""
        common = _default_tags(context)
        own = inputs.get("tags") or {}
        return {key: text for key, text in live.items() if key in own or common.get(key) != text}


def _all_tags(context: Context, inputs: Values) -> Any:
    own = inputs.get("tags") or {} if inputs.get("tags") is not UNKNOWN else UNKNOWN
    return UNKNOWN if own is UNKNOWN else {**_default_tags(context), **own}


def _default_tags(context: Context) -> Mapping[str, str]:
    return (context.config.get("defaultTags") or {}).get("tags") or {}


def _shown(outputs: Values) -> dict[str, Any]:
    """The outputs without what is absent, and without our own bookkeeping."""
    return {name: value for name, value in outputs.items() if value is not None and not name.startswith("__")}


def _plain(value: Any) -> Any:
    """A resource given for a property stands for its id, as the engine has it for the real provider."""
    if isinstance(value, ResourceReference):
        return value.id
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


__all__ = ["ACCOUNT", "Autoname", "AwsResource", "Field", "Property"]
