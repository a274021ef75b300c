"""A world of its own for an end-to-end test: a scratch copy of this checkout, a `.local`, a port, an emulator.

The copy is a git repository, so that "nothing in the checkout changes" can be asserted, and so that a test may change
its code. Only the Python environments of images are shared with the checkout: they are found by their lock's hash.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import yaml
from botocore.config import Config

from sluice import paths, ports
from sluice.engine import processes
from tests.e2e.running import PATIENCE, Done, Running, descendants

ENDPOINT = "flights-local"
PRODUCTION = "AllTraffic"


class World:
    """One platform on one machine, apart from any other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root, self.local = folder / "checkout", folder / "local"
        self.endpoint_url = f"http://127.0.0.1:{ports.free()}"
        self.sent = 0
        """Requests that were sent to the endpoint of `flights` so far, by whomever."""
        _copy(paths.ROOT, self.root)
        envs = paths.ROOT / ".local" / "envs"
        envs.mkdir(parents=True, exist_ok=True)
        self.local.mkdir()
        (self.local / "envs").symlink_to(envs)
        kept = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("AWS_", "SLUICE_", "PULUMI_", "GIT_")) or key == "SLUICE_CACHE"
        }
        self.environment = {
            **kept,
            "PYTHONPATH": str(self.root),
            "SLUICE_LOCAL": str(self.local),
            "AWS_ENDPOINT_URL": self.endpoint_url,
        }

    def command(self, *arguments: str) -> list[str]:
        """`sluice --json …` of the copy."""
        return [sys.executable, "-m", "sluice.cli", "--json", *arguments]

    def sluice(self, *arguments: str, seconds: float = PATIENCE) -> Done:
        """Run a command to its end."""
        return self.run(*self.command(*arguments), seconds=seconds)

    def start(self, *arguments: str, name: str = "command") -> Running:
        """Start a command."""
        return Running(self.command(*arguments), self.root, self.environment, self.folder, name)

    def run(self, *command: str, seconds: float = PATIENCE, folder: Path | None = None) -> Done:
        """Run anything in the environment that a shell has after `eval "$(sluice env)"`, or before it."""
        done = subprocess.run(
            command,
            cwd=folder or self.root,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def shell(self, script: str, folder: Path | None = None, seconds: float = PATIENCE) -> Done:
        """Run a script in a shell as a newcomer has it after `eval "$(sluice env)"`."""
        begin = f'eval "$({sys.executable} -m sluice.cli env)"\n'
        return self.run("bash", "-euc", begin + script, seconds=seconds, folder=folder)

    def client(self, service: str) -> Any:
        """A plain boto3 client, as any user of AWS has one."""
        return boto3.client(
            service,
            endpoint_url=self.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}, read_timeout=70),
        )

    def edit(self, path: str, *changes: tuple[str, str]) -> None:
        """Change the copy's code: each text, which has to be there, for another."""
        file = self.root / path
        text = file.read_text(encoding="utf-8")
        for old, new in changes:
            assert old in text, f"{path} has no {old!r}"
            text = text.replace(old, new)
        file.write_text(text, encoding="utf-8")

    def restore(self, *names: str) -> None:
        """Set files of the copy back to what they were."""
        self.git("checkout", "--quiet", "--", *names)

    def git(self, *arguments: str, folder: Path | None = None) -> str:
        """Git's answer, in the copy or another repository."""
        done = self.run("git", *arguments, folder=folder)
        assert done.code == 0, done.err
        return done.out

    def release(self, workload: str = "flights") -> Any:
        """What the release file says."""
        return yaml.safe_load(self.release_file(workload).read_text(encoding="utf-8"))

    def release_file(self, workload: str = "flights") -> Path:
        return self.local / "releases" / "local" / f"{workload}.yaml"

    def live(self, endpoint: str = ENDPOINT) -> Any:
        """DescribeEndpoint."""
        return self.client("sagemaker").describe_endpoint(EndpointName=endpoint)

    def assert_report(self, uri: str, version: str, outcome: str) -> Any:
        """The judge's report of a version, at the place that the release file names: signed, and saying so."""
        bucket, _, rest = uri.removeprefix("s3://").partition("/")
        key, _, revision = rest.partition("?versionId=")
        s3 = self.client("s3")
        body = s3.get_object(Bucket=bucket, Key=key, **({"VersionId": revision} if revision else {}))[
            "Body"
        ].read()
        report = json.loads(body)
        assert report["subject"]["challenger"]["version"] == version
        assert report["verdict"]["outcome"] == outcome
        page = s3.get_object(Bucket=bucket, Key=key.replace("report.json", "report.html"))["Body"].read()
        assert page.startswith(b"<!doctype html>")
        return report

    def packages(self, group: str = "flights") -> list[Any]:
        """DescribeModelPackage of each package, the oldest first."""
        sagemaker = self.client("sagemaker")
        pages = sagemaker.get_paginator("list_model_packages").paginate(
            ModelPackageGroupName=group, SortBy="CreationTime", SortOrder="Ascending"
        )
        return [
            sagemaker.describe_model_package(ModelPackageName=summary["ModelPackageArn"])
            for page in pages
            for summary in page["ModelPackageSummaryList"]
        ]

    def register_copy(self, package: Any, version: str, image: str | None = None) -> None:
        """Register the model of a package once more, approved, under another version.

        Args:
            image: to serve it in; None: that of the package.
        """
        specification = package["InferenceSpecification"]
        [container] = specification["Containers"]
        used = image or container["Image"]
        known = package["CustomerMetadataProperties"]
        self.client("sagemaker").create_model_package(
            ModelPackageGroupName=package["ModelPackageGroupName"],
            ModelApprovalStatus="Approved",
            CustomerMetadataProperties={
                # What answers otherwise is no patch.
                **{key: said for key, said in known.items() if key != "patches"},
                "version": version,
                "kind": "model",
                "image_digest": used.rpartition("@")[2],
            },
            InferenceSpecification={
                **specification,
                "Containers": [
                    {
                        "Image": used,
                        "ModelDataUrl": container["ModelDataUrl"],
                        # The archive still says the version that it was made for.
                        "Environment": {**container["Environment"], "SLUICE_VERSION": version},
                    }
                ],
            },
        )

    def counted(self, metric: str = "Invocations", variant: str = PRODUCTION) -> dict[str, int]:
        """The sum of one of SageMaker's metrics for each endpoint config of `flights` that ever answered."""
        cloudwatch = self.client("cloudwatch")
        wanted = [
            {"Name": "EndpointName", "Value": ENDPOINT},
            {"Name": "VariantName", "Value": variant},
        ]
        pages = cloudwatch.get_paginator("list_metrics").paginate(
            Namespace="AWS/SageMaker", MetricName=metric, Dimensions=wanted
        )
        sums: dict[str, int] = {}
        for found in (found for page in pages for found in page["Metrics"]):
            config = {each["Name"]: each["Value"] for each in found["Dimensions"]}.get("EndpointConfigName")
            if config is None:
                continue
            answer = cloudwatch.get_metric_statistics(
                Namespace="AWS/SageMaker",
                MetricName=metric,
                Dimensions=found["Dimensions"],
                StartTime=time.time() - 3 * 3600,
                EndTime=time.time() + 60,
                Period=60 * 60,
                Statistics=["Sum"],
            )
            sums[config] = int(sum(point["Sum"] for point in answer["Datapoints"]))
        return sums

    def assert_every_request_was_counted(self) -> None:
        """The metrics of all configs together say what was sent. They come every ten seconds."""
        deadline = time.monotonic() + 120
        while (total := sum(self.counted().values())) != self.sent and time.monotonic() < deadline:
            time.sleep(2)
        assert total == self.sent, self.counted()

    def states(self) -> Iterator[tuple[str, Any]]:
        """Each stack's state as Pulumi keeps it: project/stack and deployment."""
        for file in sorted((self.local / "state/.pulumi/stacks").glob("*/*.json")):
            state = json.loads(file.read_text(encoding="utf-8"))
            yield f"{file.parent.name}/{file.stem}", state["checkpoint"]["latest"]

    def assert_nothing_pending(self) -> None:
        """No state holds an operation that was begun and not ended."""
        states = dict(self.states())
        assert states
        assert {name: state.get("pending_operations") or [] for name, state in states.items()} == {
            name: [] for name in states
        }

    def in_state(self, kind: str) -> set[str]:
        """The ids of all resources of a type in all states."""
        return {
            resource["id"]
            for _, state in self.states()
            for resource in state.get("resources") or ()
            if resource["type"] == kind and resource.get("id")
        }

    def emulator_pid(self) -> int | None:
        try:
            return int(json.loads((self.local / "emulator/emulator.json").read_text())["pid"])
        except FileNotFoundError:
            return None

    def alive(self) -> dict[int, str]:
        """Every process that belongs to this world, by its environment: id and command."""
        found = {}
        for pid in processes.all_pids():
            variables = processes.environment_of(pid) or {}
            ours = variables.get("SLUICE_LOCAL") == str(self.local)
            # Serving processes and jobs have an environment like a container's.
            ours = ours or variables.get("SLUICE_OPT_ML", "").startswith(f"{self.local}/")
            if ours and processes.identity(pid) is not None:
                with contextlib.suppress(OSError):  # it has ended meanwhile
                    command = (Path("/proc") / str(pid) / "cmdline").read_bytes()
                    found[pid] = command.replace(b"\0", b" ").decode()
        return found

    def kill(self, running: Running, *, tree: bool) -> None:
        """SIGKILL: `sluice` alone, or all that it started but the emulator."""
        pids = [running.process.pid]
        if tree:
            pids += descendants(running.process.pid, but=self.emulator_pid())
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        running.process.wait(timeout=10)

    def end(self) -> None:
        """Leave nothing behind, whatever happened; and at once, for xdist lets an interrupted worker live for a few
        seconds only."""
        while alive := self.alive():
            for pid in alive:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.1)


def _copy(source: Path, target: Path) -> None:
    """The files of the checkout that are tracked or could be, as a git repository with one commit."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=source, capture_output=True, check=True
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        file = source / name
        if file.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_bytes(file.read_bytes())
            (target / name).chmod(file.stat().st_mode)
    author = ["-c", "user.name=Sluice", "-c", "user.email=sluice@localhost", "-c", "commit.gpgsign=false"]
    for arguments in (
        ["init", "--quiet", "--initial-branch=main"],
        ["add", "--all"],
        [*author, "commit", "--quiet", "--no-verify", "--message", "Everything"],
    ):
        subprocess.run(["git", *arguments], cwd=target, check=True, capture_output=True)
