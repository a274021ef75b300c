"""Pulumi's language host for Python, for a CLI that was built from its Go module.

A released CLI brings its own host, as a Go program whose module the public Go proxy does not serve in every release.
This one implements what running programs and policy packs needs of `pulumirpc.LanguageRuntime`. It uses the
interpreter it runs in; virtualenv and toolchain options of a Pulumi.yaml are for the released host.
"""

import json
import os
import platform
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent import futures
from importlib import metadata, util
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import grpc
from google.protobuf import empty_pb2

if __name__ == "__main__" and (sdk := util.find_spec("pulumi")) and sdk.submodule_search_locations:
    # The messages without the SDK, whose import is more than half of the work here. It is what sluice/protocol.py does,
    # which this file cannot import: one installed host serves checkouts of any age.
    for name in ("pulumi", "pulumi.runtime"):
        module = sys.modules[name] = ModuleType(name)
        module.__path__ = [str(Path(sdk.submodule_search_locations[0], *name.split(".")[1:]))]

from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

EXEC = Path(__file__).resolve().parent / "pulumi-language-python-exec"
SHOWN_TO_USER = 32
"""The exit code by which pulumi-language-python-exec says that its error was shown (same file, constant)."""
MAX_MESSAGE = 400 * 1024 * 1024
"""What the engine itself allows: sdk/v3/go/common/util/rpcutil."""
PARENT_CHECK_SECONDS = 1.0


def program_arguments(request: Any, engine: str, python: str = sys.executable) -> list[str]:
    """The command line that runs the program of a `RunRequest`."""
    info = request.info
    entry = info.entry_point or "."
    program = info.program_directory if entry == "." else str(Path(info.program_directory) / entry)
    options = {
        "--monitor": request.monitor_address,
        "--engine": engine,
        "--project": request.project,
        "--root_directory": info.root_directory,
        "--stack": request.stack,
        "--pwd": request.pwd,
        "--dry_run": "true" if request.dryRun else "false",
        "--parallel": str(request.parallel),
        "--organization": request.organization,
    }
    pairs = [text for option, value in options.items() if value for text in (option, value)]
    return [python, "-u", str(EXEC), *pairs, program, *request.args]


def program_environment(request: Any, base: Mapping[str, str]) -> dict[str, str]:
    """The environment of the program of a `RunRequest`: the stack's configuration goes in by two variables."""
    return {
        **base,
        "PULUMI_CONFIG": json.dumps(dict(request.config)),
        "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(request.configSecretKeys)),
    }


def plugin_arguments(request: Any, python: str = sys.executable) -> list[str]:
    """The command line of a `RunPluginRequest`: a policy pack, or any other plugin written in Python.

    Raises:
        ValueError: for a policy pack without the engine's address.
    """
    folder = request.info.program_directory or request.program
    if request.kind == "analyzer":
        if not request.args:
            raise ValueError("a policy pack is started with the engine's address as its first argument")
        return [python, "-u", "-m", "pulumi.policy", request.args[0], folder]
    return [python, "-u", folder, *request.args]


def required_packages(folders: Sequence[str]) -> list[Any]:
    """The resource plugins that installed packages ask for by a `pulumi-plugin.json`."""
    found: dict[str, Any] = {}
    for folder in folders:
        for file in sorted(Path(folder or ".").glob("*/pulumi-plugin.json")):
            plugin = json.loads(file.read_text(encoding="utf-8"))
            if not plugin.get("resource") or not plugin.get("name"):
                continue
            found[plugin["name"]] = plugin_pb2.PackageDependency(
                name=plugin["name"],
                kind="resource",
                version=plugin.get("version", ""),
                server=plugin.get("server", ""),
            )
    return [found[name] for name in sorted(found)]


class Children:
    """The processes this host started, so that none outlives it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()

    def start(self, arguments: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, **options)
        with self._lock:
            self._running.add(process)
        return process

    def ended(self, process: subprocess.Popen[bytes]) -> None:
        with self._lock:
            self._running.discard(process)

    def end(self) -> None:
        with self._lock:
            running = list(self._running)
        for process in running:
            process.terminate()
        for process in running:
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()


class Host(language_pb2_grpc.LanguageRuntimeServicer):  # type: ignore[misc]  # no types in the generated code
    """`pulumirpc.LanguageRuntime` over the interpreter that runs it."""

    def __init__(self, engine: str, children: Children) -> None:
        self._engine = engine
        self._children = children

    def Handshake(self, request: Any, _context: Any) -> Any:  # noqa: N802  (names of the protocol)
        self._engine = request.engine_address or self._engine
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        return plugin_pb2.PluginInfo(version=metadata.version("pulumi"))

    def GetRequiredPackages(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        return language_pb2.GetRequiredPackagesResponse(packages=required_packages(sys.path))

    def GetRequiredPlugins(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        plugins = [
            plugin_pb2.PluginDependency(name=package.name, kind=package.kind, version=package.version)
            for package in required_packages(sys.path)
        ]
        return language_pb2.GetRequiredPluginsResponse(plugins=plugins)

    def Run(self, request: Any, context: Any) -> Any:  # noqa: N802
        process = self._children.start(
            program_arguments(request, self._engine),
            cwd=request.pwd or None,
            env=program_environment(request, os.environ),
        )
        context.add_callback(lambda: process.poll() is None and process.terminate())
        code = process.wait()
        self._children.ended(process)
        if code == SHOWN_TO_USER:
            return language_pb2.RunResponse(bail=True)
        if code < 0:
            return language_pb2.RunResponse(error=f"the program was ended by {signal.Signals(-code).name}")
        return language_pb2.RunResponse(error=f"the program exited with code {code}" if code else "")

    def RunPlugin(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        environment = {**os.environ, **dict(pair.split("=", 1) for pair in request.env)}
        process = self._children.start(
            plugin_arguments(request),
            cwd=request.pwd or None,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        context.add_callback(lambda: process.poll() is None and process.terminate())
        lines: queue.Queue[Any] = queue.Queue()

        def read(stream: Any, field: str) -> None:
            for line in stream:
                lines.put(language_pb2.RunPluginResponse(**{field: line}))
            lines.put(None)

        for stream, field in ((process.stdout, "stdout"), (process.stderr, "stderr")):
            threading.Thread(target=read, args=(stream, field), daemon=True).start()
        open_streams = 2
        while open_streams:
            line = lines.get()
            if line is None:
                open_streams -= 1
            else:
                yield line
        code = process.wait()
        self._children.ended(process)
        yield language_pb2.RunPluginResponse(exitcode=code)

    def InstallDependencies(self, _request: Any, _context: Any) -> Iterator[Any]:  # noqa: N802
        # `make` has installed the lock; a program's packages are never installed behind it.
        return iter(())

    def GetProgramDependencies(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        installed = {package.name: package.version for package in metadata.distributions()}
        return language_pb2.GetProgramDependenciesResponse(
            dependencies=[
                language_pb2.DependencyInfo(name=name, version=version)
                for name, version in sorted(installed.items())
            ]
        )

    def RuntimeOptionsPrompts(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        return language_pb2.RuntimeOptionsResponse()

    def About(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        return language_pb2.AboutResponse(executable=sys.executable, version=platform.python_version())

    def Cancel(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        self._children.end()
        return empty_pb2.Empty()


def _end_with_parent(parent: int, children: Children) -> None:
    """Leave when the engine is gone. Killed with SIGKILL it cannot tell its host, which would run on for ever."""

    def watch() -> None:
        while os.getppid() == parent:
            threading.Event().wait(PARENT_CHECK_SECONDS)
        children.end()
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


def main(arguments: Sequence[str]) -> None:
    """Serve until the engine says stop. The engine's address is the last argument; the port goes out first."""
    parent = os.getppid()
    addresses = [argument for argument in arguments if not argument.startswith("-")]
    children = Children()
    options = [
        ("grpc.max_receive_message_length", MAX_MESSAGE),
        ("grpc.max_send_message_length", MAX_MESSAGE),
    ]
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=32), options=options)
    host = Host(addresses[-1] if addresses else "", children)
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server)
    port = server.add_insecure_port("127.0.0.1:0")

    def stop(_signal: int, _frame: FrameType | None) -> None:
        # The engine stops its host with SIGINT; a traceback would land in the user's output.
        children.end()
        os._exit(0)

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    _end_with_parent(parent, children)
    server.wait_for_termination()


if __name__ == "__main__":
    main(sys.argv[1:])
