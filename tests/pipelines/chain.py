"""Runs the isolated steps as SageMaker would: one process each, an /opt/ml of its own, outputs copied to inputs."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from datetime import datetime
from pathlib import Path

import polars as pl

from sluice.paths import ROOT

NO_CHAMPION = {"package": "", "version": "", "reason": "there is no endpoint"}


class Chain:
    """One execution in a folder; `outputs` holds what each step left."""

    def __init__(self, folder: Path, observations: pl.DataFrame, labels: pl.DataFrame) -> None:
        self.folder = folder
        self.outputs = folder / "outputs"
        self.seconds: dict[str, float] = {}
        self._partitions("observations", observations, "departed_at")
        self._partitions("labels", labels, "known_at")
        self.champion(None, [])

    def champion(self, model: Path | None, packages: list[dict[str, str]], package: str = "") -> None:
        """What fetch_champion would have found."""
        target = self.outputs / "champion"
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        found = NO_CHAMPION if model is None else {"package": package, "version": "", "reason": "it serves"}
        (target / "champion.json").write_text(json.dumps(found))
        if model is not None:
            shutil.copytree(model, target / "model")
        (self.outputs / "registry").mkdir(exist_ok=True)
        (self.outputs / "registry" / "packages.json").write_text(json.dumps(packages))

    def run(self, train_until: str, evaluate_until: str) -> None:
        """validate → prepare → train → evaluate → gate; stops where a condition would."""
        moments = {"TRAIN_UNTIL": train_until, "EVALUATE_UNTIL": evaluate_until}
        self.step("validate", ["observations", "labels", "champion"], moments)
        if not self.read("report", "validation.json")["passed"]:
            return
        self.step("prepare", ["clean"], moments)
        self.train()
        self.step("evaluate", ["model", "evaluation_rows", "champion"], {}, {"evaluation_rows": "evaluation"})
        self.step("gate", ["evaluation"])

    def read(self, output: str, name: str) -> dict[str, object]:
        """A JSON output."""
        return dict(json.loads((self.outputs / output / name).read_text()))

    def step(
        self,
        name: str,
        inputs: list[str],
        settings: dict[str, str] | None = None,
        renamed: dict[str, str] | None = None,
    ) -> None:
        """Run a processing step."""
        opt_ml = self._fresh(name)
        for given in inputs:
            shutil.copytree(
                self.outputs / given, opt_ml / "processing" / "input" / (renamed or {}).get(given, given)
            )
        self._execute(name, opt_ml, settings or {})
        for made in (opt_ml / "processing" / "output").iterdir():
            # prepare's output has the name that evaluate's has too, as each step of the definition has its own.
            target = self.outputs / (
                "evaluation_rows" if name == "prepare" and made.name == "evaluation" else made.name
            )
            shutil.copytree(made, target, dirs_exist_ok=True)

    def train(self, hyperparameters: dict[str, str] | None = None) -> None:
        """Run the training job."""
        opt_ml = self._fresh("train")
        for channel in ("train", "registry"):
            shutil.copytree(self.outputs / channel, opt_ml / "input" / "data" / channel)
        config = opt_ml / "input" / "config"
        config.mkdir(parents=True)
        (config / "hyperparameters.json").write_text(json.dumps(hyperparameters or {}))
        self._execute("train", opt_ml, {})
        (self.outputs / "model").mkdir(exist_ok=True)
        with tarfile.open(self.outputs / "model" / "model.tar.gz", "w:gz") as tar:
            tar.add(opt_ml / "model", arcname=".")
        shutil.copytree(opt_ml / "model", self.outputs / "model-folder", dirs_exist_ok=True)

    def message(self, step: str) -> str:
        """What a failed step said."""
        return (self.folder / step / "output" / "message").read_text()

    def _execute(self, name: str, opt_ml: Path, settings: dict[str, str]) -> None:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS", "SLUICE"))}
        environment = {
            **kept,
            **settings,
            "SLUICE_OPT_ML": str(opt_ml),
            "SLUICE_WORKLOAD": "flights",
            "OMP_WAIT_POLICY": "passive",
        }
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", f"pipelines.steps.{name}"], cwd=ROOT, env=environment, check=True
        )
        self.seconds[name] = time.perf_counter() - began

    def _fresh(self, name: str) -> Path:
        opt_ml = self.folder / name
        shutil.rmtree(opt_ml, ignore_errors=True)
        opt_ml.mkdir()
        return opt_ml

    def _partitions(self, kind: str, table: pl.DataFrame, time: str) -> None:
        dated = table.with_columns(pl.col(time).dt.strftime("%Y-%m-%d").alias("dt"))
        for (day,), part in dated.partition_by("dt", as_dict=True, include_key=False).items():
            folder = self.outputs / kind / f"dt={day}"
            folder.mkdir(parents=True)
            part.write_parquet(folder / "part.parquet")


def between(table: pl.DataFrame, time: str, begin: datetime, end: datetime) -> pl.DataFrame:
    """The rows of a period."""
    return table.filter((pl.col(time) >= begin) & (pl.col(time) < end))
