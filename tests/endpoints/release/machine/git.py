"""The commands of git that the store uses, in memory: a process for each would take most of the time."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class MemoryGit:
    """One repository: what is staged, and the commits, the oldest first."""

    staged: dict[str, str] = field(default_factory=dict)
    commits: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def run(self, repository: Path, arguments: Sequence[str]) -> str:
        """What git would print."""
        match arguments:
            case ["init", *_]:
                (repository / ".git").mkdir(exist_ok=True)
            case ["config", *_]:
                pass
            case ["add", "--", name]:
                self.staged[name] = (repository / name).read_text()
            case ["status", "--porcelain", "--", name]:
                now = (repository / name).read_text()
                return f"M  {name}\n" if {now, self.staged.get(name)} != {self.head().get(name)} else ""
            case ["commit", "--quiet", "--message", message, "--", name]:
                # With a path, git commits what is in the folder.
                self.staged[name] = (repository / name).read_text()
                self.commits.append((message, {**self.head(), name: self.staged[name]}))
            case ["commit", "--quiet", "--allow-empty", "--message", message]:
                self.commits.append((message, {**self.head(), **self.staged}))
            case _:
                raise AssertionError(f"git {' '.join(arguments)} is not known here")
        return ""

    def head(self) -> dict[str, str]:
        """The files of the last commit."""
        return self.commits[-1][1] if self.commits else {}

    def versions(self, name: str) -> list[str]:
        """The file in each commit, the oldest first."""
        return [files[name] for _, files in self.commits if name in files]
