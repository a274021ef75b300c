"""A small workload of its own, and the serving image of it, unpacked as the emulator unpacks one."""

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import pytest

from endpoints.serving import image
from sluice import ports, snapshots
from sluice.paths import ROOT

WORKLOAD = """
name: parcels
summary: Will the parcel be late?
owner: tests
method: 1
id: parcel
time: sent_at
input:
  - {name: parcel, type: string, max_length: 20}
  - {name: sent_at, type: timestamp}
  - {name: weight, type: float, min: 0, max: 100}
  - {name: stops, type: integer, min: 0, max: 50}
  - {name: hub, type: category, categories: [north, south]}
  - {name: rain, type: float, nullable: true, min: 0, max: 500}
  - {name: pressure, type: float, min: 0, max: 10, since: "2.0"}
label: {name: late, delay: PT1H}
costs: {miss: 2, false_alarm: 1}
gate: {bounds: {auc: 0.5}}
"""

FEATURES = """
import numpy as np
FEATURES = ("weight", "stops", "south", "rain")

def features(columns):
    south = np.array([hub == "south" for hub in columns["hub"]], dtype=float)
    return np.stack([columns["weight"], columns["stops"], south, columns["rain"]], axis=1).astype(np.float32)
"""

# The weights of the model; a weight above 90 kg takes `slow` seconds, one of exactly 66 breaks the model.
MODEL = """
import json, time
import numpy as np

class Predictor:
    def __init__(self, said):
        self.said = said
    def predict(self, x):
        if self.said.get("slow") and (x[:, 0] > 90).any():
            time.sleep(self.said["slow"])
        if (x[:, 0] == 66).any():
            raise ArithmeticError("sixty-six")
        z = 0.02 * x[:, 0] + 0.05 * x[:, 1] - 1.0 + np.nan_to_num(x[:, 3]) * 0.01
        return 1 / (1 + np.exp(-z.astype(np.float64)))

def load(folder):
    time.sleep(json.loads((folder / "weights.json").read_text()).get("loading", 0))
    return Predictor(json.loads((folder / "weights.json").read_text()))
"""

INCUMBENT = """
import numpy as np
def decide(columns):
    return np.where(columns["stops"] > 5, 0.9, 0.1)
"""

DESCRIPTION = {
    "kind": "model",
    "workload": "parcels",
    "version": "1.2",
    "method": 1,
    "change": "data",
    "code_hash": "c0de",
    "features": ["weight", "stops", "south", "rain"],
}


def write_model(folder: Path, description: dict[str, Any] | None = None, **weights: float) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.json").write_text(json.dumps({**DESCRIPTION, **(description or {})}))
    (folder / "weights.json").write_text(json.dumps(weights))
    return folder


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`opt/program` of the serving image of `parcels`: what is not in the snapshot is not there."""
    checkout = tmp_path_factory.mktemp("checkout")
    for path in image.SHARED:
        (checkout / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, checkout / path)
    shutil.copytree(ROOT / "endpoints" / "serving", checkout / "endpoints" / "serving", dirs_exist_ok=True)
    folder = checkout / "workloads" / "parcels"
    folder.mkdir()
    for name, text in (
        ("__init__.py", ""),
        ("workload.yaml", WORKLOAD),
        ("features.py", FEATURES),
        ("model.py", MODEL),
        ("incumbent.py", INCUMBENT),
        ("source.py", "import nothing_that_a_server_has"),
    ):
        (folder / name).write_text(text)
    snapshot = snapshots.build(image.spec("parcels", checkout), checkout)
    root = tmp_path_factory.mktemp("image")
    with tarfile.open(fileobj=io.BytesIO(snapshot.layer), mode="r:gz") as layer:
        layer.extractall(root, filter="data")
    return root / "opt" / "program"


def environment(program: Path, opt_ml: Path, **more: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(program),
        "SLUICE_WORKLOAD": "parcels",
        "SLUICE_OPT_ML": str(opt_ml),
        "SLUICE_BIND_HOST": "127.0.0.1",
        "OMP_NUM_THREADS": "1",
        **more,
    }


@dataclass
class Container:
    """A running serving process."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path
    headers: dict[str, str] = field(default_factory=dict)

    def connection(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.port, timeout=180)

    def request(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[HTTPResponse, bytes]:
        connection = self.connection()
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()

    def in_flight(self) -> int:
        """Requests that it is answering, as its metrics say."""
        lines = self.request("GET", "/metrics")[1].decode().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("sluice_in_flight "))

    def ping(self) -> int:
        try:
            return self.request("GET", "/ping")[0].status
        except OSError:
            return 0

    def wait(self, until: Callable[[int], bool]) -> None:
        for _ in range(3600):
            if until(self.ping()):
                return
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.05)
        raise AssertionError(f"never: {self.log.read_text()}")


Start = Callable[..., Container]


@pytest.fixture
def start(program: Path, tmp_path: Path) -> Iterator[Start]:
    """Starts the image's own entry point, as SageMaker does."""
    running: list[subprocess.Popen[bytes]] = []

    def run(opt_ml: Path, **more: str) -> Container:
        port = ports.free()
        log = tmp_path / f"{port}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "endpoints.serving", "serve"],
                env=environment(program, opt_ml, SAGEMAKER_BIND_TO_PORT=str(port), **more),
                cwd=program,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        running.append(process)
        return Container(process, port, log)

    yield run
    for process in running:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
