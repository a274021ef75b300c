"""The state machine of a release, pure: a release file and an event in, the next release file or a refusal out.

       propose          advance          advance
none ──────────▶ shadow ────────▶ canary ────────▶ champion (the old one goes to history)
  ▲                │ reject         │ reject
  └────────────────┴────────────────┘   withdraw ends a trial without rejecting; rollback takes one of history

patch brings what was proved to answer as the champion from none to canary at once.
hold stops what goes forward (propose, patch, advance) until resume; what goes back is never stopped.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from endpoints.release.file import HISTORY_LENGTH, Challenger, Champion, Hold, ReleaseFile, short
from sluice.clock import iso
from sluice.errors import SluiceError


class IllegalTransitionError(SluiceError):
    """The release is in a state from which this step cannot be taken."""


def initialise(release: ReleaseFile, package: str, version: str) -> ReleaseFile:
    """The incumbent becomes the first champion.

    Raises:
        IllegalTransitionError: if there is a champion already.
    """
    if release.champion is not None:
        raise IllegalTransitionError(
            f"{short(release.champion.package)} is champion already",
            "A new version comes by `sluice release propose`.",
        )
    _refuse_rejected(release, package)
    return release.model_copy(update={"champion": Champion(package=package, version=version)})


def propose(release: ReleaseFile, package: str, version: str, now: datetime) -> ReleaseFile:
    """The package becomes challenger, in shadow. Proposing it again changes nothing: events come twice.

    Raises:
        IllegalTransitionError: without a champion; if the package was rejected, is champion, or another is tried;
            while the release is held.
    """
    if release.champion is None:
        raise IllegalTransitionError(
            "there is no champion to run beside", "Make the incumbent the first one by `sluice release init`."
        )
    _refuse_rejected(release, package)
    if release.champion.package == package:
        raise IllegalTransitionError(f"{short(package)} is the champion")
    if release.challenger is not None:
        if release.challenger.package == package:
            return release
        raise IllegalTransitionError(
            f"{short(release.challenger.package)} is in {release.challenger.stage}; one challenger is tried at a time",
            f"{short(package)} waits until that one is live, or is rejected or withdrawn.",
        )
    refuse_held(release)
    withdrawn = tuple(each for each in release.withdrawn if each != package)
    challenger = Challenger(package=package, version=version, stage="shadow", since=now)
    return _with(release.model_copy(update={"withdrawn": withdrawn}), challenger)


def advance(
    release: ReleaseFile, now: datetime, evidence: str | None = None, forced: str | None = None
) -> ReleaseFile:
    """From shadow to canary, from canary to champion.

    Args:
        evidence: S3 URI of what the shadow showed, recorded with the canary.
        forced: why it leaves the shadow without a pass, recorded with the canary.

    Raises:
        IllegalTransitionError: without a challenger; while the release is held.
    """
    challenger = _challenger(release, "advance")
    refuse_held(release)
    if challenger.stage == "shadow":
        step = {
            "stage": "canary",
            "since": now,
            "evidence": evidence or challenger.evidence,
            "forced": forced,
        }
        return _with(release, challenger.model_copy(update=step))
    assert release.champion is not None  # the file's own rule: no challenger without a champion
    return _with(
        release.model_copy(
            update={
                "champion": Champion(
                    package=challenger.package,
                    version=challenger.version,
                    since=now,
                    evidence=challenger.evidence,
                    forced=challenger.forced,
                ),
                "history": _history((release.champion.package, *release.history), without=challenger.package),
            }
        ),
        None,
    )


def patch(release: ReleaseFile, package: str, version: str, now: datetime, evidence: str) -> ReleaseFile:
    """The champion's model in a patched image goes into canary without a shadow stage.

    Args:
        evidence: S3 URI of what shows that it answers as the champion.

    Raises:
        IllegalTransitionError: without a champion; if the package was rejected or is champion, or one is tried; while
            the release is held.
    """
    if release.challenger is not None:
        raise IllegalTransitionError(
            f"{short(release.challenger.package)} is in {release.challenger.stage}; one challenger is tried at a time",
            "A patch waits until that one is live, or is rejected or withdrawn.",
        )
    proposed = propose(release, package, version, now)
    return advance(proposed, now, evidence)


def reject(release: ReleaseFile) -> ReleaseFile:
    """The challenger is never deployed again, and leaves.

    Raises:
        IllegalTransitionError: without a challenger.
    """
    challenger = _challenger(release, "reject")
    return _with(_rejecting(release, challenger.package), None)


def withdraw(release: ReleaseFile) -> ReleaseFile:
    """The challenger leaves without a verdict, and may be proposed again.

    Raises:
        IllegalTransitionError: without a challenger.
    """
    package = _challenger(release, "withdraw").package
    ended = tuple(dict.fromkeys((package, *release.withdrawn)))[:HISTORY_LENGTH]
    return _with(release.model_copy(update={"withdrawn": ended}), None)


def expired(release: ReleaseFile, now: datetime, maximum: timedelta) -> bool:
    """Whether the challenger has been in shadow for longer than `maximum` without being decided on."""
    challenger = release.challenger
    return challenger is not None and challenger.stage == "shadow" and now - challenger.since > maximum


def expire(release: ReleaseFile, now: datetime, maximum: timedelta) -> ReleaseFile:
    """An undecided challenger leaves when its time is up: nothing is known against it, so it is not rejected.

    Raises:
        IllegalTransitionError: if its time is not up.
    """
    if not expired(release, now, maximum):
        raise IllegalTransitionError("no challenger has been in shadow for longer than it may")
    return withdraw(release)


def rollback(
    release: ReleaseFile, version: str, package: str | None = None, why: str | None = None
) -> ReleaseFile:
    """One of history becomes champion again, and the champion is rejected. A challenger was compared with what has
    failed, so its trial ends without a verdict. Champions between the two leave the history: that one went past them
    says nothing for them, and nothing against them.

    Args:
        version: of the package that comes back, as the registry gives it.
        package: which; None is the newest of history.
        why: recorded with the champion that comes back, which has no evidence but that it answered before.

    Raises:
        IllegalTransitionError: if there is no champion, none before it, or a canary is taking its place just now.
    """
    if release.champion is None:
        raise IllegalTransitionError("there is no champion to roll back from")
    if release.challenger is not None and release.challenger.stage == "canary":
        raise IllegalTransitionError(
            f"{short(release.challenger.package)} is in canary, and an endpoint makes one change at a time",
            "Turn it back by `sluice release abort`, then `sluice release reject`; after that roll back.",
        )
    if not release.history:
        raise IllegalTransitionError(
            f"{short(release.champion.package)} is the first champion; there is none before it to go back to",
            "Propose another package by `sluice release propose`.",
        )
    back = release.history[0] if package is None else package
    if back not in release.history:
        known = ", ".join(map(short, release.history))
        raise IllegalTransitionError(
            f"{short(back)} is not in the history, so it is not known to work", f"The way back is: {known}."
        )
    return _back(release, back, version, why)


def adopt(release: ReleaseFile, package: str, version: str, why: str | None = None) -> ReleaseFile:
    """The file says what is live, after somebody put it there past the file. What is champion already stays, and a
    canary that never took its place ends without a verdict; one of history comes back as by `rollback`.

    Raises:
        IllegalTransitionError: if what is live never was champion.
    """
    if release.champion is None:
        return initialise(release, package, version)
    if package == release.champion.package:
        canary = release.challenger is not None and release.challenger.stage == "canary"
        return withdraw(release) if canary else release
    if release.challenger is not None and package == release.challenger.package:
        raise IllegalTransitionError(
            f"what is live is the challenger, {short(package)}",
            "`sluice release advance` makes it champion, `sluice release reject` ends it.",
        )
    if package not in release.history:
        raise IllegalTransitionError(
            f"{short(package)} is live and never was champion",
            "Put a champion back by `sluice release break-glass`, then propose this one.",
        )
    ended = release if release.challenger is None else withdraw(release)
    return _back(ended, package, version, why)


def hold(release: ReleaseFile, by: str, why: str, now: datetime) -> ReleaseFile:
    """Nothing goes forward from here. Holding again keeps the first reason's moment and says the new reason."""
    since = now if release.hold is None else release.hold.since
    return release.model_copy(update={"hold": Hold(by=by, why=why, since=since)})


def resume(release: ReleaseFile) -> ReleaseFile:
    """What is held goes on.

    Raises:
        IllegalTransitionError: if nothing is held.
    """
    if release.hold is None:
        raise IllegalTransitionError("the release is not held", "`sluice release hold` does that.")
    return release.model_copy(update={"hold": None})


def _back(release: ReleaseFile, back: str, version: str, why: str | None) -> ReleaseFile:
    assert release.champion is not None  # both callers have looked
    failed, older = release.champion.package, release.history[release.history.index(back) + 1 :]
    champion = Champion(package=back, version=version, forced=why)
    moved = release.model_copy(update={"champion": champion, "history": older})
    return _with(_rejecting(moved, failed), None)


def _with(release: ReleaseFile, challenger: Challenger | None) -> ReleaseFile:
    """The release with that challenger, held to the file's own rules."""
    return ReleaseFile.model_validate(release.model_copy(update={"challenger": challenger}).model_dump())


def _challenger(release: ReleaseFile, step: str) -> Challenger:
    if release.challenger is None:
        raise IllegalTransitionError(
            f"there is no challenger to {step}", "A new version comes by `sluice release propose`."
        )
    return release.challenger


def refuse_held(release: ReleaseFile) -> None:
    """
    Raises:
        IllegalTransitionError: while the release is held.
    """
    if release.hold is not None:
        raise IllegalTransitionError(
            f"the release is held by {release.hold.by} since {iso(release.hold.since)}: {release.hold.why}",
            "Nothing goes forward until `sluice release resume`; `abort`, `reject` and `rollback` work.",
        )


def _refuse_rejected(release: ReleaseFile, package: str) -> None:
    if package in release.rejected:
        raise IllegalTransitionError(
            f"{short(package)} was rejected and is never deployed again",
            "Train a new version and propose that.",
        )


def _rejecting(release: ReleaseFile, package: str) -> ReleaseFile:
    return release.model_copy(
        update={
            "history": _history(release.history, without=package),
            "rejected": (*release.rejected, *(() if package in release.rejected else (package,))),
        }
    )


def _history(packages: Iterable[str], without: str) -> tuple[str, ...]:
    kept = dict.fromkeys(package for package in packages if package != without)
    return tuple(kept)[:HISTORY_LENGTH]
