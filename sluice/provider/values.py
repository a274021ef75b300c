"""Property values between Pulumi's wire form and plain Python. Pure.

On the wire a secret, an unknown, an asset or a reference is a string or a struct with a magic signature.
Resource code sees plain values and `UNKNOWN`; which of them were secret is kept beside them, by path.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from google.protobuf import struct_pb2

Path: TypeAlias = tuple[str | int, ...]
"""Where a value stands: property names and list indexes from the outside in."""

_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"
_OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
_ASSET = "c44067f5952c0a294b673a41bacd8c17"
_ARCHIVE = "0def7320c3a5731c473e5ecbe6d01bc7"
_REFERENCE = "5cf8f73096256a8f31e491e813e4eb8e"

# sdk/go/common/resource/plugin/rpc.go: an unknown keeps the kind of value it stands for; all mean "unknown".
_UNKNOWN_STRING = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_UNKNOWNS = frozenset(
    {
        _UNKNOWN_STRING,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)


class Unknown:
    """A value that is known only after something else was created. The one instance is `UNKNOWN`."""

    _instance: "Unknown | None" = None

    def __new__(cls) -> "Unknown":
        if cls._instance is None:
            cls._instance = super().__new__(cls)
        return cls._instance

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __bool__(self) -> bool:
        raise TypeError("an unknown value is neither true nor false; test `is UNKNOWN` first")


UNKNOWN: Final = Unknown()


@dataclass(frozen=True)
class Secret:
    """Resource code returns an output in this to make it secret; it never receives one."""

    value: Any

    def __repr__(self) -> str:
        return "Secret(…)"


@dataclass(frozen=True)
class Asset:
    """A file as a property: one of `text`, `path` and `uri`."""

    hash: str = ""
    text: str | None = None
    path: str | None = None
    uri: str | None = None


@dataclass(frozen=True)
class Archive:
    """A bundle of files as a property: one of `assets`, `path` and `uri`."""

    hash: str = ""
    assets: Mapping[str, Any] | None = None
    path: str | None = None
    uri: str | None = None


@dataclass(frozen=True)
class ResourceReference:
    """Another resource as a property. `id` is None for a component, `UNKNOWN` before it is created."""

    urn: str
    id: Any = None
    package_version: str = ""


def decode(properties: struct_pb2.Struct) -> tuple[dict[str, Any], frozenset[Path]]:
    """The properties as plain values, and the paths of those that were secret."""
    secrets: set[Path] = set()
    values = {key: _decode(value, (key,), secrets) for key, value in properties.fields.items()}
    return values, frozenset(secrets)


def encode(values: Mapping[str, Any], secrets: Iterable[Path] = ()) -> struct_pb2.Struct:
    """The wire form of `values`; what stands at a path of `secrets` is wrapped as a secret.

    Raises:
        TypeError: for a value that Pulumi has no form for.
    """
    struct = struct_pb2.Struct()
    paths = frozenset(secrets)
    for key, value in values.items():
        struct.fields[key].CopyFrom(_encode(value, (key,), paths))
    return struct


def contains_unknown(value: Any) -> bool:
    """Whether `value` is, or holds at any depth, `UNKNOWN`."""
    return any(leaf is UNKNOWN for _, leaf in leaves(value))


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value inside `value` that is no list and no mapping, with its path."""
    if isinstance(value, Secret):
        yield from leaves(value.value, path)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from leaves(item, (*path, index))
    else:
        yield path, value


def echoes(outputs: Mapping[str, Any], inputs: Mapping[str, Any], secrets: Iterable[Path]) -> frozenset[Path]:
    """Where in `outputs` a secret of `inputs` shows: at its own path, and wherever its text is repeated.

    A secret number or flag is followed by its path alone: the same number elsewhere says nothing.
    """
    paths = set(secrets)
    texts = {
        leaf
        for path, leaf in leaves(inputs)
        if isinstance(leaf, str) and leaf and any(path[: len(secret)] == secret for secret in paths)
    }
    paths.update(
        path
        for path, leaf in leaves(outputs)
        if isinstance(leaf, str) and any((len(text) >= 4 and text in leaf) or text == leaf for text in texts)
    )
    return frozenset(paths)


def _decode(value: struct_pb2.Value, path: Path, secrets: set[Path]) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return _decode_struct(value.struct_value, path, secrets)
    if kind == "list_value":
        return [_decode(item, (*path, index), secrets) for index, item in enumerate(value.list_value.values)]
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    if kind == "string_value":
        return UNKNOWN if value.string_value in _UNKNOWNS else value.string_value
    if kind == "bool_value":
        return value.bool_value
    return None


def _decode_struct(struct: struct_pb2.Struct, path: Path, secrets: set[Path]) -> Any:
    fields = struct.fields
    signature = fields[_SIGNATURE].string_value if _SIGNATURE in fields else None
    if signature is None:
        return {key: _decode(value, (*path, key), secrets) for key, value in fields.items()}
    if signature == _SECRET:
        secrets.add(path)
        return _decode(fields["value"], path, secrets)
    if signature == _OUTPUT:
        if "secret" in fields and fields["secret"].bool_value:
            secrets.add(path)
        return _decode(fields["value"], path, secrets) if "value" in fields else UNKNOWN
    text = {
        key: value.string_value for key, value in fields.items() if value.WhichOneof("kind") == "string_value"
    }
    if signature == _ASSET:
        return Asset(text.get("hash", ""), text.get("text"), text.get("path"), text.get("uri"))
    if signature == _ARCHIVE:
        assets = None
        if "assets" in fields:
            assets = _decode(fields["assets"], path, secrets)
        return Archive(text.get("hash", ""), assets, text.get("path"), text.get("uri"))
    if signature == _REFERENCE:
        identity = _decode(fields["id"], path, secrets) if "id" in fields else None
        return ResourceReference(text.get("urn", ""), identity, text.get("packageVersion", ""))
    raise TypeError(f"property {'.'.join(map(str, path))}: no such kind of value is known: {signature}")


def _encode(value: Any, path: Path, secrets: frozenset[Path]) -> struct_pb2.Value:
    if isinstance(value, Secret):
        return _wrap(_SECRET, {"value": _encode(value.value, path, secrets - {path})})
    if path in secrets:
        return _wrap(_SECRET, {"value": _encode(value, path, secrets - {path})})
    if value is UNKNOWN:
        return struct_pb2.Value(string_value=_UNKNOWN_STRING)
    if value is None:
        return struct_pb2.Value(null_value=struct_pb2.NULL_VALUE)
    if isinstance(value, bool):
        return struct_pb2.Value(bool_value=value)
    if isinstance(value, int | float):
        return struct_pb2.Value(number_value=float(value))
    if isinstance(value, str):
        return struct_pb2.Value(string_value=value)
    if isinstance(value, Mapping):
        return _struct({key: _encode(item, (*path, key), secrets) for key, item in value.items()})
    if isinstance(value, list | tuple):
        items = [_encode(item, (*path, index), secrets) for index, item in enumerate(value)]
        return struct_pb2.Value(list_value=struct_pb2.ListValue(values=items))
    if isinstance(value, Asset | Archive | ResourceReference):
        return _encode_object(value, path, secrets)
    raise TypeError(f"property {'.'.join(map(str, path))}: Pulumi has no form for a {type(value).__name__}")


def _encode_object(
    value: Asset | Archive | ResourceReference, path: Path, secrets: frozenset[Path]
) -> struct_pb2.Value:
    if isinstance(value, ResourceReference):
        fields: dict[str, Any] = {
            "urn": value.urn,
            "id": value.id,
            "packageVersion": value.package_version or None,
        }
        signature = _REFERENCE
    elif isinstance(value, Asset):
        fields = {"hash": value.hash, "text": value.text, "path": value.path, "uri": value.uri}
        signature = _ASSET
    else:
        fields = {"hash": value.hash, "assets": value.assets, "path": value.path, "uri": value.uri}
        signature = _ARCHIVE
    present = {key: item for key, item in fields.items() if item is not None}
    return _wrap(signature, {key: _encode(item, (*path, key), secrets) for key, item in present.items()})


def _wrap(signature: str, fields: Mapping[str, struct_pb2.Value]) -> struct_pb2.Value:
    return _struct({_SIGNATURE: struct_pb2.Value(string_value=signature), **fields})


def _struct(fields: Mapping[str, struct_pb2.Value]) -> struct_pb2.Value:
    return struct_pb2.Value(struct_value=struct_pb2.Struct(fields=fields))
