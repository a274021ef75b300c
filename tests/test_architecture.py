"""The rules of the house: who may import whom, and where the heavy or dangerous libraries may be."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice.paths import ROOT

OURS = ("sluice", "infra", "workloads", "pipelines", "endpoints", "policies", "emulator")
MAY_IMPORT = {
    "sluice": set(),
    "infra": {"sluice", "policies"},
    "workloads": {"sluice"},
    "pipelines": {"sluice", "workloads", "policies"},
    "endpoints": {"sluice", "workloads", "policies"},
    "policies": {"sluice"},
    "emulator": {"sluice"},
}
ONLY_IN = {
    "moto": ("emulator/",),
    "sagemaker": ("pipelines/build/",),
    "pandas": (),
    "sklearn": (),
}
"""Libraries with the only folders that may import them."""

NOT_IN_IMAGES = {"pulumi", "pulumi_aws", "typer", "rich", "moto", "sagemaker", "pandas", "sklearn"}
IMAGE_FOLDERS = ("endpoints/serving/", "pipelines/steps/")


def sources() -> list[Path]:
    tracked = subprocess.run(
        ["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / line for line in tracked.stdout.splitlines() if (ROOT / line).exists()]


def imported(path: Path) -> Iterator[tuple[str, int]]:
    """The top-level packages that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module, node.lineno


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("folder", OURS)
def test_imports_run_one_way(folder: str) -> None:
    wrong = [
        f"{relative(path)}:{line} imports {module}"
        for path in sources()
        if relative(path).startswith(f"{folder}/")
        for module, line in imported(path)
        if (top := module.split(".")[0]) in OURS and top != folder and top not in MAY_IMPORT[folder]
    ]
    assert not wrong


def test_of_the_policies_only_the_statements_are_shared() -> None:
    wrong = [
        f"{relative(path)}:{line} imports {module}"
        for path in sources()
        if relative(path).split("/")[0] in {"infra", "pipelines", "endpoints"}
        for module, line in imported(path)
        if module.split(".")[0] == "policies" and not module.startswith("policies.iam")
    ]
    assert not wrong


@pytest.mark.parametrize("library", sorted(ONLY_IN))
def test_a_heavy_library_stays_where_it_belongs(library: str) -> None:
    wrong = [
        f"{relative(path)}:{line}"
        for path in sources()
        if not relative(path).startswith((*ONLY_IN[library], "tests/"))
        for module, line in imported(path)
        if module.split(".")[0] == library
    ]
    assert not wrong


def test_code_of_images_imports_nothing_that_images_do_not_hold() -> None:
    wrong = [
        f"{relative(path)}:{line} imports {module}"
        for path in sources()
        if relative(path).startswith(IMAGE_FOLDERS)
        for module, line in imported(path)
        if module.split(".")[0] in NOT_IN_IMAGES
    ]
    assert not wrong


def test_no_lock_and_no_text_names_a_registry_or_a_path_of_a_machine() -> None:
    hosts = "|".join(
        rf"{a}\.{b}"
        for a, b in (
            ("pypi", "org"),
            ("pythonhosted", "org"),
            ("proxy.golang", "org"),
            ("registry.npmjs", "org"),
        )
    )
    found = subprocess.run(
        ["git", "grep", "-nIE", hosts, "--", "."], cwd=ROOT, capture_output=True, text=True
    )
    assert found.stdout == ""


def test_statements_are_built_in_one_place() -> None:
    """Whoever writes `"Effect"` by hand passes by the builder; trust and endpoint policies are the named exceptions."""
    allowed = {"policies/iam/statements.py", "infra/components/network.py", "infra/components/boundary.py"}
    wrong = {
        relative(path)
        for path in sources()
        if relative(path).split("/")[0] in {"infra", "pipelines", "endpoints", "policies", "sluice"}
        and '"Effect":' in path.read_text(encoding="utf-8")
    }
    assert wrong <= allowed
