"""Both sides of the contract between programs: what one exports is what the other reads."""

import pulumi
import pytest

from sluice.outputs import PipelineOutputs, StackOutputs


class Two(StackOutputs):
    first: str
    second: tuple[str, ...]


def test_an_export_must_have_exactly_the_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    exported: dict[str, object] = {}
    monkeypatch.setattr(pulumi, "export", exported.__setitem__)
    Two.export(first="a", second=["b"])
    assert exported == {"first": "a", "second": ["b"]}
    with pytest.raises(TypeError, match=r"missing \['second'\]"):
        Two.export(first="a")
    with pytest.raises(TypeError, match=r"unknown \['third'\]"):
        Two.export(first="a", second=["b"], third="c")


def read(outputs: dict[str, object], model: type[StackOutputs]) -> object:
    class World(pulumi.runtime.Mocks):
        def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, object]]:
            return "id", {"name": args.name, "outputs": outputs, "secretOutputNames": []}

        def call(self, args: pulumi.runtime.MockCallArgs) -> dict[str, object]:
            return {}

    pulumi.runtime.set_mocks(World())
    found: list[object] = []

    @pulumi.runtime.test
    def run() -> pulumi.Output[None]:
        return model.from_stack("organization/sluice-pipelines/local-flights").apply(found.append)

    run()
    return found[0]


def test_what_is_exported_is_read_back_typed() -> None:
    assert read({"first": "a", "second": ["b", "c"], "more": 1}, Two) == Two(first="a", second=("b", "c"))


def test_a_stack_that_is_not_up_is_named() -> None:
    with pytest.raises(pulumi.RunError, match="sluice-pipelines/local-flights is not up"):
        read({}, PipelineOutputs)
