"""What one commit of a release file may change, said a second time and in other words than the transitions do."""

from itertools import pairwise

from endpoints.release.file import ReleaseFile


def problems(versions: list[ReleaseFile]) -> list[str]:
    """What is wrong in a history of a release file, the oldest version first."""
    return [
        f"version {number}: {problem}"
        for number, (old, new) in enumerate(pairwise([ReleaseFile(), *versions]), start=1)
        for problem in _problems(old, new)
    ]


def _problems(old: ReleaseFile, new: ReleaseFile) -> list[str]:
    found = []
    changed = {name for name in ReleaseFile.model_fields if getattr(old, name) != getattr(new, name)}
    if new.rejected[: len(old.rejected)] != old.rejected or len(new.rejected) > len(old.rejected) + 1:
        found.append("rejected lost an entry, or got two")
    if "hold" in changed and len(changed) > 1:
        found.append(f"a hold changed together with {sorted(changed)}")
    was, now = old.challenger, new.challenger
    if old.champion is not None and new.champion is None:
        found.append("there is no champion any more")
    if "champion" in changed and old.champion is not None and new.champion is not None:
        promoted = was is not None and was.stage == "canary" and was.package == new.champion.package
        back = new.champion.package in old.history and old.champion.package in new.rejected
        if not promoted and not back:
            found.append(
                f"{new.champion.package} came to be champion neither by a canary nor back from history"
            )
        if promoted and new.history[:1] != (old.champion.package,):
            found.append("the last champion is not the way back")
        if promoted and old.hold is not None:
            found.append("a promotion while held")
        if now is not None:
            found.append("a challenger was kept beside a new champion")
    elif now is not None and (was is None or was.package != now.package):
        if was is not None or now.stage != "shadow" or now.package in old.rejected:
            found.append(f"{now.package} came to be challenger in {now.stage}, after {was}")
        if old.hold is not None:
            found.append("a proposal while held")
    elif was is not None and now is not None and was != now:
        if (was.stage, now.stage) != ("shadow", "canary"):
            found.append(f"{was.stage} became {now.stage}")
        if old.hold is not None:
            found.append("a canary while held")
    elif was is not None and now is None and was.package not in (*new.rejected, *new.withdrawn):
        found.append(f"{was.package} left without a word")
    return found
