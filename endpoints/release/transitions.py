"""The state machine of a release, pure: a release file and an event in, the next release file or a refusal out.

       propose          advance          advance
none ──────────▶ shadow ────────▶ canary ────────▶ champion (the old one goes to history)
  ▲                │ reject         │ reject
  └────────────────┴────────────────┘   withdraw ends a trial without rejecting; rollback takes the newest of history
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from endpoints.release.file import HISTORY_LENGTH, Challenger, Champion, ReleaseFile, short
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
        IllegalTransitionError: without a champion; if the package was rejected, is champion, or another is tried.
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
    return _with(release, Challenger(package=package, version=version, stage="shadow", since=now))


def advance(release: ReleaseFile, now: datetime, evidence: str | None = None) -> ReleaseFile:
    """From shadow to canary, from canary to champion.

    Args:
        evidence: S3 URI of what the shadow showed, recorded with the canary.

    Raises:
        IllegalTransitionError: without a challenger.
    """
    challenger = _challenger(release, "advance")
    if challenger.stage == "shadow":
        step = {"stage": "canary", "since": now, "evidence": evidence or challenger.evidence}
        return _with(release, challenger.model_copy(update=step))
    assert release.champion is not None  # the file's own rule: no challenger without a champion
    return _with(
        release.model_copy(
            update={
                "champion": Champion(package=challenger.package, version=challenger.version),
                "history": _history((release.champion.package, *release.history), without=challenger.package),
            }
        ),
        None,
    )


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
    _challenger(release, "withdraw")
    return _with(release, None)


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


def rollback(release: ReleaseFile, version: str) -> ReleaseFile:
    """The newest of history becomes champion again; the champion is rejected, and so is a trial's end: the
    challenger was compared with what has failed, so it leaves without a verdict.

    Args:
        version: of the package that comes back, as the registry gives it.

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
    back = release.history[0]
    failed = release.champion.package
    moved = release.model_copy(
        update={"champion": Champion(package=back, version=version), "history": release.history[1:]}
    )
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
