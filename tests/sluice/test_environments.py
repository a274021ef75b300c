"""Python environments by lock file."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice import environments, paths
from sluice.errors import SluiceError

HASH = f"--hash=sha256:{'0' * 64}"
LOCK = f"six==1.17.0 \\\n    {HASH}\nFoo.Bar_baz[extra]==2.0 ; python_version > '3' \\\n    {HASH}\n    # via x\n"


@pytest.fixture(autouse=True)
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SLUICE_LOCAL", str(tmp_path / "local"))
    return tmp_path / "local"


def fake_uv(folder: Path, monkeypatch: pytest.MonkeyPatch, install: str = "exit 0") -> Path:
    """A uv that makes a folder for a venv and writes down what it was asked."""
    calls = folder / "calls"
    uv = folder / "uv"
    uv.write_text(
        f"""#!/bin/sh
echo "$@" >> {calls}
if [ "$1" = venv ]; then
  for last; do :; done
  mkdir -p "$last/bin" && touch "$last/bin/python"
else
  {install}
fi
"""
    )
    uv.chmod(0o755)
    monkeypatch.setattr(environments, "find_uv", lambda: uv)
    return calls


def test_packages_of_a_lock_are_read() -> None:
    assert environments.pins(LOCK) == {"six": "1.17.0", "foo-bar-baz": "2.0"}
    assert environments.unhashed(LOCK) == []


@given(
    st.lists(st.from_regex(r"[a-z][a-z0-9]{0,4}(-[a-z0-9]{1,4})?", fullmatch=True), unique=True, max_size=6),
    st.data(),
)
def test_every_package_without_a_hash_is_found(names: list[str], data: st.DataObject) -> None:
    hashed = {name: data.draw(st.booleans()) for name in names}
    text = "".join(
        f"{name}==1.0 \\\n    {HASH}\n" if good else f"{name}==1.0\n" for name, good in hashed.items()
    )
    assert environments.unhashed(text) == [name for name, good in hashed.items() if not good]
    assert set(environments.pins(text)) == set(names)


def test_the_projects_own_lock_is_served_by_this_python() -> None:
    assert environments.ensure(paths.ROOT / "requirements.lock") == Path(sys.executable)


def test_another_lock_gets_an_environment_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, local: Path
) -> None:
    calls = fake_uv(tmp_path, monkeypatch)
    lock = tmp_path / "some.lock"
    lock.write_text(LOCK)
    python = environments.ensure(lock)
    assert python == environments.folder(lock) / "bin" / "python"
    assert python.is_relative_to(local / "envs")
    made = calls.read_text()
    assert "--require-hashes" in made
    assert "--no-deps" in made
    assert environments.ensure(lock) == python
    assert calls.read_text() == made

    (tmp_path / "same.lock").write_text(LOCK)
    assert environments.ensure(tmp_path / "same.lock") == python  # the bytes count, not the name
    lock.write_text(LOCK.replace("1.17.0", "1.16.0"))
    assert environments.ensure(lock) != python


def test_a_failed_installation_is_told_and_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "some.lock"
    lock.write_text(LOCK)
    fake_uv(tmp_path, monkeypatch, "echo 'hash of six does not match' >&2; exit 1")
    with pytest.raises(SluiceError, match="hash of six does not match"):
        environments.ensure(lock)
    fake_uv(tmp_path, monkeypatch)
    assert environments.ensure(lock).exists()


def test_a_lock_without_hashes_is_refused(tmp_path: Path) -> None:
    lock = tmp_path / "loose.lock"
    lock.write_text("six==1.17.0\n")
    with pytest.raises(SluiceError, match="six without a hash"):
        environments.ensure(lock)
    with pytest.raises(SluiceError, match="does not exist"):
        environments.ensure(tmp_path / "none.lock")


def test_missing_uv_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environments, "find_uv", lambda: None)
    lock = tmp_path / "some.lock"
    lock.write_text(LOCK)
    with pytest.raises(SluiceError, match="uv is missing"):
        environments.ensure(lock)


def test_processes_that_ask_at_once_install_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = fake_uv(tmp_path, monkeypatch, "sleep 0.5")
    lock = tmp_path / "some.lock"
    lock.write_text(LOCK)
    code = (
        "import sys; from pathlib import Path; from sluice import environments;"
        f"environments.find_uv = lambda: Path({str(tmp_path / 'uv')!r});"
        "print(environments.ensure(Path(sys.argv[1])))"
    )
    asking = [
        subprocess.Popen([sys.executable, "-c", code, str(lock)], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    answers = {process.communicate(timeout=60)[0].strip() for process in asking}
    assert answers == {str(environments.folder(lock) / "bin" / "python")}
    assert calls.read_text().count("venv --quiet") == 1
