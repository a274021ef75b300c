from pathlib import Path

import pytest

from sluice.config import Frozen, load_yaml, parse
from sluice.errors import SluiceError


class Fleet(Frozen):
    instances: int
    kind: str


def test_every_problem_is_in_one_error() -> None:
    with pytest.raises(SluiceError) as caught:
        parse(Fleet, {"instances": "many", "colour": "red"}, "fleet.yaml")
    text = str(caught.value)
    assert text.startswith("fleet.yaml is not valid:")
    assert "instances" in text and "kind" in text and "colour" in text


def test_what_is_read_is_not_changed() -> None:
    fleet = parse(Fleet, {"instances": 2, "kind": "m5"}, "here")
    with pytest.raises(ValueError, match="frozen"):
        fleet.instances = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "says"), [("instances: [", "is no YAML"), ("- 1", "mapping"), ("instances: 2", "kind")]
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "fleet.yaml"
    file.write_text(text)
    with pytest.raises(SluiceError, match=says):
        load_yaml(Fleet, file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SluiceError, match="does not exist"):
        load_yaml(Fleet, tmp_path / "none.yaml")
