"""Where release files are kept: in git, one commit a change, saying who and why.

On one machine they have a repository of their own, so that running the loop changes nothing in the checkout. For a
real environment they are part of the checkout, and whoever edits them decides about the commit and its review.
"""

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from endpoints.release.file import ReleaseFile, load, save
from sluice import paths
from sluice.errors import SluiceError
from sluice.locks import exclusive

LOCAL = "local"
LEFT = """a change that was not committed

By: unknown
Why: its command was killed, or the file was edited"""

Step = Callable[[ReleaseFile], ReleaseFile]


@dataclass(frozen=True)
class Store:
    """The release files of one environment and region.

    Attributes:
        repository: the root of the git repository they are in.
        folder: where they lie in it.
        own: whether the repository is ours alone: made on first use, and each change committed.
    """

    repository: Path
    folder: Path
    own: bool

    def path(self, workload: str) -> Path:
        """The release file of the workload, which may not exist yet."""
        return self.folder / f"{workload}.yaml"

    def read(self, workload: str) -> ReleaseFile:
        """What the file says; an empty release if there is none.

        Raises:
            SluiceError: if it is not valid.
        """
        return load(self.path(workload))

    def change(
        self, workload: str, step: Step, summary: str, who: str, why: str, commit: bool = False
    ) -> ReleaseFile:
        """Take one step, alone: nobody else changes a release file in between.

        Args:
            step: a transition; what it raises leaves the file as it was.
            summary: of the commit: `canary of 1.1`.
            who, why: for whoever reads the history later.
            commit: in a repository that is not ours, whether to commit too.

        Returns:
            The release after the step.
        """
        with exclusive(paths.local() / "run" / "releases.lock"):
            if self.own and self.path(workload).exists():
                self._make()
                # Else it would be told as a part of this change, by whoever makes this one.
                self._commit(workload, f"{workload}: {LEFT}")
            before = self.read(workload)
            after = step(before)
            if self.own:
                self._make()
            if after != before:
                save(after, self.path(workload))
            if self.own or commit:
                self._commit(workload, f"{workload}: {summary}\n\nBy: {who}\nWhy: {why}")
            return after

    def note(self, workload: str, summary: str, who: str, why: str) -> None:
        """Write something down that changes no file. Elsewhere than on one machine CloudTrail has it."""
        if self.own:
            with exclusive(paths.local() / "run" / "releases.lock"):
                self._make()
                message = f"{workload}: {summary}\n\nBy: {who}\nWhy: {why}"
                self._git("commit", "--quiet", "--allow-empty", "--message", message)

    def log(self, workload: str, limit: int = 10) -> list[str]:
        """The last changes, the newest first: moment and summary."""
        if not (self.repository / ".git").exists():
            return []
        path = str(self.path(workload).relative_to(self.repository))
        said = self._git("log", f"--max-count={limit}", "--format=%cI %s", "--", path, check=False)
        return said.splitlines()

    def _make(self) -> None:
        if (self.repository / ".git" / "sluice").exists():
            return
        self.repository.mkdir(parents=True, exist_ok=True)
        self._git("init", "--quiet", "--initial-branch=main")
        # What the user set for their own repositories - hooks, signing, a name - has no say in this one.
        for key, value in (
            ("user.name", "Sluice"),
            ("user.email", "sluice@localhost"),
            ("commit.gpgsign", "false"),
            ("core.hooksPath", ".git/no-hooks"),
            ("core.excludesFile", ".git/info/exclude"),
        ):
            self._git("config", key, value)
        (self.repository / ".git" / "sluice").touch()

    def _commit(self, workload: str, message: str) -> None:
        path = self.path(workload)
        if not path.exists():
            return
        name = str(path.relative_to(self.repository))
        self._git("add", "--", name)
        # Nothing to commit is no error: a killed command may have written the file, or committed it already.
        if self._git("status", "--porcelain", "--", name).strip():
            self._git("commit", "--quiet", "--message", message, "--", name)

    def _git(self, *arguments: str, check: bool = True) -> str:
        # Of a hook that called us: it would make git work on the wrong repository.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        try:
            done = subprocess.run(
                ["git", *arguments],
                cwd=self.repository,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
        except OSError as error:
            raise SluiceError(f"git cannot be run: {error}", "Install git, or put it on PATH.") from error
        if check and done.returncode:
            raise SluiceError(
                f"`git {' '.join(arguments[:2])}` failed in {self.repository}: {(done.stderr or done.stdout).strip()}"
            )
        return done.stdout


def open(environment: str, region: str) -> Store:
    """The store of an environment; on one machine its region does not matter."""
    if environment == LOCAL:
        root = paths.local() / "releases"
        return Store(root, root / LOCAL, own=True)
    return Store(paths.ROOT, paths.ROOT / "endpoints" / "releases" / f"{environment}-{region}", own=False)
