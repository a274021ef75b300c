"""Every step from every state by table, then any sequence of steps by machine."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from endpoints.release import transitions
from endpoints.release.file import HISTORY_LENGTH, Challenger, Champion, Hold, ReleaseFile
from endpoints.release.transitions import IllegalTransitionError

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
WEEK = timedelta(days=7)


HOLD = Hold(by="ada", why="an incident", since=NOON)


def arn(version: int) -> str:
    return f"arn:aws:sagemaker:us-east-1:123456789012:model-package/flights/{version}"


def release(
    champion: int | None = None,
    challenger: tuple[int, str] | None = None,
    history: tuple[int, ...] = (),
    rejected: tuple[int, ...] = (),
    evidence: str | None = None,
    since: datetime = NOON,
    withdrawn: tuple[int, ...] = (),
    held: bool = False,
) -> ReleaseFile:
    return ReleaseFile(
        champion=None if champion is None else Champion(package=arn(champion), version=f"1.{champion}"),
        challenger=None
        if challenger is None
        else Challenger.model_validate(
            {
                "package": arn(challenger[0]),
                "version": f"1.{challenger[0]}",
                "stage": challenger[1],
                "since": since,
                "evidence": evidence,
            }
        ),
        history=tuple(map(arn, history)),
        rejected=tuple(map(arn, rejected)),
        withdrawn=tuple(map(arn, withdrawn)),
        hold=HOLD if held else None,
    )


STATES = {
    "empty": release(),
    "live": release(1),
    "live with history": release(2, history=(1,), rejected=(9,)),
    "shadow": release(2, (3, "shadow"), (1,)),
    "canary": release(2, (3, "canary"), (1,)),
    "shadow on the first": release(1, (3, "shadow")),
    "live with a longer history": release(4, history=(3, 2, 1), withdrawn=(5,)),
    "held live": release(2, history=(1,), held=True),
    "held shadow": release(2, (3, "shadow"), (1,), held=True),
    "held canary": release(2, (3, "canary"), (1,), held=True),
}

Step = Callable[[ReleaseFile], ReleaseFile]
STEPS: dict[str, Step] = {
    "initialise": lambda r: transitions.initialise(r, arn(5), "1.5"),
    "propose": lambda r: transitions.propose(r, arn(5), "1.5", LATER),
    "propose again": lambda r: transitions.propose(r, arn(3), "1.3", LATER),
    "propose the champion": lambda r: transitions.propose(r, arn(2), "1.2", LATER),
    "propose a rejected": lambda r: transitions.propose(r, arn(9), "1.9", LATER),
    "advance": lambda r: transitions.advance(r, LATER, "s3://a/b"),
    "patch": lambda r: transitions.patch(r, arn(5), "1.5", LATER, "s3://a/b"),
    "patch with one on trial": lambda r: transitions.patch(r, arn(3), "1.3", LATER, "s3://a/b"),
    "patch with a rejected": lambda r: transitions.patch(r, arn(9), "1.9", LATER, "s3://a/b"),
    "reject": transitions.reject,
    "withdraw": transitions.withdraw,
    "expire early": lambda r: transitions.expire(r, LATER, WEEK),
    "expire": lambda r: transitions.expire(r, NOON + WEEK + timedelta(seconds=1), WEEK),
    "rollback": lambda r: transitions.rollback(r, "1.1"),
    "rollback to 2": lambda r: transitions.rollback(r, "1.2", arn(2)),
    "adopt 2": lambda r: transitions.adopt(r, arn(2), "1.2"),
    "adopt 1": lambda r: transitions.adopt(r, arn(1), "1.1"),
    "hold": lambda r: transitions.hold(r, "ada", "an incident", NOON),
    "resume": transitions.resume,
}

# None is refused. What is not in the table of a step is refused.
LEGAL: dict[str, dict[str, ReleaseFile]] = {
    "initialise": {"empty": release(5)},
    "propose": {
        "live": release(1, (5, "shadow"), since=LATER),
        "live with history": release(2, (5, "shadow"), (1,), (9,), since=LATER),
        # Who proposes it knows that it was withdrawn.
        "live with a longer history": release(4, (5, "shadow"), (3, 2, 1), since=LATER),
    },
    "propose again": {
        "live": release(1, (3, "shadow"), since=LATER),
        "live with history": release(2, (3, "shadow"), (1,), (9,), since=LATER),
        "live with a longer history": release(4, (3, "shadow"), (3, 2, 1), withdrawn=(5,), since=LATER),
        "held shadow": release(2, (3, "shadow"), (1,), held=True),
        "held canary": release(2, (3, "canary"), (1,), held=True),
        "shadow": STATES["shadow"],
        "canary": STATES["canary"],
        "shadow on the first": STATES["shadow on the first"],
    },
    "propose the champion": {
        "live": release(1, (2, "shadow"), since=LATER),
        "live with a longer history": release(4, (2, "shadow"), (3, 2, 1), withdrawn=(5,), since=LATER),
    },
    "propose a rejected": {
        "live": release(1, (9, "shadow"), since=LATER),
        "live with a longer history": release(4, (9, "shadow"), (3, 2, 1), withdrawn=(5,), since=LATER),
    },
    "advance": {
        "shadow": release(2, (3, "canary"), (1,), evidence="s3://a/b", since=LATER),
        "canary": release(history=(2, 1), champion=3).model_copy(
            update={"champion": Champion(package=arn(3), version="1.3", since=LATER)}
        ),
        "shadow on the first": release(1, (3, "canary"), evidence="s3://a/b", since=LATER),
    },
    "patch": {
        "live": release(1, (5, "canary"), evidence="s3://a/b", since=LATER),
        "live with history": release(2, (5, "canary"), (1,), (9,), evidence="s3://a/b", since=LATER),
        "live with a longer history": release(4, (5, "canary"), (3, 2, 1), evidence="s3://a/b", since=LATER),
    },
    "patch with one on trial": {
        "live": release(1, (3, "canary"), evidence="s3://a/b", since=LATER),
        "live with history": release(2, (3, "canary"), (1,), (9,), evidence="s3://a/b", since=LATER),
        "live with a longer history": release(
            4, (3, "canary"), (3, 2, 1), evidence="s3://a/b", since=LATER, withdrawn=(5,)
        ),
    },
    "patch with a rejected": {
        "live": release(1, (9, "canary"), evidence="s3://a/b", since=LATER),
        "live with a longer history": release(
            4, (9, "canary"), (3, 2, 1), evidence="s3://a/b", since=LATER, withdrawn=(5,)
        ),
    },
    "reject": {
        "shadow": release(2, history=(1,), rejected=(3,)),
        "canary": release(2, history=(1,), rejected=(3,)),
        "shadow on the first": release(1, rejected=(3,)),
        "held shadow": release(2, history=(1,), rejected=(3,), held=True),
        "held canary": release(2, history=(1,), rejected=(3,), held=True),
    },
    "withdraw": {
        "shadow": release(2, history=(1,), withdrawn=(3,)),
        "canary": release(2, history=(1,), withdrawn=(3,)),
        "shadow on the first": release(1, withdrawn=(3,)),
        "held shadow": release(2, history=(1,), withdrawn=(3,), held=True),
        "held canary": release(2, history=(1,), withdrawn=(3,), held=True),
    },
    "expire early": {},
    "expire": {
        "shadow": release(2, history=(1,), withdrawn=(3,)),
        "shadow on the first": release(1, withdrawn=(3,)),
        "held shadow": release(2, history=(1,), withdrawn=(3,), held=True),
    },
    "rollback": {
        "live with history": release(1, rejected=(9, 2)),
        "shadow": release(1, rejected=(2,)),
        "live with a longer history": release(3, history=(2, 1), rejected=(4,), withdrawn=(5,)).model_copy(
            update={"champion": Champion(package=arn(3), version="1.1")}
        ),
        "held live": release(1, rejected=(2,), held=True),
        "held shadow": release(1, rejected=(2,), held=True),
    },
    "rollback to 2": {"live with a longer history": release(2, history=(1,), rejected=(4,), withdrawn=(5,))},
    "adopt 2": {
        "empty": release(2),
        "live with history": STATES["live with history"],
        "shadow": STATES["shadow"],
        "canary": release(2, history=(1,), withdrawn=(3,)),
        "live with a longer history": release(2, history=(1,), rejected=(4,), withdrawn=(5,)),
        "held live": STATES["held live"],
        "held shadow": STATES["held shadow"],
        "held canary": release(2, history=(1,), withdrawn=(3,), held=True),
    },
    "adopt 1": {
        "empty": release(1),
        "live": STATES["live"],
        "shadow on the first": STATES["shadow on the first"],
        "live with history": release(1, rejected=(9, 2)),
        "shadow": release(1, rejected=(2,), withdrawn=(3,)),
        "canary": release(1, rejected=(2,), withdrawn=(3,)),
        "live with a longer history": release(1, rejected=(4,), withdrawn=(5,)),
        "held live": release(1, rejected=(2,), held=True),
        "held shadow": release(1, rejected=(2,), withdrawn=(3,), held=True),
        "held canary": release(1, rejected=(2,), withdrawn=(3,), held=True),
    },
    "hold": {name: state.model_copy(update={"hold": HOLD}) for name, state in STATES.items()},
    "resume": {name: state.model_copy(update={"hold": None}) for name, state in STATES.items() if state.hold},
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("step", STEPS)
def test_every_step_from_every_state(state: str, step: str) -> None:
    expected = LEGAL[step].get(state)
    if expected is None:
        with pytest.raises(IllegalTransitionError):
            STEPS[step](STATES[state])
    else:
        assert STEPS[step](STATES[state]) == expected


def test_refusals_name_the_thing_and_the_way_out() -> None:
    with pytest.raises(IllegalTransitionError, match=r"flights/3 is in canary.*flights/5 waits"):
        STEPS["propose"](STATES["canary"])
    with pytest.raises(IllegalTransitionError, match=r"flights/9 was rejected.*Train a new version"):
        STEPS["propose a rejected"](STATES["live with history"])
    with pytest.raises(IllegalTransitionError, match=r"flights/3 is in shadow.*A patch waits"):
        STEPS["patch"](STATES["shadow"])
    with pytest.raises(IllegalTransitionError, match="sluice release abort"):
        STEPS["rollback"](STATES["canary"])


class Releases(RuleBasedStateMachine):
    """Any sequence of steps, legal or refused, keeps what an operator relies on."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOON
        self.release = ReleaseFile()
        self.was_champion: set[str] = set()
        self.ever_rejected: set[str] = set()

    @initialize()
    def first(self) -> None:
        self.step(lambda r: transitions.initialise(r, arn(1), "0"))

    def step(self, step: Step) -> None:
        before = self.release
        try:
            after = step(before)
        except IllegalTransitionError:
            return
        ReleaseFile.model_validate(after.model_dump())
        self.release = after
        if after.champion:
            self.was_champion.add(after.champion.package)
        self.ever_rejected |= set(after.rejected)
        if before.challenger and after.challenger and before.challenger.package != after.challenger.package:
            raise AssertionError("a challenger was replaced while it was tried")
        if before.hold and after.hold and after.champion != before.champion:
            # While it is held a champion only goes back.
            assert before.champion and after.champion and before.champion.package in after.rejected

    @rule(package=st.integers(1, 30))
    def propose(self, package: int) -> None:
        self.step(lambda r: transitions.propose(r, arn(package), f"1.{package}", self.now))

    @rule(package=st.integers(1, 30))
    def initialise(self, package: int) -> None:
        self.step(lambda r: transitions.initialise(r, arn(package), f"1.{package}"))

    @rule(days=st.integers(0, 9))
    def advance(self, days: int) -> None:
        self.now += timedelta(days=days)
        self.step(lambda r: transitions.advance(r, self.now))

    @rule(package=st.integers(1, 30))
    def patch(self, package: int) -> None:
        self.step(lambda r: transitions.patch(r, arn(package), f"1.{package}", self.now, "s3://a/b"))

    @rule(step=st.sampled_from([transitions.reject, transitions.withdraw]))
    def end(self, step: Step) -> None:
        self.step(step)

    @rule()
    def expire(self) -> None:
        self.step(lambda r: transitions.expire(r, self.now, WEEK))

    @rule()
    def rollback(self) -> None:
        self.step(lambda r: transitions.rollback(r, "1.0"))

    @rule(package=st.integers(1, 30))
    def rollback_to(self, package: int) -> None:
        self.step(lambda r: transitions.rollback(r, "1.0", arn(package)))

    @rule(package=st.integers(1, 30))
    def adopt(self, package: int) -> None:
        self.step(lambda r: transitions.adopt(r, arn(package), f"1.{package}"))

    @rule(held=st.booleans())
    def hold(self, held: bool) -> None:
        self.step(
            (lambda r: transitions.hold(r, "ada", "an incident", self.now)) if held else transitions.resume
        )

    @invariant()
    def there_is_always_a_champion(self) -> None:
        if self.was_champion:
            assert self.release.champion is not None

    @invariant()
    def what_was_rejected_stays_rejected_and_is_not_deployed(self) -> None:
        assert set(self.release.rejected) == self.ever_rejected
        deployed = {entry.package for entry in (self.release.champion, self.release.challenger) if entry}
        assert not deployed & self.ever_rejected

    @invariant()
    def the_way_back_is_known_to_work(self) -> None:
        assert len(self.release.history) <= HISTORY_LENGTH
        assert set(self.release.history) <= self.was_champion - self.ever_rejected


TestReleases = Releases.TestCase


def test_a_champion_keeps_what_it_was_promoted_on_and_a_canary_why_it_was_forced() -> None:
    canary = transitions.advance(STATES["shadow"], NOON, "s3://a/b", "the incident of Monday")
    assert canary.challenger is not None and canary.challenger.forced == "the incident of Monday"
    live = transitions.advance(canary, LATER)
    promoted = {"since": LATER, "evidence": "s3://a/b", "forced": "the incident of Monday"}
    assert live.champion == Champion(package=arn(3), version="1.3", **promoted)
    assert transitions.rollback(live, "1.2").champion == Champion(package=arn(2), version="1.2")
    back = transitions.rollback(live, "1.2", why="it lies").champion
    assert back == Champion(package=arn(2), version="1.2", forced="it lies")
