"""`python -m emulator`: starts the control process and the data plane, and ends both together."""

import argparse
import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

from emulator.spawned import die_with_parent
from sluice import paths
from sluice.errors import SluiceError

START_SECONDS = 60.0


def main(arguments: list[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT, or until one of the processes ends. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="emulator", description="AWS on one machine.")
    parser.add_argument("--port", type=int, default=4566, help="public port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--data-dir", type=Path, default=paths.local() / "emulator")
    parser.add_argument(
        "--role", choices=("launcher", "control", "dataplane"), default="launcher", help=argparse.SUPPRESS
    )
    parser.add_argument("--options", default="{}", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    root = options.data_dir.resolve()
    if options.role == "launcher":
        try:
            return launch(options.port, root)
        except SluiceError as error:
            sys.stderr.write(f"{error}\n")
            return 1
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("botocore").setLevel(logging.WARNING)
    given = json.loads(options.options)
    listener = socket.socket(fileno=given["listener"])
    if options.role == "control":
        from emulator import server

        server.run(listener=listener, root=root, endpoint_url=given["endpoint_url"], boot_id=given["boot_id"])
    else:
        from emulator.dataplane import process

        os.environ["AWS_ENDPOINT_URL"] = given["control_url"]
        process.run(listener=listener, control_url=given["control_url"])
    return 0


def launch(port: int, root: Path) -> int:
    """Start both processes, say when they are ready, wait for the end.

    Raises:
        SluiceError: if the port is taken, or a process does not start.
    """
    stopping = False

    def stop(_number: int, _frame: object) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    root.mkdir(parents=True, exist_ok=True)
    ready_file = root / "emulator.json"
    ready_file.unlink(missing_ok=True)
    public, control = _listen(port), _listen(0)
    endpoint_url = f"http://127.0.0.1:{public.getsockname()[1]}"
    control_url = f"http://127.0.0.1:{control.getsockname()[1]}"
    boot_id = uuid.uuid4().hex
    children = {
        "control": _child(
            "control",
            root,
            control,
            {"endpoint_url": endpoint_url, "boot_id": boot_id, "control_url": control_url},
        ),
        "dataplane": _child("dataplane", root, public, {"control_url": control_url}),
    }
    public.close()
    control.close()
    try:
        deadline = time.monotonic() + START_SECONDS
        while not stopping and not _healthy(endpoint_url, boot_id):
            _refuse_dead(children, root)
            if time.monotonic() > deadline:
                raise SluiceError(
                    f"the emulator did not answer within {START_SECONDS:.0f} s",
                    f"Its logs are in {root / 'logs'}.",
                )
            time.sleep(0.05)
        if not stopping:
            ready = {"endpoint_url": endpoint_url, "pid": os.getpid(), "boot_id": boot_id}
            temporary = ready_file.with_suffix(".tmp")
            temporary.write_text(json.dumps(ready), encoding="utf-8")
            temporary.replace(ready_file)
            sys.stdout.write(f"emulator ready: {endpoint_url} (data in {root})\n")
            sys.stdout.flush()
        while not stopping:
            _refuse_dead(children, root)
            time.sleep(0.1)
        return 0
    finally:
        ready_file.unlink(missing_ok=True)
        _end(children)


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        raise SluiceError(
            f"port {port} on 127.0.0.1 cannot be used: {error.strerror}",
            "If an emulator is running, `make down` ends it; else choose another with --port.",
        ) from error
    listener.listen(1024)
    return listener


def _child(
    role: str, root: Path, listener: socket.socket, options: dict[str, object]
) -> "subprocess.Popen[bytes]":
    descriptor = listener.fileno()
    log = root / "logs" / f"{role}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            [
                sys.executable,
                "-m",
                "emulator",
                "--role",
                role,
                "--data-dir",
                str(root),
                "--options",
                json.dumps({**options, "listener": descriptor}),
            ],
            env={**os.environ, **_CREDENTIALS},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=(descriptor,),
            # A group of its own, so that Ctrl-C reaches only the launcher, which ends the children in order.
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGTERM),
        )


_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


def _healthy(endpoint_url: str, boot_id: str) -> bool:
    try:
        with urllib.request.urlopen(f"{endpoint_url}/_sluice/health", timeout=2) as answer:
            return bool(json.load(answer)["boot_id"] == boot_id)
    except (OSError, ValueError, KeyError, urllib.error.URLError):
        return False


def _refuse_dead(children: "dict[str, subprocess.Popen[bytes]]", root: Path) -> None:
    for role, child in children.items():
        if child.poll() is not None:
            log = root / "logs" / f"{role}.log"
            tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-1:]
            raise SluiceError(
                f"the emulator's {role} process ended with code {child.returncode}: {' '.join(tail)}",
                f"Its log is {log}.",
            )


def _end(children: "dict[str, subprocess.Popen[bytes]]") -> None:
    """Data plane last: it gets the last metrics and captures out while the control process still answers."""
    for role in ("dataplane", "control"):
        child = children[role]
        with contextlib.suppress(ProcessLookupError):
            child.terminate()
        try:
            child.wait(15)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


if __name__ == "__main__":
    sys.exit(main())
