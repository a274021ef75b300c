"""The next step by table and over any release; then whole flows, killed wherever they can be."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from endpoints.plan import plan
from endpoints.release import back, flow, operations, runner, transitions
from endpoints.release.file import ReleaseFile
from endpoints.release.flow import (
    Advance,
    Approve,
    Ask,
    Candidate,
    Deploy,
    Facts,
    Propose,
    Reject,
    Rules,
    Step,
    Wait,
    next_step,
)
from endpoints.release.opinion import Opinion
from endpoints.release.serving import Serving
from endpoints.release.target import Target
from sluice.errors import SluiceError
from tests.endpoints.release.simulation import ENDPOINT, NOON, Simulation, arn, model_of
from tests.endpoints.release.test_transitions import release
from workloads.contract import Release

WEEK = timedelta(days=7)
PASS = Opinion(verdict="pass", reason="all is well")
FAIL = Opinion(verdict="fail", reason="it disagrees")
UNDECIDED = Opinion(verdict="undecided", reason="40 pairs; 500 are needed")


def rules(on_undecided: str = "ask", approval: str = "automatic") -> Rules:
    shown = Release.model_validate({"maximum_duration": WEEK, "on_undecided": on_undecided})
    return Rules.model_validate({"release": shown, "approval": approval})


def candidates(*numbers: int, unapproved: tuple[int, ...] = ()) -> tuple[Candidate, ...]:
    every = (*numbers, *unapproved)
    return tuple(Candidate(package=arn(n), version=f"1.{n}", approved=n not in unapproved) for n in every)


def serves(production: int | None, shadow: int | None = None, **more: Any) -> Serving:
    given = {
        "status": "InService",
        "config": "c",
        "pending": None,
        "production": production and arn(production),
        "shadow": shadow and arn(shadow),
        "refused": None,
        "glass": None,
        **more,
    }
    return Serving.model_validate(given)


def refused(file: ReleaseFile) -> str:
    wanted = plan(file)
    assert wanted is not None
    return wanted.release


LIVE, SHADOW, CANARY = (
    release(2, history=(1,)),
    release(2, (3, "shadow"), (1,)),
    release(2, (3, "canary"), (1,)),
)
HELD = SHADOW.model_copy(update={"hold": transitions.hold(SHADOW, "ada", "an incident", NOON).hold})
LATE = NOON + WEEK + timedelta(seconds=1)

TABLE: list[tuple[str, ReleaseFile, Facts, Rules, datetime, Step]] = [
    (
        "no champion",
        release(),
        Facts(packages=candidates(1), serving=serves(None, status=None)),
        rules(),
        NOON,
        Ask("there is no champion: sluice release init"),
    ),
    (
        "the newest approved one starts",
        LIVE,
        Facts(packages=candidates(2, 3, 4, 1), serving=serves(2)),
        rules(),
        NOON,
        Propose(arn(4), "1.4"),
    ),
    (
        "approved by the workload",
        LIVE,
        Facts(packages=candidates(2, 3, unapproved=(4,)), serving=serves(2)),
        rules(),
        NOON,
        Approve(arn(4), "1.4"),
    ),
    (
        "one that waits for a person holds up no older one",
        LIVE,
        Facts(packages=candidates(2, 3, unapproved=(4,)), serving=serves(2)),
        rules(approval="manual"),
        NOON,
        Propose(arn(3), "1.3"),
    ),
    (
        "a person has to approve",
        LIVE,
        Facts(packages=candidates(2, unapproved=(4,)), serving=serves(2)),
        rules(approval="manual"),
        NOON,
        Wait("flights/4 (version 1.4) waits for approval", idle=True),
    ),
    (
        "all were tried, or are older",
        release(2, history=(1,), rejected=(4,), withdrawn=(5,)),
        Facts(packages=candidates(1, 2, 4, 5), serving=serves(2)),
        rules(),
        NOON,
        Wait("nothing is on trial, and there is no new version", idle=True),
    ),
    (
        "what is newer than the model of a patched champion waits for no newer number",
        release(7, history=(2,)),
        Facts(packages=candidates(2, 5), serving=serves(7), patched=arn(2)),
        rules(),
        NOON,
        Propose(arn(5), "1.5"),
    ),
    (
        "a late loss is proposed to be taken back",
        LIVE,
        Facts(packages=candidates(1, 2), serving=serves(2), opinion=FAIL),
        rules(),
        NOON,
        Ask(
            "1.2 is live and does not keep what it promised: it disagrees. Go back: "
            "`sluice release rollback --why …`; or let a newer version take its place"
        ),
    ),
    (
        "a newer one may be the cure of a late loss",
        LIVE,
        Facts(packages=candidates(2, 3), serving=serves(2), opinion=FAIL),
        rules(),
        NOON,
        Propose(arn(3), "1.3"),
    ),
    (
        "a newer one waits while one is on trial",
        SHADOW,
        Facts(packages=candidates(2, 3, 4), serving=serves(2, 3), opinion=UNDECIDED),
        rules(),
        NOON,
        Wait("1.3 is in shadow: 40 pairs; 500 are needed"),
    ),
    (
        "killed before the deployment of the shadow",
        SHADOW,
        Facts(packages=(), serving=serves(2)),
        rules(),
        NOON,
        Deploy("the endpoint is InService on c, which is not what the file says (shadow)"),
    ),
    (
        "joins what is under way",
        SHADOW,
        Facts(packages=(), serving=serves(2, status="Updating", pending="d")),
        rules(),
        NOON,
        Deploy("an update to d is under way"),
    ),
    (
        "the autoscaler is no deployment",
        SHADOW,
        Facts(packages=(), serving=serves(2, 3, status="Updating"), opinion=PASS),
        rules(),
        NOON,
        Advance("all is well"),
    ),
    (
        "pass",
        SHADOW,
        Facts(packages=(), serving=serves(2, 3), opinion=PASS),
        rules(),
        LATE,
        Advance("all is well"),
    ),
    (
        "fail",
        SHADOW,
        Facts(packages=(), serving=serves(2, 3), opinion=FAIL),
        rules(),
        NOON,
        Reject("it disagrees"),
    ),
    (
        "no opinion is no pass",
        SHADOW,
        Facts(packages=(), serving=serves(2, 3)),
        rules("reject"),
        NOON,
        Wait("1.3 is in shadow: there is no opinion of it"),
    ),
    (
        "its time is up: reject",
        SHADOW,
        Facts(packages=(), serving=serves(2, 3), opinion=UNDECIDED),
        rules("reject"),
        LATE,
        Reject("undecided after 7 days, 0:00:00: 40 pairs; 500 are needed"),
    ),
    (
        "its time is up: promote",
        SHADOW,
        Facts(packages=(), serving=serves(2, 3), opinion=UNDECIDED),
        rules("promote"),
        LATE,
        Advance("undecided after 7 days, 0:00:00: 40 pairs; 500 are needed", force=True),
    ),
    (
        "its time is up: ask",
        SHADOW,
        Facts(packages=(), serving=serves(2, 3), opinion=UNDECIDED),
        rules("ask"),
        LATE,
        Ask(
            "1.3 is undecided after 7 days, 0:00:00: 40 pairs; 500 are needed. Decide: "
            "`sluice release advance --force --why …`, `reject` or `withdraw`"
        ),
    ),
    ("canary", CANARY, Facts(packages=(), serving=serves(2, 3)), rules(), NOON, Advance("its canary")),
    (
        "its canary is done",
        CANARY,
        Facts(packages=(), serving=serves(3)),
        rules(),
        NOON,
        Advance("its canary"),
    ),
    (
        "turned back",
        CANARY,
        Facts(packages=(), serving=serves(2, 3, refused=refused(CANARY))),
        rules(),
        NOON,
        Reject("SageMaker turned 1.3 back in canary"),
    ),
    (
        "what was turned back before says nothing of this one",
        CANARY,
        Facts(packages=(), serving=serves(2, 3, refused="0123456789abcdef")),
        rules(),
        NOON,
        Advance("its canary"),
    ),
    ("held", HELD, Facts(packages=(), serving=serves(2)), rules(), LATE, Wait("held by ada: an incident")),
    (
        "turned back while held",
        HELD,
        Facts(packages=(), serving=serves(2, refused=refused(HELD))),
        rules(),
        NOON,
        Reject("SageMaker turned 1.3 back in shadow"),
    ),
    (
        "the glass is broken",
        LIVE,
        Facts(packages=candidates(4), serving=serves(1, glass="ada broke the glass")),
        rules(),
        NOON,
        Ask("ada broke the glass; the release file does not say so: sluice release adopt"),
    ),
    (
        "the glass was broken, and the file agrees",
        LIVE,
        Facts(packages=candidates(4), serving=serves(2, glass="ada broke the glass")),
        rules(),
        NOON,
        Propose(arn(4), "1.4"),
    ),
]


@pytest.mark.parametrize(
    ("file", "seen", "rule", "now", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_the_next_step(file: ReleaseFile, seen: Facts, rule: Rules, now: datetime, expected: Step) -> None:
    assert next_step(file, seen, rule, now) == expected


packages = st.integers(1, 6)


@st.composite
def releases(draw: Any) -> ReleaseFile:
    """Any that the file's own rules allow."""
    champion, challenger, *rest = draw(st.permutations(range(1, 7)))
    history, rejected, withdrawn = (
        rest[: draw(st.integers(0, 2))],
        rest[2 : 2 + draw(st.integers(0, 1))],
        rest[3:],
    )
    stage = draw(st.sampled_from([None, "shadow", "canary"]))
    return release(
        champion,
        None if stage is None else (challenger, stage),
        tuple(history),
        tuple(rejected),
        withdrawn=tuple(withdrawn),
        held=draw(st.booleans()),
    )


@settings(max_examples=300)
@given(
    file=releases(),
    approved=st.sets(packages),
    pending=st.sets(packages),
    production=packages,
    shadow=st.none() | packages,
    status=st.sampled_from(["InService", "Updating", "RollingBack", "Failed"]),
    in_flight=st.booleans(),
    was_refused=st.booleans(),
    glass=st.booleans(),
    opinion=st.none() | st.sampled_from([PASS, FAIL, UNDECIDED]),
    on_undecided=st.sampled_from(["reject", "promote", "ask"]),
    days=st.integers(0, 9),
)
def test_whatever_is_seen(
    file: ReleaseFile,
    approved: set[int],
    pending: set[int],
    production: int,
    shadow: int | None,
    status: str,
    in_flight: bool,
    was_refused: bool,
    glass: bool,
    opinion: Opinion | None,
    on_undecided: str,
    days: int,
) -> None:
    seen = serves(
        production,
        shadow,
        status=status,
        pending="d" if in_flight else None,
        refused=refused(file) if was_refused else None,
        glass="broken" if glass else None,
    )
    facts = Facts(
        packages=candidates(*approved - pending, unapproved=tuple(pending)), serving=seen, opinion=opinion
    )
    now = NOON + timedelta(days=days)
    step = next_step(file, facts, rules(on_undecided), now)
    # The same facts, the same step.
    assert step == next_step(file, facts, rules(on_undecided), now)
    wanted = plan(file)
    assert wanted is not None
    tried = {*file.rejected, *file.withdrawn, *file.history}
    if isinstance(step, Propose | Approve):
        assert file.challenger is None and step.package not in tried
        assert (step.package in {arn(n) for n in approved - pending}) == isinstance(step, Propose)
    if isinstance(step, Propose | Approve | Advance | Deploy):
        assert file.hold is None and not (glass and seen.production != wanted.production.package)
        assert file.challenger is None or not was_refused
    if isinstance(step, Advance) and file.challenger is not None and file.challenger.stage == "shadow":
        assert opinion == PASS or (step.force and on_undecided == "promote" and days > 7 and opinion != FAIL)
        assert flow.deployed(file, seen)
    if isinstance(step, Reject):
        assert file.challenger is not None
        assert was_refused or opinion == FAIL or (on_undecided == "reject" and days > 7)


class Killed(BaseException):
    """SIGKILL: nothing catches it."""


@dataclass
class World:
    """A simulation whose flow is killed at the moments of a list, counted over all that lasts."""

    simulation: Simulation
    kills: set[int] = field(default_factory=set)
    moments: int = 0
    opinions: dict[str, Opinion] = field(default_factory=dict)
    steps: list[str] = field(default_factory=list)

    def moment(self, _: str = "") -> None:
        self.moments += 1
        if self.moments in self.kills:
            raise Killed

    def think(self, _: Target, file: ReleaseFile) -> Opinion:
        if file.challenger is None:
            return UNDECIDED
        return self.opinions.get(file.challenger.version, PASS)

    def flow(self) -> None:
        """Until it is idle, begun again after each kill."""
        while True:
            try:
                runner.run(
                    self.simulation.target,
                    5.0,
                    lambda step: self.steps.append(type(step).__name__),
                    until_idle=True,
                    think=self.think,
                )
            except Killed:
                continue
            return


def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kills: set[int]) -> World:
    """1 is the incumbent and champion, 2 (version 1.0) has just been registered and waits for its approval."""
    monkeypatch.setenv("SLUICE_LOCAL", str(tmp_path / "local"))
    simulation = Simulation()
    simulation.package(1, "0")
    operations.initialise(simulation.target, None, "start")
    simulation.package(2, "1.0", "PendingManualApproval")
    made = World(simulation, kills)
    simulation.crash = made.moment
    store = type(simulation.target.store)
    change = store.change

    def killable(self: Any, *arguments: Any, **named: Any) -> Any:
        made.moment()
        after = change(self, *arguments, **named)
        made.moment()
        return after

    monkeypatch.setattr(store, "change", killable)
    # The evidence is not what is tried here.
    monkeypatch.setattr(operations, "look", lambda target, file: Looked(made.think(target, file)))
    return made


@dataclass
class Looked:
    opinion: Opinion

    def evidence(self, _: Any, exact: bool = True) -> str:
        return "s3://evidence"


def ends(world: World) -> tuple[Any, ...]:
    simulation = world.simulation
    file = simulation.target.read()
    assert file.champion is not None
    return (file.champion.version, file.challenger, file.history, file.rejected, simulation.live())


def test_a_good_model_goes_live_with_no_hand_on_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = world(tmp_path, monkeypatch, set())
    made.flow()
    assert made.steps == ["Approve", "Propose", "Advance", "Wait"]
    assert ends(made) == ("1.0", None, (arn(1),), (), model_of(arn(2)))
    assert made.simulation.aws.approvals[2] == "Approved"


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kills=st.sets(st.integers(1, 24), max_size=6), end=st.sampled_from(["good", "bad", "turned back"]))
def test_killed_anywhere_it_ends_the_same(
    tmp_path_factory: pytest.TempPathFactory, kills: set[int], end: str
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        made = world(tmp_path_factory.mktemp("flow"), patch, kills)
        if end == "bad":
            made.opinions["1.0"] = FAIL
        if end == "turned back":
            # The shadow comes up well; then each canary of it rings.
            made.simulation.aws.ends += ["ok", "alarm"]
        made.flow()
        expected: dict[str, tuple[Any, ...]] = {
            "good": ("1.0", None, (arn(1),), (), model_of(arn(2))),
            "bad": ("0", None, (), (arn(2),), model_of(arn(1))),
            "turned back": ("0", None, (), (arn(2),), model_of(arn(1))),
        }
        assert ends(made) == expected[end]
        # Nothing is left of the trial.
        assert not made.simulation.aws.endpoints[ENDPOINT]["ShadowProductionVariants"]


def test_a_newer_version_follows_the_one_on_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = world(tmp_path, monkeypatch, set())
    made.opinions = {"1.0": UNDECIDED}
    for _ in range(3):
        runner.once(made.simulation.target, made.think)
    made.simulation.package(3, "1.1", "Approved")
    assert isinstance(runner.once(made.simulation.target, made.think), Wait)
    made.opinions = {"1.0": FAIL}
    made.flow()
    assert ends(made) == ("1.1", None, (arn(1),), (arn(2),), model_of(arn(3)))


def test_held_it_waits_and_the_way_back_is_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = world(tmp_path, monkeypatch, set())
    target = made.simulation.target
    for _ in range(2):
        runner.once(target, made.think)
    operations.hold(target, "an incident")
    assert runner.once(target, made.think) == Wait("held by ada: an incident")
    for step in (lambda: operations.advance(target, "go", force=True),):
        with pytest.raises(SluiceError, match=r"held by ada since .*an incident.*sluice release resume"):
            step()
    operations.resume(target, "over")
    made.flow()
    operations.hold(target, "again")
    back.rollback(target, "it is bad")
    assert ends(made)[:4] == ("0", None, (), (arn(2),))


def test_what_a_person_withdrew_is_not_proposed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = world(tmp_path, monkeypatch, set())
    target = made.simulation.target
    made.opinions = {"1.0": UNDECIDED}
    for _ in range(2):
        runner.once(target, made.think)
    operations.withdraw(target, "not now")
    made.flow()
    assert ends(made)[:4] == ("0", None, (), ())
    assert operations.propose(target, "1.0", "now").challenger is not None


def test_one_that_asks_ends_a_run_until_idle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = world(tmp_path, monkeypatch, set())
    made.opinions = {"1.0": UNDECIDED}
    for _ in range(2):
        runner.once(made.simulation.target, made.think)
    made.simulation.clock.sleep(8 * 24 * 3600)
    with pytest.raises(SluiceError, match=r"a person has to decide about flights: 1\.0 is undecided"):
        made.flow()


def test_a_step_that_was_decided_on_another_file_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = world(tmp_path, monkeypatch, set())
    target = made.simulation.target
    for _ in range(2):
        runner.once(target, made.think)
    before = target.read()
    operations.hold(target, "in between")
    operations.resume(target, "over")
    operations.withdraw(target, "in between")
    steps: list[Callable[[], object]] = [
        lambda: runner.take(target, Advance("late", force=True), before),
        lambda: runner.take(target, Reject("late"), before),
    ]
    for step in steps:
        with pytest.raises(SluiceError, match="changed in the meantime"):
            step()
    assert target.read().rejected == ()


def test_a_throttle_that_lasts_is_a_failure_that_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = world(tmp_path, monkeypatch, set())
    answers = iter(["ThrottlingException", "ThrottlingException"])
    think = made.think

    def throttled(target: Target, file: ReleaseFile) -> Opinion:
        if (code := next(answers, None)) is not None:
            raise ClientError({"Error": {"Code": code, "Message": "Rate exceeded"}}, "DescribeEndpoint")
        return think(target, file)

    monkeypatch.setattr(made, "think", throttled)
    made.flow()
    champion = made.simulation.target.read().champion
    assert champion is not None and champion.version == "1.0"
    assert made.steps.count("SluiceError") == 2
