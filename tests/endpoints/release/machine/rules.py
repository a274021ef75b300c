"""The state machine: whatever may happen to a release, in any order."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from endpoints.release import back, live, operations, runner
from endpoints.release.file import ReleaseFile
from endpoints.release.flow import Advance, Ask, Reject, Step, Wait
from endpoints.release.opinion import Opinion
from tests.endpoints.release.machine.ending import the_same_end
from tests.endpoints.release.machine.git import MemoryGit
from tests.endpoints.release.machine.trouble import NONE, Trouble, troubles
from tests.endpoints.release.machine.world import World
from workloads.contract import Workload

OPINIONS = {
    verdict: Opinion(verdict=verdict, reason=f"it is a {verdict}")
    for verdict in ("pass", "fail", "undecided")
}
MOST = 5
"""Packages in the registry."""

opinions = st.sampled_from(["pass", "pass", "pass", "undecided", "fail"])
approvals = st.sampled_from(["Approved", "Approved", "Approved", "PendingManualApproval", "Rejected"])
versions = st.sampled_from([None, *map(str, range(1, MOST + 1))])


class ReleaseMachine(RuleBasedStateMachine):
    """One release, from its incumbent on."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="release-"))
        self.seen: list[tuple[Step, ReleaseFile]] = []
        self.numbers, self.deleted = 0, False

    def git(self) -> MemoryGit | None:
        """In memory; None is git itself."""
        return MemoryGit()

    @initialize(
        undecided=st.sampled_from(["ask", "reject", "promote"]),
        approval=st.sampled_from(["automatic", "manual"]),
        opinion=opinions,
        kill=st.integers(0, 999),
        newcomer=st.sampled_from([True, True, False, None]),
        mended=st.sampled_from([True, True, False]),
        past=st.sampled_from([2, 1, 0]),
        trial=st.booleans(),
        held=st.sampled_from([False, False, True]),
        trouble=st.just(NONE) | troubles,
    )
    def begin(
        self,
        undecided: str,
        approval: str,
        opinion: str,
        kill: int,
        newcomer: bool | None,
        mended: bool,
        past: int,
        trial: bool,
        held: bool,
        trouble: Trouble,
    ) -> None:
        """
        Args:
            opinion: that is had of a challenger at the end.
            kill: at which thousandth of all that happens at the end it is killed once.
            newcomer: whether the package that comes at the end is a bad one; None: none comes.
            mended: whether people then take away what holds the flow up.
            past: how many versions went live before.
            trial: whether one more is in shadow.
            held: whether nothing goes forward.
        """
        flights = Workload.load("flights")
        rules = flights.release.model_copy(update={"on_undecided": undecided})
        workload = flights.model_copy(update={"release": rules, "approval": approval})
        (self.root / "0").mkdir()
        self.world = World(self.root / "0", workload, self.git())
        self.last, self.kill, self.newcomer = OPINIONS[opinion], kill, newcomer
        self.mended, self.numbers = mended, 1
        self.world.register("0", "Approved", bad=False, kind="incumbent")
        self.a_person_initialises(trouble if past == 0 else NONE)
        for _ in range(past):
            self.a_package_is_registered("Approved", bad=False)
            self.the_flow_goes_on("pass", [NONE, NONE])
        if trial:
            self.a_package_is_registered("Approved", bad=past == 1)
            self.the_flow_takes_a_step("undecided", trouble)
        if held:
            self.a_person_holds(NONE)

    def run(self, call: Callable[[], Any], trouble: Trouble = NONE, adopts: bool = False) -> None:
        note(f"  {self.world.command(call, trouble, adopts)}")

    @property
    def file(self) -> ReleaseFile:
        return self.world.read()

    def teardown(self) -> None:
        try:
            if hasattr(self, "world") and not self.world.broken:
                self.finish()
        finally:
            shutil.rmtree(self.root)

    def finish(self) -> None:
        """Let all of it come to rest, twice: once without any trouble, and once killed in between."""
        self.world.opinion = self.last
        if self.mended:
            self.mend()
        if self.newcomer is not None:
            self.world.register("2.0", "Approved", self.newcomer)
        the_same_end(self.world, (self.root / "1", self.root / "2"), self.kill)

    def mend(self) -> None:
        """People approve what the file names, and let it go on."""
        if self.file.hold is not None:
            self.a_person_resumes(NONE)
        for package in self.world.undeployable():
            self.set_approval(package, "Approved")

    @invariant()
    def every_rule_holds(self) -> None:
        if hasattr(self, "world"):
            self.world.check()

    # the registry

    @precondition(lambda self: self.numbers < MOST)
    @rule(approval=approvals, bad=st.booleans())
    def a_package_is_registered(self, approval: str, bad: bool) -> None:
        self.numbers += 1
        self.world.register(f"1.{self.numbers}", approval, bad)

    @rule(number=st.integers(1, MOST))
    def a_package_is_approved(self, number: int) -> None:
        self.set_approval(self.package(number), "Approved")

    @precondition(lambda self: self.file.champion is not None)
    @rule(data=st.data(), approval=st.sampled_from(["PendingManualApproval", "Rejected"]))
    def an_approval_is_taken_back(self, data: st.DataObject, approval: str) -> None:
        """Of what the release file names: what it does not is of no interest."""
        release = self.file
        named = [entry.package for entry in (release.challenger, release.champion) if entry is not None]
        self.set_approval(data.draw(st.sampled_from([*named, *release.history])), approval)

    def set_approval(self, package: str | None, approval: str) -> None:
        if self.world.approval(package) is not None:
            given = {"ModelPackageArn": package, "ModelApprovalStatus": approval}
            self.world.aws.packages.update(given)

    @precondition(lambda self: not self.deleted)
    @rule(number=st.integers(2, MOST))
    def a_package_is_deleted(self, number: int) -> None:
        if (package := self.package(number)) is not None:
            self.deleted = True
            self.world.aws.packages.delete({"ModelPackageName": package})

    def package(self, number: int) -> str | None:
        known = list(self.world.aws.tables["model_packages"])
        return next((package for package in known if package.endswith(f"/{number}")), None)

    # the automatic flow

    @rule(opinion=opinions, trouble=troubles)
    def the_flow_takes_a_step(self, opinion: str, trouble: Trouble) -> None:
        world = self.world
        world.opinion = OPINIONS[opinion]

        def once() -> str:
            before = world.read()
            step = runner.once(world.target, lambda *_: world.opinion)
            if not isinstance(step, Wait | Ask):
                self.seen.append((step, before))
            return str(step)

        self.run(once, trouble)

    @rule(opinion=opinions, troubles=st.lists(troubles, min_size=2, max_size=5))
    def the_flow_goes_on(self, opinion: str, troubles: list[Trouble]) -> None:
        for trouble in troubles:
            self.the_flow_takes_a_step(opinion, trouble)

    @precondition(lambda self: self.seen)
    @rule(data=st.data(), trouble=troubles)
    def an_event_comes_again(self, data: st.DataObject, trouble: Trouble) -> None:
        step, before = self.seen[data.draw(st.integers(0, len(self.seen) - 1), "event")]
        now = self.file
        self.run(lambda: runner.take(self.world.target, step, before), trouble)
        if isinstance(step, Advance | Reject) and now != before:
            assert self.file == now, "a step was taken that another file had asked for"

    # people

    @precondition(lambda self: self.file.champion is None)
    @rule(trouble=troubles)
    def a_person_initialises(self, trouble: Trouble) -> None:
        self.run(lambda: operations.initialise(self.world.target, None, "start"), trouble)

    @rule(version=versions, trouble=troubles)
    def a_person_proposes(self, version: str | None, trouble: Trouble) -> None:
        self.run(lambda: operations.propose(self.world.target, version, "try it"), trouble)

    @rule(version=versions, trouble=troubles)
    def a_person_approves(self, version: str | None, trouble: Trouble) -> None:
        self.run(lambda: operations.approve(self.world.target, version, "looked at"), trouble)

    @precondition(lambda self: self.file.challenger is not None)
    @rule(opinion=opinions, force=st.booleans(), trouble=troubles)
    def a_person_advances(self, opinion: str, force: bool, trouble: Trouble) -> None:
        self.world.opinion = OPINIONS[opinion]
        self.run(lambda: operations.advance(self.world.target, "go", force), trouble)

    @precondition(lambda self: self.file.challenger is not None)
    @rule(trouble=troubles)
    def a_person_rejects(self, trouble: Trouble) -> None:
        self.run(lambda: operations.reject(self.world.target, "bad"), trouble)

    @precondition(lambda self: self.file.challenger is not None)
    @rule(trouble=troubles)
    def a_person_withdraws(self, trouble: Trouble) -> None:
        self.run(lambda: operations.withdraw(self.world.target, "not now"), trouble)

    @precondition(lambda self: self.file.hold is None)
    @rule(trouble=troubles)
    def a_person_holds(self, trouble: Trouble) -> None:
        self.run(lambda: operations.hold(self.world.target, "an incident"), trouble)

    @precondition(lambda self: self.file.hold is not None)
    @rule(trouble=troubles)
    def a_person_resumes(self, trouble: Trouble) -> None:
        self.run(lambda: operations.resume(self.world.target, "over"), trouble)

    @precondition(lambda self: self.file.history)
    @rule(to=st.none() | versions, trouble=troubles)
    def a_person_rolls_back(self, to: str | None, trouble: Trouble) -> None:
        self.run(lambda: back.rollback(self.world.target, "it harms", to), trouble)

    @precondition(lambda self: self.file.history or self.file.rejected)
    @rule(to=st.integers(1, MOST).map(str), trouble=troubles)
    def a_person_breaks_the_glass(self, to: str, trouble: Trouble) -> None:
        target = self.world.target

        def broken() -> None:
            self.world.emergency = True
            choice = back.choose(target, to)
            glass = back.break_glass(target, choice, "help", lambda _: None)
            back.remember(target, glass, choice.package.version)

        self.run(broken, trouble)

    @precondition(lambda self: not self.world.agrees())
    @rule(trouble=troubles)
    def a_person_adopts(self, trouble: Trouble) -> None:
        self.run(lambda: back.adopt(self.world.target, "it is live"), trouble, True)

    @precondition(lambda self: self.world.changing)
    @rule(trouble=troubles)
    def a_person_aborts(self, trouble: Trouble) -> None:
        target = self.world.target
        self.run(lambda: live.abort(target.endpoint, target.clients, target.clock), trouble)

    @rule(trouble=troubles)
    def somebody_runs_pulumi_up(self, trouble: Trouble) -> None:
        self.run(lambda: self.world.stack.up(self.world.target), trouble)

    @precondition(lambda self: len(self.world.configs()) > 1)
    @rule(data=st.data())
    def somebody_is_at_the_endpoint_by_hand(self, data: st.DataObject) -> None:
        config = data.draw(st.sampled_from(self.world.configs()), "config")

        def update() -> None:
            self.world.by_hand = True
            name = self.world.target.endpoint
            self.world.stack.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=config)

        self.run(update)

    # time

    @rule(seconds=st.sampled_from([1.0, 10.0, 30.0, 90.0, 3600.0, 86400.0, 8 * 86400.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.clock.pass_time(seconds)

    @rule(seconds=st.floats(0, 60))
    def an_alarm_is_going_to_ring(self, seconds: float) -> None:
        self.world.aws.ring_at(seconds)
