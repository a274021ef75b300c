"""The language host that serves a CLI which was built here."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import language_pb2, language_pb2_grpc

from sluice.paths import ROOT

FILE = ROOT / "tools" / "language_host" / "language_host.py"


@pytest.fixture(scope="module")
def module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("language_host", FILE)
    assert spec is not None and spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def request(**more: object) -> language_pb2.RunRequest:
    info = language_pb2.ProgramInfo(root_directory="/r", program_directory="/r/infra", entry_point=".")
    return language_pb2.RunRequest(
        project="p", stack="s", pwd="/r/infra", monitor_address="m:1", parallel=8, info=info, **more
    )


def test_program_is_run_with_what_the_engine_says(module: ModuleType) -> None:
    arguments = module.program_arguments(request(dryRun=True, organization="o"), "e:2", "python")
    assert arguments[0] == "python"
    assert arguments[-1] == "/r/infra"
    pairs = dict(zip(arguments[3:-1:2], arguments[4:-1:2], strict=True))
    assert pairs == {
        "--monitor": "m:1",
        "--engine": "e:2",
        "--project": "p",
        "--root_directory": "/r",
        "--stack": "s",
        "--pwd": "/r/infra",
        "--dry_run": "true",
        "--parallel": "8",
        "--organization": "o",
    }


def test_an_entry_point_is_below_the_programs_folder(module: ModuleType) -> None:
    asked = request()
    asked.info.entry_point = "main.py"
    assert module.program_arguments(asked, "e:2")[-1] == "/r/infra/main.py"


def test_configuration_goes_in_by_the_environment(module: ModuleType) -> None:
    asked = request(config={"p:a": "1"}, configSecretKeys=["p:b"])
    values = module.program_environment(asked, {"HOME": "/h"})
    assert json.loads(values["PULUMI_CONFIG"]) == {"p:a": "1"}
    assert json.loads(values["PULUMI_CONFIG_SECRET_KEYS"]) == ["p:b"]
    assert values["HOME"] == "/h"


def test_policy_pack_is_run_with_the_engines_address(module: ModuleType) -> None:
    info = language_pb2.ProgramInfo(program_directory="/pack")
    asked = language_pb2.RunPluginRequest(kind="analyzer", args=["e:2"], info=info)
    assert module.plugin_arguments(asked, "python") == ["python", "-u", "-m", "pulumi.policy", "e:2", "/pack"]
    with pytest.raises(ValueError, match="address"):
        module.plugin_arguments(language_pb2.RunPluginRequest(kind="analyzer", info=info))


def test_resource_plugins_of_installed_packages_are_required(module: ModuleType, tmp_path: Path) -> None:
    for name, content in {
        "pulumi_aws": {"resource": True, "name": "aws", "version": "7.51.1"},
        "pulumi_policy": {"resource": False, "name": "policy"},
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "pulumi-plugin.json").write_text(json.dumps(content))
    found = module.required_packages([str(tmp_path)])
    assert [(package.name, package.kind, package.version) for package in found] == [
        ("aws", "resource", "7.51.1")
    ]


@pytest.fixture
def host(tmp_path: Path):
    """A running host, its `exec` script replaced by one that does what the program says."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "language_host.py").write_bytes(FILE.read_bytes())
    (folder / "pulumi-language-python-exec").write_text("import runpy, sys; runpy.run_path(sys.argv[-1])")
    process = subprocess.Popen(
        [sys.executable, "-u", str(folder / "language_host.py"), "127.0.0.1:1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    port = int(process.stdout.readline())
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield process, language_pb2_grpc.LanguageRuntimeStub(channel)
    process.kill()
    process.communicate()


def run(stub, folder: Path, code: str) -> language_pb2.RunResponse:
    (folder / "program.py").write_text(code)
    info = language_pb2.ProgramInfo(program_directory=str(folder), entry_point="program.py")
    return stub.Run(language_pb2.RunRequest(pwd=str(folder), info=info))


def test_exit_codes_of_a_program(host, tmp_path: Path) -> None:
    _, stub = host
    good = run(stub, tmp_path, "pass")
    assert (good.error, good.bail) == ("", False)
    shown = run(stub, tmp_path, "raise SystemExit(32)")
    assert (shown.error, shown.bail) == ("", True)
    failed = run(stub, tmp_path, "raise SystemExit(3)")
    assert failed.error == "the program exited with code 3"
    killed = run(stub, tmp_path, "import os; os.kill(os.getpid(), 9)")
    assert "SIGKILL" in killed.error


def test_a_plugins_output_and_exit_code_are_streamed(host, tmp_path: Path) -> None:
    _, stub = host
    (tmp_path / "__main__.py").write_text(
        "import os, sys; print(os.environ['A'], sys.argv[1]); print('oops', file=sys.stderr); sys.exit(4)"
    )
    info = language_pb2.ProgramInfo(program_directory=str(tmp_path))
    asked = language_pb2.RunPluginRequest(
        kind="resource", args=["x"], env=["A=b=c"], info=info, pwd=str(tmp_path)
    )
    answers = list(stub.RunPlugin(asked))
    assert (
        b"".join(answer.stdout for answer in answers if answer.WhichOneof("output") == "stdout") == b"b=c x\n"
    )
    assert b"oops" in b"".join(answer.stderr for answer in answers if answer.WhichOneof("output") == "stderr")
    assert answers[-1].exitcode == 4


def test_small_questions(host) -> None:
    _, stub = host
    stub.Handshake(language_pb2.LanguageHandshakeRequest(engine_address="127.0.0.1:2"))
    assert stub.GetPluginInfo(empty_pb2.Empty()).version
    assert stub.About(language_pb2.AboutRequest()).executable == sys.executable
    names = {
        package.name
        for package in stub.GetRequiredPackages(language_pb2.GetRequiredPackagesRequest()).packages
    }
    assert "aws" in names
    dependencies = stub.GetProgramDependencies(language_pb2.GetProgramDependenciesRequest()).dependencies
    assert "pulumi" in {dependency.name for dependency in dependencies}
    assert list(stub.InstallDependencies(language_pb2.InstallDependenciesRequest())) == []


def test_the_engines_sigint_ends_it_without_a_word(host) -> None:
    process, _ = host
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=180)
    assert process.returncode == 0
    assert said == ""


def test_it_does_not_outlive_the_engine(tmp_path: Path) -> None:
    """SIGKILL gives the engine no chance to stop its host."""
    code = (
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-u', {str(FILE)!r}, '127.0.0.1:1'], stdout=subprocess.PIPE)\n"
        "child.stdout.readline()\nprint(child.pid, flush=True)\ntime.sleep(60)"
    )
    engine = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert engine.stdout is not None
    pid = int(engine.stdout.readline())
    engine.kill()
    engine.wait()
    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        if Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
            return
        signal.sigtimedwait([], 0.05)
    os.kill(pid, signal.SIGKILL)
    pytest.fail("the host lived on without its engine")
