"""File, registry, endpoint and Pulumi's state of one workload, all of it copied at will, and the rules that every
moment of it has to keep."""

import os
import shutil
from collections.abc import Callable, Mapping
from copy import deepcopy
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from botocore.exceptions import BotoCoreError, ClientError

from endpoints.components.models import model_name
from endpoints.plan import plan
from endpoints.release import file as release_file
from endpoints.release.file import ReleaseFile
from endpoints.release.opinion import Opinion
from endpoints.release.store import Store
from endpoints.release.target import Target
from sluice.errors import SluiceError
from tests.endpoints.release.machine.clock import RunningClock
from tests.endpoints.release.machine.git import MemoryGit
from tests.endpoints.release.machine.history import problems
from tests.endpoints.release.machine.sagemaker import Client, SageMaker
from tests.endpoints.release.machine.stack import Stack
from tests.endpoints.release.machine.trouble import Course, Killed, Trouble
from workloads.contract import Workload

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
ENDPOINT = "flights-local"
GROUP = "flights"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/sluice@sha256:" + "0" * 64
REFUSALS = (SluiceError, ClientError, BotoCoreError)
"""How a command ends that could not do what it was told."""


class World:
    """One workload. `broken` are the rules that were broken, in words."""

    def __init__(self, folder: Path, workload: Workload, git: MemoryGit | None) -> None:
        self.folder, self.git = folder, git
        self.clock, self.course = RunningClock(NOON), Course()
        self.clock.moment = self.course.moment
        self.aws = SageMaker(self.clock, self.course)
        self.aws.asked, self.aws.answers, self.aws.ended = self._asked, self._answers, self._ended
        self.stack = Stack(self.aws)
        self.target = Target(
            workload, "local", "us-east-1", self.stack.up, self.stack.refresh, clock=self.clock, who="ada"
        )
        clients = {name: Client(self.aws, name) for name in ("sagemaker", "cloudwatch")}
        self.target.__dict__.update(cloud=self.aws.cloud(), clients=clients)
        self.opinion = Opinion(verdict="undecided", reason="nothing was seen")
        self.by_hand = False
        self.emergency = False
        self.moments = 0
        """Of the last command."""
        self.flight: tuple[str, str] | None = None
        """Config and release of the update under way."""
        self.turned_back: set[tuple[str, str]] = set()
        """Of what the file asks for now: nothing is tried again until it asks for something else."""
        self.served = False
        self.answering: frozenset[str] = frozenset()
        self.killed = False
        """A command was killed, and nothing was committed since."""
        self.broken = self.aws.broken
        self.activate()
        self.aws.groups.create({"ModelPackageGroupName": GROUP})

    def activate(self) -> None:
        """From here on, the emulator and the store work on this world."""
        global current
        current = self
        os.environ["SLUICE_LOCAL"] = str(self.folder)
        self.aws.activate()

    def copy(self, folder: Path) -> "World":
        """Another one in the same state, which goes its own way."""
        made = deepcopy(self)
        made.folder = folder
        shutil.copytree(self.folder, folder)
        return made

    # what happens

    def register(self, version: str, approval: str, bad: bool, kind: str = "model") -> str:
        """The training pipeline has made a package."""
        answer = self.aws.packages.create(
            {
                "ModelPackageGroupName": GROUP,
                "ModelApprovalStatus": approval,
                "InferenceSpecification": {"Containers": [{"Image": IMAGE}]},
                "CustomerMetadataProperties": {"workload": "flights", "version": version, "kind": kind},
            }
        )
        package = str(answer["ModelPackageArn"])
        if bad:
            self.aws.bad.add(model_name("flights", version, package, "local"))
        return package

    def command(self, call: Callable[[], Any], trouble: Trouble, adopts: bool = False) -> str:
        """Somebody, or the automatic flow, runs a command; how it ended, in words.

        Args:
            adopts: it makes the file say what is live, be that approved or not.
        """
        deployable = not self.undeployable()
        self.course.begin(trouble)
        if trouble.ring is not None:
            self.aws.ring_at(trouble.ring)
        try:
            done = call()
        except Killed:
            self.killed = True
            return "killed"
        except REFUSALS as error:
            return f"refused: {error}"
        finally:
            self.moments = self.course.moments
            self.course.end()
            self.by_hand = self.emergency = False
            if deployable and (left := self.undeployable()) and not adopts:
                self.broken.append(f"a command made the file name what may not be deployed: {left}")
        return f"done: {done}" if isinstance(done, str) else "done"

    # what is so

    def read(self) -> ReleaseFile:
        """The release file. The same text is read but once: reading is most of what a check costs."""
        path = self.target.store.path(self.target.workload.name)
        return _parsed(path.read_text()) if path.exists() else ReleaseFile()

    def serves(self) -> list[str | None]:
        """The packages of the endpoint's config, production's first; nothing where there is no endpoint."""
        endpoint = self.aws.endpoint(ENDPOINT)
        return [] if endpoint is None else self._packages(endpoint.config)

    def agrees(self) -> bool:
        """Whether the endpoint serves what the file says, and goes nowhere else."""
        endpoint, wanted = self.aws.endpoint(ENDPOINT), plan(self.read())
        if endpoint is None or wanted is None:
            return endpoint is None and wanted is None
        asked = [version.package for version in (wanted.production, wanted.shadow) if version is not None]
        return endpoint.status == "InService" and not self.changing and self.serves() == asked

    def tags(self) -> dict[str, str]:
        """Of the endpoint."""
        record = self.aws.tables["endpoints"].get(ENDPOINT)
        return {} if record is None else {tag["Key"]: tag["Value"] for tag in record.tags}

    @property
    def changing(self) -> bool:
        """Whether an update of the endpoint is under way."""
        endpoint = self.aws.endpoint(ENDPOINT)
        return endpoint is not None and endpoint.pending is not None

    def approval(self, package: str | None) -> str | None:
        """In the registry; None where it knows no such package."""
        record = self.aws.tables["model_packages"].get(package)
        return None if record is None else str(record.fields["ModelApprovalStatus"])

    def undeployable(self) -> list[str]:
        """What of the file may not be deployed: not approved, or not known."""
        release = self.read()
        named = [entry.package for entry in (release.champion, release.challenger) if entry]
        unapproved = [package for package in named if self.approval(package) != "Approved"]
        return unapproved + [package for package in release.history if self.approval(package) is None]

    def configs(self) -> list[str]:
        return sorted(self.aws.tables["endpoint_configs"])

    def packages_in(self, config: str) -> list[str | None]:
        """Of a config: production's package, then the shadow's."""
        return self._packages(self.aws.tables["endpoint_configs"][config].fields)

    def _packages(self, fields: Mapping[str, Any]) -> list[str | None]:
        variants = [*fields["ProductionVariants"], *(fields.get("ShadowProductionVariants") or ())]
        return [self.aws.package_of(variant["ModelName"]) for variant in variants]

    # the rules

    def _asked(self, config: str) -> None:
        """SageMaker was asked to bring something into service. What serves already is not asked for: where its
        approval is taken back, or it is rejected, it stays until something replaces it."""
        release = self.read()
        for package in self.packages_in(config):
            if self.by_hand or package is None:
                continue
            if package in release.rejected:
                self.broken.append(f"{package} is brought into service and rejected")
            if self.approval(package) != "Approved":
                self.broken.append(f"{package} is brought into service and {self.approval(package)}")
        self.flight = None
        if not self.by_hand and not self.emergency:
            if self.stack.asking is None:
                self.broken.append(f"{config} is deployed past Pulumi")
                return
            self.flight = (config, self.stack.asking)
            if self.flight in self.turned_back:
                self.broken.append(
                    f"{config} of release {self.stack.asking} was turned back and is tried again"
                )

    def _ended(self, config: str) -> None:
        if self.flight is not None and self.flight[0] != config:
            self.turned_back.add(self.flight)
        self.flight, self.served = None, True

    def _answers(self, configs: frozenset[str]) -> None:
        if self.served and not configs:
            self.broken.append("nothing answers")
        self.answering = configs

    def check(self) -> None:
        """
        Raises:
            AssertionError: if a rule is broken.
        """
        assert not self.broken, self.broken
        release = self.read()
        texts = self.versions()
        if release != (_parsed(texts[-1]) if texts else ReleaseFile()):
            assert self.killed, "the file is not what was committed last"
            texts.append(release_file.dump(release))
        else:
            self.killed = False
        assert not (told := problems([_parsed(text) for text in texts])), told
        if release.champion is not None and self.served:
            assert self.answering, "there is a champion and nothing answers"
        wanted = plan(release)
        assert (wanted is None) == (release.champion is None)

    def versions(self) -> list[str]:
        """The file in each commit, the oldest first."""
        store = self.target.store
        name = str(store.path(self.target.workload.name).relative_to(store.repository))
        if self.git is not None:
            return self.git.versions(name)
        if not (store.repository / ".git").exists():
            return []
        commits = GIT(store, "log", "--reverse", "--format=%H", "--", name, check=False).split()
        return [_shown(store, commit, name) for commit in commits]


@lru_cache(maxsize=1000)
def _parsed(text: str) -> ReleaseFile:
    return ReleaseFile.model_validate(yaml.safe_load(text))


@lru_cache(maxsize=1000)
def _shown(store: Store, commit: str, name: str) -> str:
    return GIT(store, "show", f"{commit}:{name}")


GIT = Store._git
SAVE = release_file.save
current: World


def git(store: Store, *arguments: str, check: bool = True) -> str:
    """In the place of `Store._git`: killed before it or after it, and of the world of now."""
    current.course.moment()
    memory = current.git
    done = GIT(store, *arguments, check=check) if memory is None else memory.run(store.repository, arguments)
    current.course.moment()
    return done


def save(release: ReleaseFile, path: Path) -> None:
    """In the place of `save`: killed before it or after it."""
    current.course.moment()
    before = current.read()
    SAVE(release, path)
    if (before.champion, before.challenger) != (release.champion, release.challenger):
        current.turned_back.clear()
    current.course.moment()
